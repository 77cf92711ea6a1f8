"""Memory and bytes of a process: asked of the kernel, summed over a phase and its processes."""

import math
import os
import socket
from pathlib import Path

import pytest

from loadgen.measure.health import Beat, Health
from loadgen.measure.usage import Usage, add_up
from loadgen.runtime.usage import Traffic, TrafficMeter, read_memory
from loadgen.settings.addresses import find_port


def pair(family: socket.AddressFamily, address: str) -> tuple[socket.socket, socket.socket, int]:
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen()
        port = listener.getsockname()[1]
        client = socket.create_connection((address, port))
        return client, listener.accept()[0], port


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_bytes_of_the_connections_to_a_port_are_counted_since_the_last_look(
    family: socket.AddressFamily, address: str
) -> None:
    client, server, port = pair(family, address)
    other, elsewhere, _ = pair(family, address)
    meter = TrafficMeter(lambda: {port})
    with client, server, other, elsewhere:
        assert meter.read() == Traffic(0, 0), "what went before is of an earlier phase"
        client.sendall(b"x" * 1000)
        assert server.recv(2000)
        server.sendall(b"y" * 300)
        assert client.recv(1000)
        other.sendall(b"z" * 5000)
        assert meter.read() == Traffic(1000, 300)
        assert meter.read() == Traffic(0, 0)


def test_a_new_connection_is_found_and_a_closed_one_forgotten() -> None:
    ports: set[int] = set()
    meter = TrafficMeter(lambda: ports)
    assert meter.read() is None
    client, server, port = pair(socket.AF_INET, "127.0.0.1")
    ports.add(port)
    with server, client:
        assert meter.read() == Traffic(0, 0)
    assert [meter.read() for _ in range(10)][-1] is None


def test_the_number_of_a_closed_connection_may_be_that_of_another() -> None:
    """Files are numbered anew: what another connection has carried is not this one's."""
    client, server, port = pair(socket.AF_INET, "127.0.0.1")
    meter = TrafficMeter(lambda: {port})
    with server:
        assert meter.read() == Traffic(0, 0)
        number = client.fileno()
        other, elsewhere, _ = pair(socket.AF_INET, "127.0.0.1")
        with other, elsewhere:
            other.sendall(b"z" * 5000)
            assert elsewhere.recv(9000)
            os.dup2(other.fileno(), number)
            assert meter.read() is None
        client.close()


def test_memory_is_pages_of_the_second_figure(tmp_path: Path) -> None:
    path = tmp_path / "statm"
    path.write_text("900 25 31 1 0 2 0\n")
    assert read_memory(path) == 25 * os.sysconf("SC_PAGE_SIZE")
    path.write_text("")
    assert math.isnan(read_memory(path))
    assert math.isnan(read_memory(tmp_path / "none"))
    assert read_memory() > 2**20


def test_processes_add_up_and_what_one_does_not_know_is_unknown() -> None:
    health = Health()
    for process, cpu, memory, sent in (("a", 0.05, 100.0, 10.0), ("a", 0.15, 300.0, 30.0), ("b", 0.1, 50.0, 5.0)):
        beat = Beat(1.0, cpu, 0.2, 0.001, 0.001, 3, memory=memory, sent=sent, received=2 * sent)
        health.add(beat, process)
    assert health.cores_used == pytest.approx(0.2 / 0.4 + 0.1 / 0.2)
    assert health.usage == pytest.approx((350.0, 40 / 0.4 + 5 / 0.2, 80 / 0.4 + 10 / 0.2))
    merged = Health()
    for name in ("a", "b"):
        merged.merge(health.processes[name].as_message(), name)
    assert merged.usage == pytest.approx(health.usage)
    merged.add(Beat(1.0, 0.1, 0.2, 0.001, 0.001, 3), "c")
    assert all(math.isnan(figure) for figure in merged.usage)
    assert all(math.isnan(figure) for figure in add_up([]))
    assert math.isnan(Health().cores_used)


def test_unknown_samples_do_not_count() -> None:
    usage = Usage()
    usage.add(0.1, math.nan, math.nan, math.nan)
    usage.add(0.1, 7.0, 3.0, 4.0)
    assert (usage.memory, usage.sent, usage.received, usage.watched) == (7.0, 3.0, 4.0, 0.1)


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("http://127.0.0.1:19531", 19531),
        ("http://milvus", 19530),
        ("https://vectors.example.com", 443),
        ("http://root:pw@[::1]:1234/db", 1234),
        ("unix:/run/milvus.sock", 0),
        ("", 0),
    ],
)
def test_the_port_of_an_address(address: str, port: int) -> None:
    assert find_port(address) == port
