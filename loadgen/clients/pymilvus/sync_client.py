"""The blocking twin: search, insert and delete of MilvusClient."""

from collections.abc import Sequence
from typing import Any

from loadgen.clients.pymilvus.store import PymilvusStore, SearchArguments, find_ids
from loadgen.clients.vector_client import SyncVectorClient
from loadgen.milvus.store import PlacedNodes


class SyncClient(SyncVectorClient):
    """One user's client over a connection of pymilvus."""

    _store: PymilvusStore

    def ids_of(self, result: Any) -> Sequence[str]:
        """The ids of all hits."""
        return find_ids(result)

    def _pymilvus_client(self) -> Any:
        return self._store.client

    def _search(self, query: SearchArguments, **kwargs: Any) -> Any:
        return self._store.client.search(**query.arguments, **kwargs)

    def _insert(self, nodes: list[dict[str, Any]], **kwargs: Any) -> list[str]:
        if isinstance(nodes, PlacedNodes):
            kwargs = {**nodes.arguments, **kwargs}
        write = self._store.client.upsert if self._store.upserts else self._store.client.insert
        result = write(self._store.collection, nodes, **kwargs)
        return [str(one) for one in result["ids"]]

    def _delete(self, ref_doc_id: str, **kwargs: Any) -> None:
        self._store.client.delete(self._store.collection, filter=self._store.deletion(ref_doc_id), **kwargs)
