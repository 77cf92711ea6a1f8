"""The path from file to chunk: the same in both modes, and its times."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.ingestion import IngestionPipeline

from loadgen.clients.rag.documents import built_in_corpus, make_splitter, read_corpus, split_corpus, token_counter
from loadgen.clients.rag.embeddings.placed import place_embedder
from loadgen.clients.rag.pipeline import STAGES, Batch, Ingested, IngestPath, aingest, ingest, make_batches
from tests.unit.rag_support import CountingEmbedder, MemoryStore, index_of, make_pdf

SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def path(store: MemoryStore) -> IngestPath:
    """Its clock advances by 1, 2, 4 and 8 s."""
    times: Iterator[float] = iter([*accumulate(SECONDS)] * 9)
    embedding = place_embedder(CountingEmbedder(), "m", "loop", 3)
    return IngestPath(make_splitter(64, 0), embedding, index_of(store, embedding), lambda: next(times))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("One sentence is here. " * 40)
    (tmp_path / "sub" / "b.pdf").write_bytes(make_pdf("page one", "page two"))
    (tmp_path / "sub" / "c.md").write_text("# Short")
    return tmp_path


def run(mode: str, path: IngestPath, batch: Batch, prefix: str = "") -> Ingested:
    return ingest(path, batch, prefix) if mode == "sync" else asyncio.run(aingest(path, batch, prefix))


def described(store: MemoryStore) -> list[Any]:
    return [(node.node_id, node.ref_doc_id, node.get_content(), node.embedding) for node in store.client]


@pytest.mark.parametrize(("mode", "call"), [("sync", "add"), ("async", "async_add")])
def test_files_are_read_split_embedded_and_inserted(
    mode: str, call: str, path: IngestPath, store: MemoryStore, folder: Path
) -> None:
    corpus = read_corpus(folder)
    (batch,) = make_batches(corpus, 10, path.splitter, token_counter())
    (folder / "sub" / "c.md").write_text("# Changed since")  # a file is read by each ingest
    done = run(mode, path, batch, "w1/7/")
    nodes = split_corpus(read_corpus(folder), 64, 0)
    assert described(store) == [
        (f"w1/7/{node.node_id}", f"w1/7/{node.ref_doc_id}", node.text, [float(len(node.text)), 0.0]) for node in nodes
    ]
    assert store.calls == [call]
    assert (done.documents, done.chunks) == (3, len(nodes))
    assert done.stages == {"read": 1.0, "split": 2.0, "embed": 4.0, "insert": 8.0}
    assert tuple(done.stages) == STAGES


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_documents_without_files_are_copied_and_may_be_ingested_again(
    mode: str, path: IngestPath, store: MemoryStore
) -> None:
    (batch,) = make_batches(built_in_corpus(2, 1), 2, path.splitter, token_counter())
    first, second = run(mode, path, batch, "1/"), run(mode, path, batch, "2/")
    assert (first, first.documents) == (second, 2)
    ids = [str(node.node_id) for node in store.client]
    assert [one.replace("1/", "", 1) for one in ids[: first.chunks]] == [
        one.replace("2/", "", 1) for one in ids[first.chunks :]
    ]
    assert len(set(ids)) == 2 * first.chunks
    assert [one.node_id for one in batch.documents] == ["astronomy/00001.txt", "baking/00000.txt"]


def test_both_modes_are_those_of_an_ingestion_pipeline(path: IngestPath, store: MemoryStore) -> None:
    (batch,) = make_batches(built_in_corpus(3, 1), 3, path.splitter, token_counter())
    pipeline = IngestionPipeline(
        transformations=[path.splitter, path.embedding], vector_store=store, disable_cache=True
    )
    pipeline.run(documents=list(batch.documents))
    by_pipeline = described(store)
    store.client.clear()
    asyncio.run(pipeline.arun(documents=list(batch.documents)))
    assert described(store) == by_pipeline
    for mode in ("sync", "async"):
        store.client.clear()
        run(mode, path, batch)
        assert described(store) == by_pipeline


def test_batches_have_all_documents_and_the_tokens_of_their_chunks(path: IngestPath) -> None:
    corpus, count = built_in_corpus(7, 1), token_counter()
    batches = make_batches(corpus, 3, path.splitter, count)
    assert [len(batch.documents) for batch in batches] == [3, 3, 1]
    assert [one for batch in batches for one in batch.documents] == list(corpus.documents)
    nodes = split_corpus(corpus, 64, 0)
    assert sum(batch.tokens for batch in batches) == sum(count(node.text) for node in nodes) > 100
    assert run("sync", path, batches[1]).tokens == batches[1].tokens


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_the_error_of_a_stage_is_raised(mode: str, path: IngestPath, store: MemoryStore, folder: Path) -> None:
    (batch,) = make_batches(read_corpus(folder), 9, path.splitter, token_counter())
    (folder / "sub" / "b.pdf").write_text("no PDF any more")
    with pytest.raises(Exception, match=r"Error loading file|RetryError"):
        run(mode, path, batch)
    gone = replace(batch, documents=batch.documents[:1])
    (folder / "a.txt").unlink()
    with pytest.raises(ValueError, match=r"a\.txt does not exist"):
        run(mode, path, gone)
    assert store.client == []
