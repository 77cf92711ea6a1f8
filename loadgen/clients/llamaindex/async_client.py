"""The asyncio twin: `aquery`, `async_add` and `adelete` of MilvusVectorStore."""

from typing import Any

from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryResult

from loadgen.clients.llamaindex.store_client import StoreClient
from loadgen.measure.sample import Mode


class AsyncClient(StoreClient):
    """One user's client. A failed operation is a sample with its outcome, and None here; nothing is raised."""

    mode = Mode.ASYNC

    async def search(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult | None:
        """Find the nearest neighbours; the sample's rows are the hits. Further arguments are the store's."""
        token = self.begin("search")
        try:
            result = await self._store.aquery(query, **kwargs)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error)
            return None
        self.end(token, len(result.ids or ()))
        self._checks.keep(query, result.ids)
        return result

    async def insert(self, nodes: list[BaseNode], **kwargs: Any) -> list[str] | None:
        """Add nodes; the sample's rows are the nodes. Returns their ids. Further arguments are the store's."""
        self._permit("insert")
        self._checks.spoil()
        token = self.begin("insert")
        try:
            ids: list[str] = await self._store.async_add(nodes, **kwargs)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error)
            return None
        self.end(token, len(ids))
        return ids

    async def delete(self, ref_doc_id: str, **kwargs: Any) -> None:
        """Delete the nodes of one document; the store does not report how many, so the sample's rows are 1."""
        self._permit("delete")
        self._checks.spoil()
        token = self.begin("delete")
        try:
            await self._store.adelete(ref_doc_id, **kwargs)
        except BaseException as error:  # noqa: BLE001
            self.fail(token, error)
        else:
            self.end(token, 1)
