"""The blocking twin: `query`, `add` and `delete` of MilvusVectorStore."""

from collections.abc import Sequence
from typing import Any

from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryResult
from llama_index.vector_stores.milvus import MilvusVectorStore

from loadgen.clients.vector_client import SyncVectorClient
from loadgen.milvus.store import NarrowedQuery, PlacedNodes


class SyncClient(SyncVectorClient):
    """One user's client over a MilvusVectorStore."""

    _store: MilvusVectorStore

    def ids_of(self, result: VectorStoreQueryResult) -> Sequence[str]:
        """The ids of the nodes."""
        return result.ids or ()

    def _pymilvus_client(self) -> Any:
        return self._store.client

    def _search(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        if isinstance(query, NarrowedQuery):
            kwargs = {**query.arguments, **kwargs}
        return self._store.query(query, **kwargs)

    def _insert(self, nodes: list[BaseNode], **kwargs: Any) -> list[str]:
        if isinstance(nodes, PlacedNodes):
            kwargs = {**nodes.arguments, **kwargs}
        return self._store.add(nodes, **kwargs)

    def _delete(self, ref_doc_id: str, **kwargs: Any) -> None:
        self._store.delete(ref_doc_id, **kwargs)
