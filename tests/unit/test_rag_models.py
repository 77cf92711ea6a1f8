"""Models by name: what is refused, and those that are computed in this process."""

import asyncio
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from tenacity import retry, stop_after_attempt

from loadgen.clients.rag import models
from loadgen.clients.rag.embeddings.huggingface import HuggingFaceEmbedder
from loadgen.clients.rag.embeddings.local import LocalEmbedder, load_local
from loadgen.clients.rag.embeddings.placed import place_embedder
from loadgen.clients.rag.models import (
    EMBED_IN,
    ModelError,
    ModelSpec,
    check_embed_in,
    check_embedding,
    check_llm,
    close_model,
    find_dim,
    make_embedding,
    make_llm,
)
from tests.unit.rag_support import CountingEmbedder

URL = "http://127.0.0.1:9/v1"
KEY = "sk-very-secret"


@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec("simulated:384"),
        ModelSpec("simulated:1", url=URL),
        ModelSpec("local"),
        ModelSpec("openai:text-embedding-3-small", key=KEY),
        ModelSpec("openai:nomic-embed-text:v1.5", url="https://[::1]:8443/v1", key=""),
    ],
)
def test_these_embeddings_can_be_used(spec: ModelSpec) -> None:
    assert check_embedding(spec) == []


@pytest.mark.parametrize(
    "spec", [ModelSpec("simulated"), ModelSpec("openai:a", key=KEY), ModelSpec("openai:a", url=URL)]
)
def test_these_llms_can_be_used(spec: ModelSpec) -> None:
    assert check_llm(spec) == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (ModelSpec(""), "is no embedding model. Choose simulated:384, local"),
        (ModelSpec("bge"), "is no embedding model"),
        (ModelSpec("local:x"), "is no embedding model"),
        (ModelSpec("simulated"), "has no dimension from 1 to 32768. Write simulated:384."),
        (ModelSpec("simulated:0"), "has no dimension"),
        (ModelSpec("simulated:99999"), "has no dimension"),
        (ModelSpec("simulated:٣"), "has no dimension"),
        (ModelSpec("simulated:" + "9" * 5_000), "has no dimension"),
        (ModelSpec("openai:", url=URL), "names no model. Write one, such as openai:text-embedding-3-small."),
        (ModelSpec("openai: x", url=URL), "names no model"),
        (
            ModelSpec("openai:x"),
            "needs a key for https://api.openai.com/v1. Set LOADGEN_EMBEDDING_KEY or OPENAI_API_KEY in the environment",
        ),
        (ModelSpec("local", url=URL), "is computed in this process, so a URL is of no use"),
        (ModelSpec("huggingface:a/b"), "Install it: pip install 'milvus-loadgen[huggingface]'."),
    ],
)
def test_an_embedding_that_cannot_be_used_is_refused(spec: ModelSpec, said: str) -> None:
    (fault,) = check_embedding(spec)
    assert said in fault
    with pytest.raises(ModelError):
        make_embedding(spec, "server" if spec.is_remote else "loop")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (ModelSpec("gpt-4o"), "is no LLM. Choose simulated, openai:MODEL or none."),
        (ModelSpec("simulated:3"), "is no LLM"),
        (ModelSpec("local"), "is no LLM"),
        (ModelSpec("openai:", url=URL), "names no model. Write one, such as openai:gpt-4o-mini."),
        (
            ModelSpec("openai:x"),
            "Set LOADGEN_LLM_KEY or OPENAI_API_KEY in the environment, or --llm-url for another server.",
        ),
    ],
)
def test_an_llm_that_cannot_be_used_is_refused(spec: ModelSpec, said: str) -> None:
    (fault,) = check_llm(spec)
    assert said in fault
    with pytest.raises(ModelError):
        make_llm(spec)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://host/v1",
        "http://",
        "http://host:99999",
        "http://[::1",
        "http://h/v1?a=b",
        "http://a b/",
    ],
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    for check, name in ((check_llm, "openai:x"), (check_embedding, "simulated:8")):
        (fault,) = check(ModelSpec(name, url=url))
        assert fault.endswith("Write one such as http://127.0.0.1:8000/v1.")


def test_a_url_with_a_password_is_refused_and_not_repeated() -> None:
    (fault,) = check_llm(ModelSpec("openai:x", url="http://me:pa55@host/v1"))
    assert fault == "has a URL with a user name or password. Give a key instead."


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY} x", "schlüssel", f"{KEY}\x00"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_repeated(key: str) -> None:
    spec = ModelSpec("openai:x", key=key)
    (fault,) = check_llm(spec)
    assert "has a key with characters that cannot be sent" in fault
    with pytest.raises(ModelError) as caught:
        make_llm(spec)
    assert key.strip() not in f"{fault} {caught.value} {spec!r}"


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    (fault,) = check_llm(ModelSpec("simulated", timeout=timeout))
    assert fault == f"has a timeout of {timeout} s. Choose one above 0."


def test_all_faults_are_found_together() -> None:
    faults = check_embedding(ModelSpec("simulated", url="x", key="\n", timeout=0))
    assert len(faults) == 4


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "list_missing", lambda *names: list(names))
    hint = "Install it: pip install 'milvus-loadgen[rag]'."
    assert check_llm(ModelSpec("simulated")) == [f"needs llama_index.llms.openai_like. {hint}"]
    assert check_embedding(ModelSpec("simulated:8")) == [f"needs llama_index.embeddings.openai_like. {hint}"]
    assert check_embedding(ModelSpec("local")) == [f"needs wordllama, safetensors and tokenizers. {hint}"]


@pytest.mark.parametrize("name", ["simulated:8", "openai:x"])
def test_a_model_on_a_server_is_embedded_there_alone(name: str) -> None:
    spec = ModelSpec(name, url=URL)
    assert check_embed_in(spec, "server") == []
    for place in ("loop", "threads", "batched"):
        with pytest.raises(ModelError, match=f"{place} is for models in this process, and {name} is on a server"):
            make_embedding(spec, place)


def test_a_model_in_this_process_is_embedded_on_no_server() -> None:
    spec = ModelSpec("local")
    assert [check_embed_in(spec, place) for place in EMBED_IN[:-1]] == [[]] * 3
    with pytest.raises(
        ModelError,
        match=r"server is for models on a server, and local is in this process. Use loop, threads or",
    ):
        make_embedding(spec, "server")
    assert check_embed_in(spec, "cellar") == [
        "'cellar' is no place to embed. Choose loop, threads, batched and server."
    ]


def test_a_simulated_model_needs_a_url_once_it_is_made() -> None:
    with pytest.raises(ModelError, match=r"simulated has no URL\. Start `loadgen serve-llm`"):
        make_llm(ModelSpec("simulated"))
    with pytest.raises(ModelError, match="simulated:8 has no URL"):
        make_embedding(ModelSpec("simulated:8"), "server")


def test_the_key_is_in_no_representation_of_a_model() -> None:
    llm = make_llm(ModelSpec("openai:x", url=URL, key=KEY))
    embedding = make_embedding(ModelSpec("openai:x", url=URL, key=KEY), "server")
    assert llm.api_key == embedding.api_key == KEY  # type: ignore[attr-defined]
    for model in (llm, embedding):
        assert KEY not in f"{model!r} {model} {ModelSpec('openai:x', key=KEY)!r} {model.to_payload()}"
        close_model(model)
        close_model(model)


def test_a_model_on_a_server_sends_no_key_without_one_and_never_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)  # it is for OpenAI, not for any other server
    monkeypatch.setenv("OPENAI_API_BASE", "http://elsewhere/v1")
    spec = ModelSpec("openai:x", url=URL, timeout=7, batch_size=3, context_window=4_000, max_tokens=9)
    llm: Any = make_llm(spec)
    embedding: Any = make_embedding(spec, "server")
    for model in (llm, embedding):
        assert (model.api_key, model.api_base, model.max_retries, model.timeout) == ("none", URL, 0, 7)
        close_model(model)
    assert embedding.embed_batch_size == 3
    assert (llm.metadata.context_window, llm.metadata.num_output, llm.metadata.is_chat_model) == (4_000, 9, True)


@pytest.mark.parametrize(
    ("name", "dim"), [("simulated:12", 12), ("local", 256), ("openai:x", None), ("simulated", None)]
)
def test_the_dimension_is_that_of_the_name(name: str, dim: int | None) -> None:
    assert find_dim(ModelSpec(name)) == dim


@pytest.fixture(scope="module")
def local() -> LocalEmbedder:
    return load_local()


def test_local_vectors_have_256_dimensions_and_length_1(local: LocalEmbedder) -> None:
    vectors = np.array(local.embed_texts(["one", "", " ", "?!", "\x00", "索引", "word " * 3_000]))
    assert vectors.shape == (7, 256)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(7), abs=1e-5)


def test_local_vectors_depend_on_the_text_alone_and_near_is_related(local: LocalEmbedder) -> None:
    texts = ["The cat sleeps on the sofa.", "A kitten naps on the couch.", "Interest rates rose by half a percent."]
    cat, kitten, rates = np.array(local.embed_texts(texts))
    assert np.array(local.embed_queries(texts[:1])[0]).tolist() == cat.tolist()
    assert cat @ kitten > 0.3
    assert cat @ kitten > 2 * (cat @ rates)


def test_a_token_beyond_the_vectors_counts_as_the_last_one() -> None:
    class Tokenizer:
        def encode(self, text: str, *, add_special_tokens: bool) -> Any:
            assert not add_special_tokens
            return type("Encoding", (), {"ids": [int(word) for word in text.split()]})

    tokenizer: Any = Tokenizer()
    embedder = LocalEmbedder(np.array([[1, 0], [0, 2], [3, 4]], dtype=np.float32), tokenizer)
    assert embedder.embed_texts(["2", "9", "0 0"]) == [pytest.approx([0.6, 0.8]), pytest.approx([0.6, 0.8]), [1, 0]]


@pytest.mark.parametrize("place", ["loop", "threads", "batched"])
def test_each_place_computes_the_same_vectors_in_both_modes(place: str, local: LocalEmbedder) -> None:
    embedding = make_embedding(ModelSpec("local", batch_size=2), place)
    texts = ["a river", "a bridge", "five loaves of bread"]

    async def ask() -> list[list[list[float]]]:
        first = await embedding.aget_text_embedding(texts[0])
        return [
            [first],
            await embedding.aget_text_embedding_batch(texts),
            [await embedding.aget_query_embedding("ice")],
        ]

    expected = [local.embed_texts(texts[:1]), local.embed_texts(texts), local.embed_queries(["ice"])]
    assert asyncio.run(ask()) == expected
    assert embedding.get_text_embedding(texts[0]) == expected[0][0]
    assert embedding.get_text_embedding_batch(texts) == expected[1]
    assert embedding.get_query_embedding("ice") == expected[2][0]
    assert embedding.model_name == "local"
    close_model(embedding)
    close_model(embedding)


@pytest.mark.parametrize(
    ("place", "sync", "coroutine"),
    [
        ("loop", str.__eq__, str.__eq__),
        ("threads", str.__eq__, lambda name, caller: name != caller and name.startswith("asyncio_")),
        ("batched", lambda name, _: name == "embedding", lambda name, _: name == "embedding"),
    ],
)
def test_the_work_is_done_where_the_place_says(
    place: str, sync: Callable[[str, str], bool], coroutine: Callable[[str, str], bool]
) -> None:
    embedder = CountingEmbedder()
    embedding = place_embedder(embedder, "m", place, 10)
    embedding.get_query_embedding("q")
    embedding.get_text_embedding_batch(["one", "three"])
    asyncio.run(embedding.aget_query_embedding("q"))
    asyncio.run(embedding.aget_text_embedding_batch(["one", "three"]))
    own = threading.current_thread().name
    assert [(kind, texts) for kind, texts, _ in embedder.calls] == [("query", ["q"]), ("text", ["one", "three"])] * 2
    assert [sync(name, own) for _, _, name in embedder.calls[:2]] == [True, True]
    assert [coroutine(name, own) for _, _, name in embedder.calls[2:]] == [True, True]
    close_model(embedding)


class FakeHuggingFace:
    """HuggingFaceEmbedding as far as it is used, with its retries; a model named "missing" is not there."""

    def __init__(self, model_name: str, embed_batch_size: int) -> None:
        if model_name == "missing":
            raise OSError("missing is no local folder\nand no model on the Hub")
        self.batch_size = embed_batch_size
        self.calls: list[tuple[list[str], str]] = []

    @retry(stop=stop_after_attempt(3), reraise=True)
    def _embed_with_retry(self, inputs: list[str], prompt_name: str) -> list[list[float]]:
        self.calls.append((inputs, prompt_name))
        if "fail" in inputs:
            raise RuntimeError("out of memory")
        return [[float(len(one))] for one in inputs]


@pytest.fixture
def hugging(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("llama_index.embeddings.huggingface")
    module.HuggingFaceEmbedding = FakeHuggingFace
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(models, "list_missing", lambda *_: [])


def test_a_huggingface_model_batches_questions_and_chunks_and_fails_once() -> None:
    fake = FakeHuggingFace("m", 4)
    embedder = HuggingFaceEmbedder(fake)
    assert embedder.embed_queries(["a", "bc"]) == [[1.0], [2.0]]
    assert embedder.embed_texts(["abc"]) == [[3.0]]
    with pytest.raises(RuntimeError, match="out of memory"):
        embedder.embed_texts(["fail"])
    assert fake.calls == [(["a", "bc"], "query"), (["abc"], "text"), (["fail"], "text")]


@pytest.mark.usefixtures("hugging")
def test_a_huggingface_model_is_made_by_its_name() -> None:
    embedding = make_embedding(ModelSpec("huggingface:BAAI/bge", batch_size=4), "batched")
    assert embedding.get_query_embedding("abcd") == [4.0]
    close_model(embedding)
    with pytest.raises(ModelError) as caught:
        make_embedding(ModelSpec("huggingface:missing"), "loop")
    assert str(caught.value).startswith(
        "huggingface:missing cannot be loaded (missing is no local folder\\nand no model"
    )
