"""The chapters of Milvus' tutorial before its table: documents, index and query engine, timed as it times them.

"RAG with LlamaIndex and the Milvus async API" builds an index with `use_async` and asks its query engine with `aquery`,
each once. Here the blocking call is timed too, and for both the same work concurrently: the operations
`ingest` and `ask` of this tool, equally many in flight in both modes.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

from loadgen.clients.rag.built_in import write_document
from loadgen.measure.sample import Mode
from loadgen.settings.faults import Fault
from loadgen.settings.rag_settings import RAG

if TYPE_CHECKING:
    from llama_index.core import VectorStoreIndex
    from llama_index.core.schema import Document
    from llama_index.vector_stores.milvus import MilvusVectorStore

    from loadgen.clients.rag.engine import Models
    from loadgen.clients.rag.side_by_side import Measured
    from loadgen.settings.model import Settings

WRITTEN = 24
"""Documents that are generated if none are given."""
MOST_OPERATIONS = 48
TOP_K = 2
"""LlamaIndex's own default for a query engine."""
Tell = Callable[[str], object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chapter:
    """One call of the tutorial."""

    name: str
    seconds: float
    """By the stopwatch, once, with nothing else in flight."""
    side_by_side: "Measured | None" = None
    """The same work, concurrently."""


@dataclass(frozen=True, slots=True)
class Chapters:
    """Implements `Prologue`. The embedding and the language model are named as in `--embedding` and `--llm`."""

    documents: str = ""
    """File or folder; generated texts if empty."""
    embedding: str = "local"
    llm: str = "simulated"

    def find_faults(self, settings: "Settings") -> list[Fault]:
        """Missing packages, keys and documents."""
        from loadgen.clients.rag.data import DocumentSource

        faults = DocumentSource().find_faults([self._adapt(settings, self.documents)], ("ask", "ingest"))
        return [fault._replace(problem=f"{fault.problem} (in the chapters of tutorial.py)") for fault in faults]

    def run(self, settings: "Settings", tell: Tell) -> None:
        """Run all chapters on a thread without an event loop; `tell` gets their figures, line by line.

        They fill a collection of their own, which is dropped at the end. Raises what a call raises: without an index
        there is nothing to ask.
        """
        from loadgen.clients.rag.side_by_side import dropping, serving_models, temporary_folder

        with temporary_folder() as folder, serving_models(self._adapt(settings, "")) as url:
            if not self.documents:
                _write(folder, settings.seed)
            own = self._adapt(settings, self.documents or str(folder)).model_copy(update={"simulated_url": url})
            with dropping(own):
                for line in show(list(_run(own, tell))):
                    tell(line)

    def _adapt(self, settings: "Settings", documents: str) -> "Settings":
        """Settings of the path from question to answer, on the same server in a collection of its own."""
        from loadgen.settings.model import Settings
        from loadgen.settings.server_settings import ServerSettings

        server = {name: getattr(settings, name) for name in ServerSettings.model_fields}
        server |= {"connections": 1, "seed": settings.seed, "simulated_url": settings.simulated_url}
        return Settings(
            **server,
            client=RAG,
            collection=f"loadgen_tutorial_{token_hex(4)}",
            index_type="FLAT",
            consistency="Session",
            top_k=TOP_K,
            queries=min(MOST_OPERATIONS, max(settings.burst)),
            documents=documents,
            embedding=self.embedding,
            llm=self.llm,
        )


def _write(folder: Path, seed: int) -> None:
    for number in range(WRITTEN):
        name, text = write_document(number, seed)
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def _run(settings: "Settings", tell: Tell) -> Iterator[Chapter]:
    from loadgen.clients.rag.corpora import find_documents
    from loadgen.clients.rag.data import DocumentSource
    from loadgen.clients.rag.reading import load_files
    from loadgen.clients.rag.side_by_side import measure

    source = DocumentSource()
    settings = source.resolve(settings)
    corpus, questions = find_documents(settings), source.open(settings).query_texts(settings.queries)
    assert corpus.root is not None  # noqa: S101 - it is read from files
    names = [one.node_id for one in corpus.documents]
    tell(f"The tutorial's chapters: {len(names):,} documents, {settings.embedding} embedding, {settings.llm} LLM")
    seconds, documents = take_time(lambda: load_files(corpus.root or Path(), names))
    yield Chapter("read documents", seconds)
    built = {use_async: build(settings, documents, use_async=use_async) for use_async in (True, False)}
    for use_async, mode in ((True, Mode.ASYNC), (False, Mode.SYNC)):
        own = measure(settings, mode, "ingest", corpus)
        yield Chapter(f"from_documents(use_async={use_async})", built[use_async].seconds, own)
    index = built[False]
    for call, mode in (("aquery", Mode.ASYNC), ("query", Mode.SYNC)):
        seconds = index.time_query(call, questions[0])
        yield Chapter(call, seconds, measure(settings, mode, "ask", questions))
    index.close()


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """An index, its store, and how long `from_documents` took."""

    seconds: float
    index: "VectorStoreIndex"
    store: "MilvusVectorStore"
    models: "Models"

    def time_query(self, call: str, question: str) -> float:
        """Seconds of `query` or `aquery` of a new query engine, as the tutorial makes it."""
        engine = self.index.as_query_engine(use_async=True, llm=self.models.llm, similarity_top_k=TOP_K)
        if call == "query":
            return take_time(lambda: engine.query(question))[0]

        async def ask() -> float:
            started = time.perf_counter()
            await engine.aquery(question)
            seconds = time.perf_counter() - started
            if self.store.aclient is not None:
                await self.store.aclient.close()
            return seconds

        return asyncio.run(ask())

    def close(self) -> None:
        """Close the blocking connections."""
        from loadgen.clients.rag.models import close_model

        self.store.client.close()
        for model in (self.models.embedding, self.models.llm):
            close_model(model)


def build(settings: "Settings", documents: "Sequence[Document]", *, use_async: bool) -> BuiltIndex:
    """An index over a new collection.

    With `use_async` LlamaIndex runs a loop of its own for the build, to which the store's async client belongs from
    then on: that store serves no other call. So each build has a store of its own, on a thread without a loop.
    """
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.vector_stores.milvus import MilvusVectorStore

    from loadgen.clients.rag.documents import make_splitter
    from loadgen.clients.rag.engine import make_models
    from loadgen.milvus.store.arguments import store_arguments

    models = make_models(settings)
    store = MilvusVectorStore(**store_arguments(settings, Mode.ASYNC), overwrite=True)
    more: dict[str, Any] = {"storage_context": StorageContext.from_defaults(vector_store=store)}
    more |= {"transformations": [make_splitter(settings.chunk_size, settings.chunk_overlap)]}
    more |= {"embed_model": models.embedding, "use_async": use_async}
    seconds, index = take_time(partial(VectorStoreIndex.from_documents, documents, **more))
    built = BuiltIndex(seconds, index, store, models)
    if use_async:
        built.close()
    return built


def take_time(call: Callable[[], T]) -> tuple[float, T]:
    """Seconds that a call takes, and what it returns."""
    started = time.perf_counter()
    returned = call()
    return time.perf_counter() - started, returned


def show(chapters: Sequence[Chapter]) -> Iterator[str]:
    """The table, line by line."""
    from loadgen.clients.rag.side_by_side import HEAD

    yield f"{'once, as the tutorial':<34} {'seconds':>8}   {HEAD}"
    for one in chapters:
        yield f"{one.name:<34} {one.seconds:>8.3f}   {one.side_by_side or ''}".rstrip()
    yield "One call at a time cannot show what async gains. Compare the figures on the right, async with sync."
