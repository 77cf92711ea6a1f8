"""Opens, asks and closes MilvusVectorStores, and makes their queries and nodes."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryResult
from llama_index.vector_stores.milvus import MilvusVectorStore

from loadgen.clients.layers import ASKED_TOGETHER, Vector
from loadgen.datasets import Narrowing, Row, SearchAnswer
from loadgen.measure.sample import Mode
from loadgen.milvus.store import (
    NarrowedQuery,
    PlacedNodes,
    aclose_stores,
    close_stores,
    narrow_query,
    open_stores,
    place_nodes,
    to_node,
    to_probe,
    to_query,
    vary_query,
    warm_stores,
    warm_sync_stores,
    without_own_fields,
)
from loadgen.milvus.store.opening import COUNT, async_client_of
from loadgen.settings.model import Settings
from loadgen.settings.values import SEARCH_KINDS


class StoreConnector:
    """Implements `Connector`."""

    can_send_several = False
    search_kinds: tuple[str, ...] = SEARCH_KINDS

    def open(self, settings: Settings, mode: Mode) -> list[MilvusVectorStore]:
        """Open one store per connection. Raises StoreError."""
        return open_stores(settings, mode)

    def warm(self, stores: Sequence[MilvusVectorStore]) -> list[str]:
        """Connect the blocking clients."""
        return warm_sync_stores(stores)

    async def awarm(self, stores: Sequence[MilvusVectorStore]) -> list[str]:
        """Connect the async clients."""
        return await warm_stores(stores)

    def close(self, stores: Sequence[MilvusVectorStore]) -> None:
        """Close the blocking clients."""
        close_stores(stores)

    async def aclose(self, stores: Sequence[MilvusVectorStore]) -> None:
        """Close the async clients."""
        await aclose_stores(stores)

    def make_query(self, vectors: Sequence[Vector], settings: Settings, text: str = "") -> VectorStoreQuery:
        """The search for the nearest neighbours of the first vector (dim,), or what its kind makes of it."""
        return to_query(vectors[0], settings, text)

    def vary_query(self, query: VectorStoreQuery, settings: Settings) -> VectorStoreQuery:
        """The same search with other settings; both share the vector."""
        return vary_query(query, settings)

    def narrow_query(self, query: VectorStoreQuery, narrowing: Narrowing) -> NarrowedQuery:
        """The same search with `MetadataFilters`, where they can express the filter, and the partition."""
        return narrow_query(query, narrowing)

    def place_nodes(self, nodes: list[Any], partition: str) -> PlacedNodes:
        """The nodes with the partition into which `add` puts them."""
        return place_nodes(nodes, partition)

    def make_probe(self, row: Row, settings: Settings) -> VectorStoreQuery:
        """The nearest neighbour of the row's vector among the nodes with its id."""
        return to_probe(row, settings)

    def make_node(self, row: Row, settings: Settings) -> Any:
        """A TextNode with its document."""
        return to_node(without_own_fields(row) if settings.existing else row)

    def ask(self, store: MilvusVectorStore, queries: Sequence[VectorStoreQuery]) -> list[SearchAnswer]:
        """The store's answers, on some threads. Raises what `query` raises."""
        with ThreadPoolExecutor(ASKED_TOGETHER, "loadgen-asking") as threads:
            asked = threads.map(lambda query: store.query(query, **_arguments(query)), queries)
            return [_answer(result) for result in asked]

    async def aask(self, store: MilvusVectorStore, queries: Sequence[VectorStoreQuery]) -> list[SearchAnswer]:
        """The same with `aquery`, on the loop of the store."""
        places = asyncio.Semaphore(ASKED_TOGETHER)

        async def ask(query: VectorStoreQuery) -> VectorStoreQueryResult:
            async with places:
                return await store.aquery(query, **_arguments(query))

        return [_answer(result) for result in await asyncio.gather(*(ask(query) for query in queries))]

    def count(self, store: MilvusVectorStore) -> int:
        """Number of rows according to the blocking client."""
        return int(store.client.query(store.collection_name, **COUNT)[0]["count(*)"])

    async def acount(self, store: MilvusVectorStore) -> int:
        """Number of rows according to the async client."""
        return int((await async_client_of(store).query(store.collection_name, **COUNT))[0]["count(*)"])


def _arguments(query: VectorStoreQuery) -> Mapping[str, Any]:
    return query.arguments if isinstance(query, NarrowedQuery) else {}


def _answer(result: VectorStoreQueryResult) -> SearchAnswer:
    return SearchAnswer(tuple(map(str, result.ids or ())), tuple(result.similarities or ()))
