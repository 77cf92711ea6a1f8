"""The proxy for faults before an echo server: what passes, when, and what does not."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from loadgen.milvus.fault_proxy import FaultProxy, ProxyError


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of a server that sends back what it receives."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(ConnectionError):  # which the proxy cuts
            while data := client.recv(65_536):
                client.sendall(data)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture(scope="module")
def proxy(echo: int) -> Iterator[FaultProxy]:
    made = FaultProxy(f"http://127.0.0.1:{echo}")
    yield made
    made.stop()
    with pytest.raises(ProxyError):
        made.tell("clear")


def connect(proxy: FaultProxy, timeout: float = 10.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(proxy.uri.rpartition(":")[2])), timeout=timeout)


def exchange(client: socket.socket, size: int) -> float:
    """Send bytes and receive them back; seconds."""
    data, got, begun = bytes(range(256)) * (size // 256), b"", time.perf_counter()
    threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
    while len(got) < len(data):
        part = client.recv(65_536)
        assert part
        got += part
    assert got == data
    return time.perf_counter() - begun


def test_bytes_pass_unchanged_and_latency_is_added_once(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        exchange(client, 1_048_576)
        proxy.tell("latency 0.2")
        assert exchange(client, 256) >= 0.2
        proxy.tell("clear")


def test_a_bandwidth_is_kept_to(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        proxy.tell("bandwidth 256000")
        assert exchange(client, 65_536) >= 65_536 / 256_000
        proxy.tell("clear")


def test_a_black_hole_holds_back_what_it_delivers_later(proxy: FaultProxy) -> None:
    with connect(proxy, timeout=0.3) as client:
        exchange(client, 256)
        proxy.tell("blackhole on")
        client.sendall(b"held")
        with pytest.raises(TimeoutError):
            client.recv(4)
        with connect(proxy), pytest.raises(TimeoutError):
            client.recv(4)
        proxy.tell("blackhole off")
        client.settimeout(10)
        assert client.recv(4) == b"held"


def test_a_cut_resets_connections_and_new_ones_are_accepted_or_refused(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        exchange(client, 256)
        proxy.tell("cut")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connect(proxy) as client:
        exchange(client, 256)
    proxy.tell("refuse on")
    with pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)
    proxy.tell("clear")


def test_an_order_that_it_does_not_know_is_an_error(proxy: FaultProxy) -> None:
    with pytest.raises(ProxyError, match="unknown"):
        proxy.tell("explode")
