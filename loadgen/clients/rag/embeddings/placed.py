"""LlamaIndex embeddings that compute a model in this process, in one of three places."""

import asyncio

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from loadgen.clients.rag.embeddings import Embedder
from loadgen.clients.rag.embeddings.batching import BatchingThread
from loadgen.clients.rag.steps import computing

Vector = list[float]


class InCaller(BaseEmbedding):
    """Computes in the caller: a coroutine blocks its loop for as long."""

    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder, model_name: str, embed_batch_size: int) -> None:
        super().__init__(model_name=model_name, embed_batch_size=embed_batch_size)
        self._embedder = embedder

    def close(self) -> None:
        """Nothing to close."""

    async def aclose(self) -> None:
        """The same, from a loop."""
        self.close()

    def _get_query_embedding(self, query: str) -> Vector:
        return self._embedder.embed_queries([query])[0]

    def _get_text_embedding(self, text: str) -> Vector:
        return self._embedder.embed_texts([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return self._embedder.embed_texts(texts)

    async def _aget_query_embedding(self, query: str) -> Vector:
        with computing():
            return self._get_query_embedding(query)

    async def _aget_text_embedding(self, text: str) -> Vector:
        with computing():
            return self._get_text_embedding(text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        with computing():
            return self._get_text_embeddings(texts)


class InThreads(InCaller):
    """Computes in the caller's thread, and for a coroutine in a thread of the loop's pool."""

    async def _aget_query_embedding(self, query: str) -> Vector:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> Vector:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)


class Batched(InCaller):
    """Computes on one thread that takes what waits as a batch."""

    _thread: BatchingThread = PrivateAttr()

    def __init__(self, embedder: Embedder, model_name: str, embed_batch_size: int) -> None:
        super().__init__(embedder, model_name, embed_batch_size)
        self._thread = BatchingThread(embedder)

    def close(self) -> None:
        """End the thread; what waits for it raises ClosedError. Idempotent."""
        self._thread.close()

    def _get_query_embedding(self, query: str) -> Vector:
        return self._thread.embed([query], is_query=True)[0]

    def _get_text_embedding(self, text: str) -> Vector:
        return self._thread.embed([text], is_query=False)[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return self._thread.embed(texts, is_query=False)

    async def _aget_query_embedding(self, query: str) -> Vector:
        return (await self._thread.aembed([query], is_query=True))[0]

    async def _aget_text_embedding(self, text: str) -> Vector:
        return (await self._thread.aembed([text], is_query=False))[0]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return await self._thread.aembed(texts, is_query=False)


PLACES: dict[str, type[InCaller]] = {"loop": InCaller, "threads": InThreads, "batched": Batched}


def place_embedder(embedder: Embedder, name: str, embed_in: str, batch_size: int) -> InCaller:
    """The embedding that computes a model there. Raises KeyError for `server`."""
    return PLACES[embed_in](embedder, name, batch_size)
