"""The asyncio twin: search, insert and delete of AsyncMilvusClient."""

from collections.abc import Sequence
from typing import Any

from loadgen.clients.pymilvus.store import PymilvusStore, SearchArguments, find_ids
from loadgen.clients.vector_client import AsyncVectorClient
from loadgen.milvus.store import PlacedNodes


class AsyncClient(AsyncVectorClient):
    """One user's client over a connection of pymilvus."""

    _store: PymilvusStore

    def ids_of(self, result: Any) -> Sequence[str]:
        """The ids of all hits."""
        return find_ids(result)

    def _pymilvus_client(self) -> Any:
        return self._store.client

    async def _search(self, query: SearchArguments, **kwargs: Any) -> Any:
        return await self._store.client.search(**query.arguments, **kwargs)

    async def _insert(self, nodes: list[dict[str, Any]], **kwargs: Any) -> list[str]:
        if isinstance(nodes, PlacedNodes):
            kwargs = {**nodes.arguments, **kwargs}
        write = self._store.client.upsert if self._store.upserts else self._store.client.insert
        result = await write(self._store.collection, nodes, **kwargs)
        return [str(one) for one in result["ids"]]

    async def _delete(self, ref_doc_id: str, **kwargs: Any) -> None:
        await self._store.client.delete(self._store.collection, filter=self._store.deletion(ref_doc_id), **kwargs)
