"""Vectors of texts, computed in this process: by the built-in model, in each place, and by one of Hugging Face."""

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
    ModelError,
    ModelSpec,
    close_model,
    make_embedding,
)
from tests.unit.rag_support import CountingEmbedder


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
