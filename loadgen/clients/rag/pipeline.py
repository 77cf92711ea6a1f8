"""From documents to chunks in the collection: read, split, embed, insert, each timed; blocking and as a coroutine.

These are the steps of LlamaIndex's `IngestionPipeline.run` and `arun` without a cache, called one by one for their
times. `arun` too splits in the loop; only reading PDFs, embedding and inserting can let others run meanwhile.
"""

import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.clients.rag.reading import aload_files, load_files
from loadgen.clients.rag.steps import Steps
from loadgen.datasets import FINGERPRINT_KEY, INSERTED
from loadgen.measure.loop_holds import LoopHolds

if TYPE_CHECKING:
    from llama_index.core import VectorStoreIndex
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.schema import BaseNode, Document

READ, SPLIT, EMBED, INSERT = STAGES = ("read", "split", "embed", "insert")
NEXT = dict(pairwise(STAGES))


@dataclass(frozen=True, slots=True)
class IngestPath:
    """What all ingests of one connection share."""

    splitter: "SentenceSplitter"
    embedding: "BaseEmbedding"
    index: "VectorStoreIndex"
    clock: Callable[[], float] = time.perf_counter


@dataclass(frozen=True, slots=True)
class Source:
    """A document to ingest."""

    doc_id: str
    """Its id in the collection; those of its chunks begin with it."""
    document: "Document"
    """Of the corpus, where its id is the path below the root."""
    root: Path | None = None
    """The folder from which it is read each time; None: it is copied from memory."""


def ingest(path: IngestPath, sources: Sequence[Source], stages: MutableMapping[str, float]) -> "Sequence[BaseNode]":
    """Ingest some documents of one corpus with blocking calls; returns their chunks.

    `stages` gets the seconds of each stage when it has ended. Raises whatever a stage raises.
    """
    stopwatch = _Stopwatch(path.clock, stages)
    root = sources[0].root
    documents = load_files(root, *_names(sources)) if root else _copy(sources)
    _mark(documents)
    stopwatch.end(READ)
    chunks = path.splitter(documents)
    stopwatch.end(SPLIT)
    nodes = path.embedding(chunks)
    stopwatch.end(EMBED)
    path.index.insert_nodes(nodes)
    stopwatch.end(INSERT)
    return nodes


async def aingest(
    path: IngestPath, sources: Sequence[Source], stages: MutableMapping[str, float], loop_holds: LoopHolds
) -> "Sequence[BaseNode]":
    """The same as a coroutine; `loop_holds` receives how long each stage blocked the loop."""
    steps = Steps(loop_holds, READ)
    return await steps.drive(_aingest(path, sources, _Stopwatch(path.clock, stages, steps)))


async def _aingest(path: IngestPath, sources: Sequence[Source], stopwatch: "_Stopwatch") -> "Sequence[BaseNode]":
    root = sources[0].root
    documents = await aload_files(root, *_names(sources)) if root else _copy(sources)
    _mark(documents)
    stopwatch.end(READ)
    chunks = await path.splitter.acall(documents)
    stopwatch.end(SPLIT)
    nodes = await path.embedding.acall(chunks)
    stopwatch.end(EMBED)
    await path.index.ainsert_nodes(nodes)
    stopwatch.end(INSERT)
    return nodes


@dataclass(slots=True)
class _Stopwatch:
    """Seconds of consecutive stages."""

    clock: Callable[[], float]
    stages: MutableMapping[str, float]
    steps: Steps | None = None
    """Of a coroutine."""
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self._since = self.clock()

    def end(self, stage: str) -> None:
        now = self.clock()
        self.stages[stage], self._since = now - self._since, now
        if self.steps is not None:
            self.steps.enter(NEXT.get(stage, ""))


def _names(sources: Sequence[Source]) -> tuple[list[str], list[str]]:
    """The files below the root, and their ids in the collection."""
    return [one.document.node_id for one in sources], [one.doc_id for one in sources]


def _copy(sources: Sequence[Source]) -> "list[Document]":
    from llama_index.core.schema import Document

    return [Document(id_=one.doc_id, text=one.document.text) for one in sources]


def _mark(documents: "Sequence[Document]") -> None:
    """As rows that a run has inserted; neither a model nor the splitter sees it."""
    for one in documents:
        one.metadata = {FINGERPRINT_KEY: INSERTED}
        one.excluded_embed_metadata_keys = [FINGERPRINT_KEY]
        one.excluded_llm_metadata_keys = [FINGERPRINT_KEY]
