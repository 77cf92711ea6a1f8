"""The replaying server in front of a real one: Milvus Lite, over gRPC, as a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import grpc
import psutil
import pytest
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import VectorStoreQuery
from pymilvus.exceptions import MilvusException

from loadgen.datasets import open_dataset
from loadgen.datasets.synthetic import SyntheticDataset
from loadgen.measure.sample import Mode
from loadgen.milvus.server import EmbeddedServer, ServerError, start_server
from loadgen.milvus.server.replay import ReplayServer, is_good, passed_on
from loadgen.milvus.store import close_stores, open_stores, prepare, to_node, to_query
from loadgen.settings.model import Settings
from tests.integration.plain_clients import client_of
from tests.integration.server_support import count, wait_until

ROWS = 40
COLLECTION = "replay_test"


@pytest.fixture
def upstream() -> Iterator[EmbeddedServer]:
    server = start_server("lite", tell=print)
    yield server
    server.stop()


@pytest.fixture
def settings(upstream: EmbeddedServer) -> Settings:
    """Of a prepared collection."""
    given = {"host": upstream.uri, "collection": COLLECTION, "dim": 8, "rows": ROWS, "index_type": "FLAT", "top_k": 3}
    settings = Settings.parse(given | {"consistency": "Strong"})
    assert prepare(settings, open_dataset(settings), print).rows == ROWS
    return settings


@pytest.fixture
def replay(upstream: EmbeddedServer) -> Iterator[ReplayServer]:
    with ReplayServer(upstream.uri) as server:
        yield server


def search(settings: Settings, uri: str, *rows: int) -> list[tuple[list[str], list[float]]]:
    """Ids and similarities that a search with the vector of each of these rows gets."""
    queries = [to_query(open_dataset(settings).vectors(row, row + 1)[0], settings) for row in rows]
    return [ask(settings, uri, query) for query in queries]


def ask(settings: Settings, uri: str, query: VectorStoreQuery) -> tuple[list[str], list[float]]:
    stores = open_stores(settings.model_copy(update={"host": uri}), Mode.SYNC)
    try:
        result = stores[0].query(query)
    finally:
        close_stores(stores)
    assert result.ids is not None
    assert result.similarities is not None
    return result.ids, result.similarities


def test_every_search_gets_the_first_real_reply(settings: Settings, replay: ReplayServer) -> None:
    first, other = search(settings, settings.host, 1, 2)
    assert first[0][0] == open_dataset(settings).row_id(1)
    assert first[0] != other[0]
    assert search(settings, replay.uri, 1, 2, 3) == [first, first, first]


def test_searches_are_answered_when_the_server_behind_is_gone_and_nothing_else_is(
    upstream: EmbeddedServer, settings: Settings, replay: ReplayServer
) -> None:
    with client_of(replay.uri) as client:
        vectors = open_dataset(settings).vectors(0, 2).tolist()
        kept = client.search(COLLECTION, [vectors[0]], limit=1)[0][0]["id"]
        assert kept == open_dataset(settings).row_id(0)
        upstream.stop()
        assert client.search(COLLECTION, [vectors[1]], limit=1)[0][0]["id"] == kept
        with pytest.raises(MilvusException) as caught:
            client.list_collections(timeout=2)
    cause = caught.value.__cause__
    assert cause is None or not isinstance(cause, grpc.Call) or cause.code() is grpc.StatusCode.UNAVAILABLE


def test_only_the_first_insert_reaches_the_server_and_the_store_is_not_confused(
    settings: Settings, replay: ReplayServer
) -> None:
    stream = open_dataset(settings).fresh_rows(0)
    stores = open_stores(settings.model_copy(update={"host": replay.uri}), Mode.SYNC)
    try:
        for size in (2, 1, 5):
            nodes: list[BaseNode] = [to_node(next(stream)) for _ in range(size)]
            assert stores[0].add(nodes) == [node.node_id for node in nodes]
    finally:
        close_stores(stores)
    with client_of(settings.host) as direct, client_of(replay.uri) as client:
        assert count(direct, COLLECTION) == ROWS + 2
        direct.insert(COLLECTION, _rows(settings, 3))
        assert count(client, COLLECTION) == ROWS + 5  # counting goes through each time


def _rows(settings: Settings, number: int) -> list[dict[str, object]]:
    vectors = SyntheticDataset(settings).fresh(number, stream=9).vectors.tolist()
    return [{"id": f"{row}", "doc_id": "x", "text": "", "embedding": vector} for row, vector in enumerate(vectors)]


def test_a_refused_search_is_handed_on_and_not_kept(settings: Settings, replay: ReplayServer) -> None:
    vector = open_dataset(settings).vectors(5, 6).tolist()
    with client_of(replay.uri) as client:
        for _ in range(2):
            with pytest.raises(MilvusException):
                client.search(COLLECTION, [[1.0, 2.0]], limit=1)  # the dimension is wrong
        assert client.search(COLLECTION, vector, limit=1)[0][0]["id"] == open_dataset(settings).row_id(5)
        assert client.search(COLLECTION, [[1.0, 2.0]], limit=1)[0][0]["id"] == open_dataset(settings).row_id(5)


def test_methods_that_are_not_asked_for_are_not_replayed(upstream: EmbeddedServer, settings: Settings) -> None:
    first, other = search(settings, settings.host, 1, 2)
    with ReplayServer(upstream.uri, methods=["Insert"]) as server:
        assert search(settings, server.uri, 1, 2) == [first, other]


STARTER = """
import sys, time
from loadgen.milvus.server.replay import ReplayServer
server = ReplayServer("http://127.0.0.1:9")
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_process_that_started_it(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        server = psutil.Process(int(starter.stdout.readline()))
        assert "loadgen.milvus.server.replay" in server.cmdline()
        os.kill(starter.pid, number)
    assert wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, 5)


def test_stopping_it_twice_is_harmless() -> None:
    server = ReplayServer("http://127.0.0.1:9")
    assert server.running
    server.stop()
    server.stop()
    assert not server.running


def test_methods_that_cannot_be_replayed_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ServerError, match="did not start"):
        ReplayServer("http://127.0.0.1:9", methods=["Search", "Flush"])
    assert "Flush cannot be replayed" in capfd.readouterr().err


def test_metadata_goes_on_without_what_belongs_to_a_connection() -> None:
    given = (
        ("user-agent", "grpc-python"),
        ("grpc-timeout", "1S"),
        ("dbname", "default"),
        ("authorization", "dG9rZW4="),
    )
    assert passed_on(given) == (("dbname", "default"), ("authorization", "dG9rZW4="))
    assert passed_on(None) == ()


def test_a_reply_is_good_unless_its_status_has_a_code() -> None:
    from pymilvus.grpc_gen import common_pb2, milvus_pb2

    old, new = common_pb2.Status(error_code=1), common_pb2.Status(code=100)
    assert is_good("Search", b"")
    assert not is_good("Search", milvus_pb2.SearchResults(status=old).SerializeToString())
    assert not is_good("Insert", milvus_pb2.MutationResult(status=new).SerializeToString())
