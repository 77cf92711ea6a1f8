"""From documents to chunks in the collection: read, split, embed, insert, each timed; blocking and as a coroutine.

These are the steps of LlamaIndex's `IngestionPipeline.run` and `arun` without a cache, called one by one for their
times. `arun` too splits in the loop; only reading PDFs, embedding and inserting can let others run meanwhile.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.clients.rag.reading import aload_files, load_files

if TYPE_CHECKING:
    from llama_index.core import VectorStoreIndex
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.schema import Document

    from loadgen.clients.rag.documents import Corpus

READ, SPLIT, EMBED, INSERT = STAGES = ("read", "split", "embed", "insert")


@dataclass(frozen=True, slots=True)
class IngestPath:
    """What all ingests of one process and mode share."""

    splitter: "SentenceSplitter"
    embedding: "BaseEmbedding"
    index: "VectorStoreIndex"
    clock: Callable[[], float] = time.perf_counter


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents that are ingested together, with what is counted before the clock starts."""

    documents: "tuple[Document, ...]"
    root: Path | None
    """The folder from which they are read each time; None: they are copied from memory."""
    tokens: int
    """Tokens of their chunks, by the tokenizer of the splitter."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one ingest did."""

    documents: int
    chunks: int
    tokens: int
    stages: Mapping[str, float]
    """Seconds of each stage, in the order of `STAGES`."""


def make_batches(
    corpus: "Corpus", size: int, splitter: "SentenceSplitter", count: Callable[[str], int]
) -> tuple[Batch, ...]:
    """The corpus in batches of `size` documents, the last one smaller; splits all of it once to count its tokens."""
    return tuple(
        Batch(documents, corpus.root, sum(count(node.get_content()) for node in splitter(documents)))
        for start in range(0, len(corpus.documents), size)
        for documents in [corpus.documents[start : start + size]]
    )


def ingest(path: IngestPath, batch: Batch, prefix: str = "") -> Ingested:
    """Ingest a batch with blocking calls; `prefix` makes its ids differ from those of other ingests.

    Raises whatever a stage raises.
    """
    watch = _Watch(path.clock)
    documents = load_files(batch.root, _names(batch), prefix) if batch.root else _copy(batch.documents, prefix)
    watch.end(READ)
    chunks = path.splitter(documents)
    watch.end(SPLIT)
    nodes = path.embedding(chunks)
    watch.end(EMBED)
    path.index.insert_nodes(nodes)
    watch.end(INSERT)
    return Ingested(len(documents), len(nodes), batch.tokens, watch.stages)


async def aingest(path: IngestPath, batch: Batch, prefix: str = "") -> Ingested:
    """The same as a coroutine."""
    watch = _Watch(path.clock)
    documents = await aload_files(batch.root, _names(batch), prefix) if batch.root else _copy(batch.documents, prefix)
    watch.end(READ)
    chunks = await path.splitter.acall(documents)
    watch.end(SPLIT)
    nodes = await path.embedding.acall(chunks)
    watch.end(EMBED)
    await path.index.ainsert_nodes(nodes)
    watch.end(INSERT)
    return Ingested(len(documents), len(nodes), batch.tokens, watch.stages)


@dataclass(slots=True)
class _Watch:
    """Seconds of consecutive stages."""

    clock: Callable[[], float]
    stages: dict[str, float] = field(default_factory=dict)
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self._since = self.clock()

    def end(self, stage: str) -> None:
        now = self.clock()
        self.stages[stage], self._since = now - self._since, now


def _names(batch: Batch) -> list[str]:
    return [document.node_id for document in batch.documents]


def _copy(documents: "Sequence[Document]", prefix: str) -> "list[Document]":
    from llama_index.core.schema import Document

    return [Document(id_=prefix + one.node_id, text=one.text) for one in documents]
