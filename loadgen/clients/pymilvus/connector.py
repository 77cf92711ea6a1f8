"""Opens, asks and closes clients of pymilvus, and makes their searches and rows."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from pymilvus import AsyncMilvusClient, MilvusClient
from pymilvus.exceptions import MilvusException

from loadgen.clients.layers import ASKED_TOGETHER
from loadgen.clients.pymilvus.store import (
    DOC_ID,
    EMBEDDING,
    ID,
    TEXT,
    PymilvusStore,
    SearchArguments,
    find_doc_id_field,
    find_ids,
    narrow_search,
    prepare_search,
)
from loadgen.datasets import Narrowing, Row, SearchAnswer
from loadgen.measure.sample import Mode
from loadgen.milvus.store import PlacedNodes
from loadgen.milvus.store.arguments import connection_arguments, quiet_client_log
from loadgen.milvus.store.errors import StoreError
from loadgen.milvus.store.opening import COUNT, find_fingerprint, keep_channel, limit_retries, require_collection
from loadgen.milvus.store.patience import Patience
from loadgen.milvus.store.reaching import explain_failure
from loadgen.settings.model import Settings
from loadgen.settings.values import DENSE

logger = logging.getLogger("loadgen")


class ClientConnector:
    """Implements `Connector`."""

    can_send_several = True
    search_kinds: tuple[str, ...] = (DENSE,)

    def open(self, settings: Settings, mode: Mode) -> list[PymilvusStore]:
        """Open one client per connection. Raises StoreError."""
        quiet_client_log()
        stores: list[PymilvusStore] = []
        kind = MilvusClient if mode is Mode.SYNC else AsyncMilvusClient
        documents, is_by_key = find_doc_id_field(settings)
        try:
            with Patience(logger.warning).watching():
                require_collection(settings)
                for _ in range(settings.connections):
                    client = kind(**connection_arguments(settings, settings.deadline))
                    limit_retries(client, settings.retries)
                    stores.append(PymilvusStore(client, settings.collection, documents, is_by_key, settings.upsert))
        except (MilvusException, grpc.RpcError, ValueError) as error:
            if mode is Mode.SYNC:
                self.close(stores)
            raise StoreError(explain_failure("open", settings, error)) from error
        return stores

    def warm(self, stores: Sequence[PymilvusStore]) -> list[str]:
        """Connect the blocking clients, and load the schema."""
        result = [find_fingerprint(store.client.describe_collection(store.collection)) for store in stores]
        for store in stores:
            keep_channel(store.client)
        return result

    async def awarm(self, stores: Sequence[PymilvusStore]) -> list[str]:
        """Connect the async clients on the running loop, and load the schema."""
        asked = (store.client.describe_collection(store.collection) for store in stores)
        result = [find_fingerprint(described) for described in await asyncio.gather(*asked)]
        for store in stores:
            keep_channel(store.client)
        return result

    def close(self, stores: Sequence[PymilvusStore]) -> None:
        """Close the blocking clients."""
        for store in stores:
            if isinstance(store.client, MilvusClient):
                store.client.close()

    async def aclose(self, stores: Sequence[PymilvusStore]) -> None:
        """Close the async clients."""
        for store in stores:
            if isinstance(store.client, AsyncMilvusClient):
                await store.client.close()

    def make_query(self, vectors: Sequence[Any], settings: Settings, text: str = "") -> SearchArguments:  # noqa: ARG002
        """A search for the neighbours of some vectors."""
        return prepare_search(vectors, settings)

    def vary_query(self, query: SearchArguments, settings: Settings) -> SearchArguments:
        """The same search with other settings; both share the vectors."""
        return prepare_search(query.arguments["data"], settings)

    def narrow_query(self, query: SearchArguments, narrowing: Narrowing) -> SearchArguments:
        """The same search with a filter expression and a partition."""
        return narrow_search(query, narrowing)

    def place_nodes(self, nodes: list[Any], partition: str) -> PlacedNodes:
        """The rows with the partition into which `insert` puts them."""
        return PlacedNodes(nodes, {"partition_name": partition})

    def make_probe(self, row: Row, settings: Settings) -> SearchArguments:
        """The nearest neighbour of the row's vector among the rows with its id."""
        value = row.row_id if isinstance(row.row_id, int) else f'"{row.row_id}"'
        own = {"filter": f"{settings.id_field or ID} == {value}", "limit": 1}
        return SearchArguments({**prepare_search([row.vector], settings).arguments, **own})

    def make_node(self, row: Row, settings: Settings) -> dict[str, Any]:
        """A row with the fields of the collection."""
        fields = {
            settings.id_field or ID: row.row_id,
            settings.embedding_field or EMBEDDING: row.vector,
        }
        if text := settings.text_field or ("" if settings.existing else TEXT):
            fields[text] = row.text
        if doc_id := settings.doc_id_field or ("" if settings.existing else DOC_ID):
            fields[doc_id] = row.source
        return row.metadata | fields

    def ask(self, store: PymilvusStore, queries: Sequence[SearchArguments]) -> list[SearchAnswer]:
        """The answers, on some threads. Raises what `search` raises."""
        with ThreadPoolExecutor(ASKED_TOGETHER, "loadgen-asking") as threads:
            return [_answer(each) for each in threads.map(lambda one: store.client.search(**one.arguments), queries)]

    async def aask(self, store: PymilvusStore, queries: Sequence[SearchArguments]) -> list[SearchAnswer]:
        """The same with an async client, on its loop."""
        places = asyncio.Semaphore(ASKED_TOGETHER)

        async def ask(query: SearchArguments) -> Any:
            async with places:
                return await store.client.search(**query.arguments)

        return [_answer(each) for each in await asyncio.gather(*(ask(query) for query in queries))]

    def count(self, store: PymilvusStore) -> int:
        """Number of rows according to the blocking client."""
        return int(store.client.query(store.collection, **COUNT)[0]["count(*)"])

    async def acount(self, store: PymilvusStore) -> int:
        """Number of rows according to the async client."""
        return int((await store.client.query(store.collection, **COUNT))[0]["count(*)"])


def _answer(result: Any) -> SearchAnswer:
    return SearchAnswer(tuple(find_ids(result)), tuple(hit["distance"] for hits in result for hit in hits))
