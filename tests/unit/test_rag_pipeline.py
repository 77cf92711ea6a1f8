"""The path from file to chunk: the same in both modes, and its times."""

import asyncio
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import MetadataMode

from loadgen.clients.rag.documents import Corpus, built_in_corpus, make_splitter, read_corpus, split_corpus
from loadgen.clients.rag.embeddings.placed import place_embedder
from loadgen.clients.rag.pipeline import STAGES, IngestPath, Source, aingest, ingest
from loadgen.measure.loop_holds import LoopHolds
from tests.unit.rag_support import CountingEmbedder, MemoryStore, index_of, make_pdf

SEEN = (MetadataMode.EMBED, MetadataMode.LLM)
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


def run(mode: str, path: IngestPath, corpus: Corpus, prefix: str = "", stages: dict[str, float] | None = None) -> int:
    sources = [Source(prefix + one.node_id, one, corpus.root) for one in corpus.documents]
    kept = {} if stages is None else stages
    if mode == "sync":
        return len(ingest(path, sources, kept))
    return len(asyncio.run(aingest(path, sources, kept, LoopHolds())))


def described(store: MemoryStore) -> list[Any]:
    return [(node.node_id, node.ref_doc_id, node.get_content(), node.embedding) for node in store.client]


@pytest.mark.parametrize(("mode", "call"), [("sync", "add"), ("async", "async_add")])
def test_files_are_read_split_embedded_and_inserted(
    mode: str, call: str, path: IngestPath, store: MemoryStore, folder: Path
) -> None:
    corpus = read_corpus(folder)
    (folder / "sub" / "c.md").write_text("# Changed since")  # a file is read by each ingest
    stages: dict[str, float] = {}
    chunks = run(mode, path, corpus, "w1/7/", stages)
    nodes = split_corpus(read_corpus(folder), 64, 0)
    assert described(store) == [
        (f"w1/7/{node.node_id}", f"w1/7/{node.ref_doc_id}", node.text, [float(len(node.text)), 0.0]) for node in nodes
    ]
    assert store.calls == [call]
    assert chunks == len(nodes) > 3
    assert stages == {"read": 1.0, "split": 2.0, "embed": 4.0, "insert": 8.0}
    assert tuple(stages) == STAGES
    assert {node.metadata["loadgen"] for node in store.client} == {"inserted"}
    assert not any("inserted" in node.get_content(kind) for node in store.client for kind in SEEN)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_documents_without_files_are_copied_and_may_be_ingested_again(
    mode: str, path: IngestPath, store: MemoryStore
) -> None:
    corpus = built_in_corpus(2, 1)
    first, second = run(mode, path, corpus, "1/"), run(mode, path, corpus, "2/")
    assert first == second > 1
    ids = [str(node.node_id) for node in store.client]
    assert [one.replace("1/", "", 1) for one in ids[:first]] == [one.replace("2/", "", 1) for one in ids[first:]]
    assert len(set(ids)) == 2 * first
    assert [one.node_id for one in corpus.documents] == ["astronomy/00001.txt", "baking/00000.txt"]


def test_both_modes_are_those_of_an_ingestion_pipeline(path: IngestPath, store: MemoryStore) -> None:
    corpus = built_in_corpus(3, 1)
    pipeline = IngestionPipeline(
        transformations=[path.splitter, path.embedding], vector_store=store, disable_cache=True
    )
    pipeline.run(documents=list(corpus.documents))
    by_pipeline = described(store)
    store.client.clear()
    asyncio.run(pipeline.arun(documents=list(corpus.documents)))
    assert described(store) == by_pipeline
    for mode in ("sync", "async"):
        store.client.clear()
        run(mode, path, corpus)
        assert described(store) == by_pipeline


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_file_may_be_ingested_twice_at_once(mode: str, path: IngestPath, store: MemoryStore, folder: Path) -> None:
    corpus = read_corpus(folder / "a.txt")
    sources = [Source(f"{number}/a.txt", corpus.documents[0], corpus.root) for number in range(2)]
    stages: dict[str, float] = {}
    chunks = (
        ingest(path, sources, stages) if mode == "sync" else asyncio.run(aingest(path, sources, stages, LoopHolds()))
    )
    assert len(chunks) == 2 * len(split_corpus(corpus, 64, 0))
    assert {node.ref_doc_id for node in store.client} == {"0/a.txt", "1/a.txt"}


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_the_error_of_a_stage_is_raised_and_the_stages_before_it_are_kept(
    mode: str, path: IngestPath, store: MemoryStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = read_corpus(folder)
    stages: dict[str, float] = {}

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("full")

    with monkeypatch.context() as patched:
        patched.setattr(MemoryStore, "add" if mode == "sync" else "async_add", refuse)
        with pytest.raises(RuntimeError, match="full"):
            run(mode, path, corpus, stages=stages)
    assert stages == {"read": 1.0, "split": 2.0, "embed": 4.0}
    stages.clear()
    (folder / "sub" / "b.pdf").write_text("no PDF any more")
    with pytest.raises(Exception, match=r"Error loading file|RetryError"):
        run(mode, path, corpus, stages=stages)
    (folder / "a.txt").unlink()
    with pytest.raises(ValueError, match=r"a\.txt does not exist"):
        run(mode, path, corpus, stages=stages)
    assert (stages, store.client) == ({}, [])
