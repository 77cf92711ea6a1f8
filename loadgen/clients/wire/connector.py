"""Opens, asks and closes connections, and makes their searches; rows are those of the layer of pymilvus."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from pymilvus.exceptions import MilvusException

from loadgen.clients.layers import ASKED_TOGETHER
from loadgen.clients.pymilvus.connector import ClientConnector
from loadgen.clients.pymilvus.store import EMBEDDING, ID
from loadgen.clients.wire.answers import Hits, text_ids
from loadgen.clients.wire.searches import PreparedSearch, SearchSpec, make_search
from loadgen.clients.wire.store import AsyncStore, SyncStore
from loadgen.datasets import Narrowing, Row, SearchAnswer
from loadgen.measure.sample import Mode
from loadgen.milvus.store.arguments import quiet_client_log
from loadgen.milvus.store.errors import StoreError
from loadgen.milvus.store.opening import require_collection
from loadgen.milvus.store.patience import Patience
from loadgen.milvus.store.reaching import explain_failure
from loadgen.settings.filter_grammar import write_filter
from loadgen.settings.model import Settings

logger = logging.getLogger("loadgen")


class WireConnector(ClientConnector):
    """Implements `Connector`."""

    def open(self, settings: Settings, mode: Mode) -> list[Any]:
        """One store per connection, none of them connected yet. Raises StoreError."""
        quiet_client_log()
        kind = SyncStore if mode is Mode.SYNC else AsyncStore
        with _explaining(settings), Patience(logger.warning).watching():
            require_collection(settings)
            return [kind(settings) for _ in range(settings.connections)]

    def warm(self, stores: Sequence[Any]) -> list[str]:
        """Connect the blocking ones, and load the schema."""
        with _explaining(stores[0].settings):
            return [store.connect() for store in stores]

    async def awarm(self, stores: Sequence[Any]) -> list[str]:
        """Connect the async ones on the running loop, and load the schema."""
        with _explaining(stores[0].settings):
            return list(await asyncio.gather(*(store.connect() for store in stores)))

    def close(self, stores: Sequence[Any]) -> None:
        """Close the blocking ones."""
        for store in stores:
            if isinstance(store, SyncStore):
                store.close()

    async def aclose(self, stores: Sequence[Any]) -> None:
        """Close the async ones."""
        for store in stores:
            if isinstance(store, AsyncStore):
                await store.close()

    def make_query(self, vectors: Sequence[Any], settings: Settings, text: str = "") -> Any:  # noqa: ARG002
        """A search for the neighbours of some vectors."""
        return make_search(SearchSpec.of(settings), vectors)

    def vary_query(self, query: Any, settings: Settings) -> Any:
        """The same search with other settings; both share the vectors."""
        return make_search(SearchSpec.of(settings), query.vectors)

    def narrow_query(self, query: Any, narrowing: Narrowing) -> Any:
        """The same search with a filter expression and a partition."""
        expression = write_filter(narrowing.expression) if narrowing.expression else narrowing.text
        return make_search(query.template.spec, query.vectors, expression, narrowing.partition)

    def make_probe(self, row: Row, settings: Settings) -> Any:
        """The nearest neighbour of the row's vector among the rows with its id."""
        value = row.row_id if isinstance(row.row_id, int) else f'"{row.row_id}"'
        spec = SearchSpec.of(settings)._replace(limit=1)
        return make_search(spec, [row.vector], f"{settings.id_field or ID} == {value}")

    def make_node(self, row: Row, settings: Settings) -> dict[str, Any]:
        """A row with the fields of the collection, its vector as an array."""
        node = super().make_node(row, settings)
        field = settings.embedding_field or EMBEDDING
        if isinstance(node[field], list):
            node[field] = np.asarray(node[field], dtype=np.float32)
        return node

    def ask(self, store: Any, queries: Sequence[Any]) -> list[SearchAnswer]:
        """The answers, on some threads. Raises what `search` raises."""
        with ThreadPoolExecutor(ASKED_TOGETHER, "loadgen-asking") as threads:
            return [_answer(each) for each in threads.map(lambda one: store.search(store.encode(one, {})), queries)]

    async def aask(self, store: Any, queries: Sequence[Any]) -> list[SearchAnswer]:
        """The same with an async store, on its loop."""
        places = asyncio.Semaphore(ASKED_TOGETHER)

        async def ask(query: PreparedSearch) -> Hits:
            async with places:
                hits: Hits = await store.search(store.encode(query, {}))
                return hits

        return [_answer(hits) for hits in await asyncio.gather(*(ask(query) for query in queries))]

    def count(self, store: Any) -> int:
        """Number of rows according to a blocking store."""
        return int(store.count(store.encode_count()))

    async def acount(self, store: Any) -> int:
        """Number of rows according to an async store."""
        return int(await store.count(store.encode_count()))


@contextmanager
def _explaining(settings: Settings) -> Iterator[None]:
    """Raise StoreError, with a remedy, for what the server or gRPC says."""
    try:
        yield
    except (MilvusException, grpc.RpcError, ValueError) as error:
        raise StoreError(explain_failure("open", settings, error)) from error


def _answer(hits: Hits) -> SearchAnswer:
    return SearchAnswer(tuple(text_ids(hits.ids)), tuple(hits.scores))
