"""The asyncio twin: `aquery`, `async_add` and `adelete` of MilvusVectorStore."""

from collections.abc import Sequence
from typing import Any

from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryResult
from llama_index.vector_stores.milvus import MilvusVectorStore

from loadgen.clients.vector_client import AsyncVectorClient
from loadgen.milvus.store import NarrowedQuery, PlacedNodes


class AsyncClient(AsyncVectorClient):
    """One user's client over a MilvusVectorStore."""

    _store: MilvusVectorStore

    def ids_of(self, result: VectorStoreQueryResult) -> Sequence[str]:
        """The ids of the nodes."""
        return result.ids or ()

    def _pymilvus_client(self) -> Any:
        return self._store.aclient

    async def _search(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        if isinstance(query, NarrowedQuery):
            kwargs = {**query.arguments, **kwargs}
        return await self._store.aquery(query, **kwargs)

    async def _insert(self, nodes: list[BaseNode], **kwargs: Any) -> list[str]:
        if isinstance(nodes, PlacedNodes):
            kwargs = {**nodes.arguments, **kwargs}
        return await self._store.async_add(nodes, **kwargs)

    async def _delete(self, ref_doc_id: str, **kwargs: Any) -> None:
        await self._store.adelete(ref_doc_id, **kwargs)
