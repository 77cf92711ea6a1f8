"""Open stores: as many connections as asked for, the deadline and the retries that were set, and nothing changed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
import pytest
from pymilvus.exceptions import MilvusException

from loadgen.clients.outcomes import outcome_of
from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode, Outcome
from loadgen.milvus.server import EmbeddedServer
from loadgen.milvus.store import (
    StoreError,
    aclose_stores,
    close_stores,
    open_stores,
    to_node,
    to_query,
    warm_stores,
    warm_sync_stores,
)
from loadgen.milvus.store.opening import RETRIED
from loadgen.settings.model import Settings
from tests.integration.plain_clients import client_of
from tests.integration.store_support import count_connections, count_rows, frozen, prepare_for, settings_for

NAME = "store_open"
SHORT = 0.3


@pytest.fixture(params=["milvus", "lite"])
def settings(request: pytest.FixtureRequest) -> Settings:
    made = settings_for(request.getfixturevalue(f"{request.param}_uri"), NAME, rows=200)
    prepare_for(made)
    return made


@pytest.fixture(scope="module", autouse=True)
def _clean(milvus_uri: str, lite_uri: str) -> Iterator[None]:
    yield
    for uri in (milvus_uri, lite_uri):
        with client_of(uri) as client:
            client.drop_collection(NAME)


def run_async(settings: Settings, work: Callable[[list[Any]], Awaitable[None]]) -> None:
    async def main() -> None:
        stores = open_stores(settings, Mode.ASYNC)
        await warm_stores(stores)
        try:
            await work(stores)
        finally:
            await aclose_stores(stores)

    asyncio.run(main())


def query_of(settings: Settings) -> Any:
    return to_query(open_dataset(settings).queries()[0], settings)


def test_n_connections_are_n_tcp_connections_in_both_modes(settings: Settings) -> None:
    before = count_connections(settings.host)
    three = settings.model_copy(update={"connections": 3})
    stores = open_stores(three, Mode.SYNC)
    warm_sync_stores(stores)
    assert len(stores) == 3
    assert count_connections(settings.host) == before + 3
    close_stores(stores)
    close_stores(stores)

    async def use(stores: list[Any]) -> None:
        await asyncio.gather(*(store.aquery(query_of(three)) for store in stores for _ in range(8)))
        assert count_connections(settings.host) == before + 3

    run_async(three, use)


def test_a_collection_that_is_missing_is_told_and_not_made(settings: Settings) -> None:
    missing = settings.model_copy(update={"collection": "store_nowhere"})
    for mode in Mode:
        with pytest.raises(StoreError, match=r"no collection 'store_nowhere'.*the master or the local runner"):
            open_stores(missing, mode)
    with client_of(settings.host) as client:
        assert not client.has_collection("store_nowhere")


class Spy:
    """Wraps a gRPC method and keeps the requests."""

    def __init__(self, method: Any, seen: list[Any]) -> None:
        self._method, self._seen = method, seen

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._seen.append(kwargs["request"] if "request" in kwargs else args[0])
        return self._method(*args, **kwargs)

    def future(self, *args: Any, **kwargs: Any) -> Any:
        self._seen.append(kwargs["request"] if "request" in kwargs else args[0])
        return self._method.future(*args, **kwargs)


def spy_on(stub: Any) -> list[Any]:
    seen: list[Any] = []
    for name in ("Search", "Query", "Insert", "Upsert", "Delete"):
        setattr(stub, name, Spy(getattr(stub, name), seen))
    return seen


OPERATIONS = ["SearchRequest", "InsertRequest", "UpsertRequest", "QueryRequest", "DeleteRequest"]


def test_the_retries_are_set_for_every_operation_and_stay_out_of_the_requests(settings: Settings) -> None:
    rows = count_rows(settings.host, NAME)
    stream = open_dataset(settings).fresh_rows(1)
    (store,) = open_stores(settings.model_copy(update={"retries": 2}), Mode.SYNC)
    assert [getattr(store.client, name).keywords for name in RETRIED] == [{"retry_times": 2}] * 5
    seen = spy_on(store.client._handler._stub)
    node = to_node(next(stream))
    store.query(query_of(settings))
    store.add([node])
    store.upsert_mode = True
    store.add([node])
    assert node.ref_doc_id is not None
    store.delete(node.ref_doc_id)
    close_stores([store])
    assert [type(request).__name__ for request in seen] == OPERATIONS
    assert [request for request in seen if b"retry" in request.SerializeToString()] == []

    async def use(stores: list[Any]) -> None:
        seen = spy_on(stores[0].aclient._handler._async_stub)
        node = to_node(next(stream))
        await stores[0].aquery(query_of(settings))
        await stores[0].async_add([node])
        stores[0].upsert_mode = True
        await stores[0].async_add([node])
        await stores[0].adelete(node.ref_doc_id)
        assert [type(request).__name__ for request in seen] == OPERATIONS
        assert [request for request in seen if b"retry" in request.SerializeToString()] == []

    run_async(settings, use)
    assert count_rows(settings.host, NAME) == rows


def test_without_retries_a_failed_operation_is_sent_once(settings: Settings) -> None:
    (store,) = open_stores(settings, Mode.SYNC)
    seen = spy_on(store.client._handler._stub)

    def throttle(*_: Any, **__: Any) -> Any:
        seen.append("throttled")
        raise MilvusException(code=8, message="rate limit exceeded")

    store.client._handler._stub.Search = throttle
    with pytest.raises(MilvusException) as caught:
        store.query(query_of(settings))
    close_stores([store])
    assert seen == ["throttled"]
    assert outcome_of(caught.value) is Outcome.THROTTLED


def test_a_server_that_stops_answering_is_a_timeout_in_both_modes(lite: EmbeddedServer) -> None:
    settings = settings_for(lite.uri, NAME, rows=200)
    prepare_for(settings)
    hasty = settings.model_copy(update={"deadline": SHORT})
    stores = open_stores(hasty, Mode.SYNC)
    warm_sync_stores(stores)
    with frozen(lite._guardian.pid), pytest.raises((grpc.RpcError, MilvusException)) as caught:
        stores[0].query(query_of(hasty))
    close_stores(stores)
    assert "Deadline Exceeded" in str(caught.value)
    assert outcome_of(caught.value) is Outcome.TIMEOUT

    async def use(stores: list[Any]) -> None:
        with frozen(lite._guardian.pid), pytest.raises((grpc.RpcError, MilvusException)) as caught:
            await stores[0].aquery(query_of(hasty))
        assert outcome_of(caught.value) is Outcome.TIMEOUT

    run_async(hasty, use)
