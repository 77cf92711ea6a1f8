"""An index in memory with a query engine, its real classes without a server or a model."""

from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

from loadgen.clients.rag.async_client import AsyncClient
from loadgen.clients.rag.documents import make_splitter
from loadgen.clients.rag.embeddings.placed import place_embedder
from loadgen.clients.rag.engine import Engine, Models
from loadgen.clients.rag.models import ModelSpec
from loadgen.clients.rag.pipeline import IngestPath
from loadgen.clients.rag.stages import watch_spans
from loadgen.clients.rag.sync_client import SyncClient
from loadgen.measure.sample import Sample

QUESTION = "What is known about apples?"
DEADLINE = 30.0
SPEC = ModelSpec("local")


class Letters:
    """An embedder: how often each of eight letters occurs. Fails on demand."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def embed_queries(self, texts: list[str], /) -> list[list[float]]:
        if self.error is not None:
            raise self.error
        return self.embed_texts(texts)

    def embed_texts(self, texts: list[str], /) -> list[list[float]]:
        return [[float(text.count(letter)) + 0.1 for letter in "aeiloprs"] for text in texts]


class Scripted(CustomLLM):
    """Answers with these words, then raises the error, if there is one."""

    words: tuple[str, ...] = ("red", " and", " round")
    error: Any = None

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=4_096)

    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:  # noqa: ARG002
        if self.error is not None:
            raise self.error
        return CompletionResponse(text="".join(self.words))

    def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponseGen:  # noqa: ARG002
        def words() -> CompletionResponseGen:
            text = ""
            for word in self.words:
                text += word
                yield CompletionResponse(text=text, delta=word)
            if self.error is not None:
                raise self.error

        return words()


def make_engine(
    llm: CustomLLM, *, stream: bool = False, chunks: int = 5, error: Exception | None = None, deadline: float = DEADLINE
) -> Engine:
    """An engine over this many chunks, of a document each; `error` is raised when a question is embedded."""
    watch_spans()
    embedding = place_embedder(Letters(error), "letters", "threads", 10)
    nodes = [
        TextNode(
            id_=f"chunk{number}",
            text=f"apples {'are red ' * number}",
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"document{number}")},
        )
        for number in range(chunks)
    ]
    index = VectorStoreIndex(nodes, embed_model=embedding)
    query_engine = index.as_query_engine(llm=llm, streaming=stream, similarity_top_k=3)
    store: Any = None
    path = IngestPath(make_splitter(64, 0), embedding, index)
    return Engine(
        store, Models(embedding, llm, SPEC, SPEC), index.as_retriever(similarity_top_k=3), query_engine, path, deadline
    )


def make_clients(engine: Engine) -> tuple[SyncClient, AsyncClient, list[Sample]]:
    """Both clients over an engine, and the list of their samples."""
    samples: list[Sample] = []
    return SyncClient(engine, samples.append), AsyncClient(engine, samples.append), samples
