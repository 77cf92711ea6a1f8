"""The asyncio twin: search, insert and delete over plain gRPC."""

from collections.abc import Sequence
from typing import Any

from loadgen.clients.vector_client import AsyncVectorClient
from loadgen.clients.wire.answers import Hits, Written, text_ids
from loadgen.clients.wire.searches import PreparedSearch
from loadgen.clients.wire.store import AsyncStore
from loadgen.milvus.store import PlacedNodes


class AsyncClient(AsyncVectorClient):
    """One user's client over a connection."""

    _store: AsyncStore

    def ids_of(self, result: Hits) -> Sequence[str]:
        """The ids of all hits."""
        return text_ids(result.ids)

    async def _search(self, query: PreparedSearch, **kwargs: Any) -> Hits:
        hits: Hits = await self._store.search(self._store.encode(query, kwargs), **kwargs)
        return hits

    async def _insert(self, nodes: list[dict[str, Any]], **kwargs: Any) -> list[str]:
        if isinstance(nodes, PlacedNodes):
            kwargs = {**nodes.arguments, **kwargs}
        written: Written = await self._store.insert(self._store.encode_rows(nodes, kwargs), **kwargs)
        self._store.note_write(written.timestamp)
        return written.ids

    async def _delete(self, ref_doc_id: str, **kwargs: Any) -> None:
        written: Written = await self._store.delete(self._store.encode_deletion(ref_doc_id, kwargs), **kwargs)
        self._store.note_write(written.timestamp)
