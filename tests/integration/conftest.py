"""Servers that the integration tests share: one real standalone and one Milvus Lite, started once."""

import os
import socket
from collections.abc import Iterator

import pytest
from pymilvus import MilvusClient

from loadgen.milvus.proxies import EXCEPTIONS
from loadgen.milvus.server import EmbeddedServer, start_server
from loadgen.settings.conflicts import LEASES
from tests.conftest import shares
from tests.integration.forked import command_parent
from tests.integration.locust_command import SEARCHED, kill, started
from tests.integration.plain_clients import client_of

# The tests' own clients reach loopback without a proxy wherever they run; the tests of proxies undo it.
os.environ.update(dict.fromkeys(EXCEPTIONS, "127.0.0.1,localhost,::1"))
# How often Milvus looks for what is loaded, in ms (1,000 and 500 by default): a preparation takes 5 s, not 12.
INTERVALS = ("CHECKINTERVAL", "CHECKSEGMENTINTERVAL", "CHECKCHANNELINTERVAL", "DISTPULLINTERVAL")
os.environ.update({f"QUERYCOORD_{name}": "100" for name in INTERVALS})
# For how long rows may still be given to a segment, in ms (2,000 by default): a flush waits for that.
os.environ["DATACOORD_SEGMENT_ASSIGNMENTEXPIRATION"] = "100"
# The standalone's own spans, in its log, of requests that send a sampled trace context and of no other.
os.environ.update({"TRACE_EXPORTER": "stdout", "TRACE_SAMPLEFRACTION": "0"})


@pytest.fixture(scope="session", autouse=True)
def _parent_ends() -> Iterator[None]:
    """The process that forks commands ends in order."""
    yield
    if command_parent.cache_info().currsize:
        command_parent().end()


@pytest.fixture(autouse=True)
def _commands_end() -> Iterator[None]:
    """No command outlives the test that has started it, also where the test fails."""
    before = len(started)
    yield
    for process in started[before:]:
        kill(process)
    del started[before:]


cleaners: list[MilvusClient] = []
"""A client of the real standalone, once it has been started."""


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Drop the collections of a test, or of a file whose tests share some, from the real standalone.

    Each one that is loaded takes half a hundredth of a core until the last test has ended.
    """
    place = item.nodeid.partition("::")[0]
    if nextitem is not None and nextitem.nodeid.startswith(place) and shares(item.nodeid):
        return
    for client in cleaners:
        for name in client.list_collections():
            if name not in (SEARCHED, LEASES):
                client.drop_collection(name)


@pytest.fixture(scope="session")
def milvus() -> Iterator[EmbeddedServer]:
    """The real standalone."""
    server = start_server("milvus", tell=print)
    with client_of(server.uri) as client:
        cleaners.append(client)
        yield server
        cleaners.clear()
    server.stop()


@pytest.fixture(scope="session")
def lite() -> Iterator[EmbeddedServer]:
    """Milvus Lite, over TCP."""
    server = start_server("lite", tell=print)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def milvus_uri(milvus: EmbeddedServer) -> str:
    return milvus.uri


@pytest.fixture(scope="session")
def lite_uri(lite: EmbeddedServer) -> str:
    return lite.uri


@pytest.fixture
def free_port() -> int:
    """A TCP port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
