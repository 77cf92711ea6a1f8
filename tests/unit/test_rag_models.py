"""Models by name: what is refused, and those that are computed in this process."""

from typing import Any

import pytest

from loadgen.clients.rag import models
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
