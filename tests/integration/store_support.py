"""What the tests of the store share: settings for a server, collections of other people, servers that misbehave."""

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from loadgen.datasets import open_dataset
from loadgen.milvus.server import standalone
from loadgen.milvus.server.ports import PORTS, reserve_ports
from loadgen.milvus.store import Prepared, prepare
from loadgen.settings.model import Settings
from tests.integration.plain_clients import client_of, open_store

ROWS = 1_200
START_SECONDS = 60.0


def settings_for(uri: str, collection: str, **given: Any) -> Settings:
    """Few rows of few dimensions, searched exactly."""
    small = {"host": uri, "collection": collection, "rows": ROWS, "dim": 16, "index_type": "FLAT", "connections": 1}
    return Settings.parse(small | {"consistency": "Strong"} | given)


def prepare_for(settings: Settings, tell: Callable[[str], None] = print) -> Prepared:
    """The collection that these settings ask for."""
    return prepare(settings, open_dataset(settings), tell)


def drop(uri: str, *names: str) -> None:
    """Drop these collections."""
    with client_of(uri) as client:
        for name in names:
            client.drop_collection(name)


def count_rows(uri: str, collection: str) -> int:
    """What the server counts at this moment."""
    with client_of(uri) as client:
        result = client.query(collection, filter="", output_fields=["count(*)"], consistency_level="Strong")
        return int(result[0]["count(*)"])


def make_foreign(uri: str, collection: str, dim: int, rows: int) -> None:
    """A collection that another program has made and filled."""
    from llama_index.core.schema import BaseNode, TextNode

    nodes: list[BaseNode] = [
        TextNode(id_=f"foreign{number}", text="f", embedding=[float(number + 1)] * dim) for number in range(rows)
    ]
    store = open_store(uri, collection, dim=dim, overwrite=True, use_async_client=False)
    store.add(nodes)
    store.client.close()


def count_connections(uri: str) -> int:
    """Established TCP connections of this process to a server, when the number has kept still for half a second."""
    counts = [-1]
    while len(counts) < 7 or (len(counts) < 100 and len(set(counts[-6:])) > 1):
        time.sleep(0.1)  # gRPC closes connections in the background
        counts.append(_count_now(int(uri.rpartition(":")[2])))
    return counts[-1]


def _count_now(port: int) -> int:
    own = psutil.Process().net_connections("tcp")
    return sum(1 for one in own if one.raddr and one.raddr.port == port and one.status == psutil.CONN_ESTABLISHED)


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """The address of a socket that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process that the test has started, with its children, and let it go on afterwards."""
    stopped = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in reversed(stopped):
            process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def guarded_milvus(data: Path) -> Iterator[str]:
    """The address of a real standalone that wants a token: root:Milvus."""
    with reserve_ports(0, len(PORTS)) as ports:
        numbers = dict(zip(PORTS, ports.numbers, strict=True))
        program, environment = standalone.prepare(data, numbers)
        config = data / "configs" / "milvus.yaml"
        text = config.read_text()
        assert "authorizationEnabled: false" in text
        config.write_text(text.replace("authorizationEnabled: false", "authorizationEnabled: true"))
        with (data / "server.log").open("wb") as log:
            command = [str(program), "run", "standalone"]
            server = subprocess.Popen(command, env=environment, cwd=data, stdout=log, stderr=log)
        uri = f"http://127.0.0.1:{numbers['proxy']}"
        try:
            _await_token(uri, server)
            yield uri
        finally:
            server.kill()
            server.wait()


def _await_token(uri: str, server: "subprocess.Popen[bytes]") -> None:
    end = time.perf_counter() + START_SECONDS
    while True:
        assert server.poll() is None, "the guarded server has ended"
        with contextlib.suppress(Exception):
            with client_of(uri, token="root:Milvus", timeout=2) as client:
                client.list_collections(timeout=2)
            return
        assert time.perf_counter() < end, "the guarded server does not answer"
        time.sleep(0.3)
