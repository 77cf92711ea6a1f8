"""Embedded servers of both kinds: they answer, they keep apart, and they end with whoever started them."""

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal
from urllib.request import urlopen

import psutil
import pytest
from pymilvus import MilvusException

from loadgen.milvus.server import EmbeddedServer, RefusedError, ServerError, start_server
from loadgen.milvus.server.ports import Reservation, reserve_ports
from loadgen.milvus.server.sessions import forget_sessions
from tests.integration.plain_clients import client_of
from tests.integration.server_support import (
    are_gone,
    count,
    fill,
    listening_ports,
    nearest,
    open_ports,
    processes_below,
    wait_until,
)

Kind = Literal["milvus", "lite"]
Start = Callable[..., EmbeddedServer]
OPEN_FILES = Path("/proc/self/fd")
RUN = """
import os, sys, threading, time
from loadgen.milvus.server import start_server
servers = []
thread = threading.Thread(target=lambda: servers.append(start_server(sys.argv[1], tell=lambda line: None)))
thread.start(); thread.join()
if len(sys.argv) > 2 and os.fork() == 0:
    print(servers[0].running, flush=True); servers[0].stop(); time.sleep(60); os._exit(0)
time.sleep(1); print(servers[0].running, servers[0].log, flush=True); time.sleep(60)
"""
"""A run that starts a server from a thread that ends, and, with a second argument, forks a child that goes on."""


@pytest.fixture(params=["milvus", "lite"])
def kind(request: pytest.FixtureRequest) -> Kind:
    result: Kind = request.param
    return result


@pytest.fixture
def start() -> Iterator[Start]:
    """`start_server`, and an end for whatever it started."""
    servers: list[EmbeddedServer] = []

    def begin(kind: Kind, *, data: Path | None = None) -> EmbeddedServer:
        servers.append(start_server(kind, data=data, tell=print))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


def server_of(guardians: list[psutil.Process]) -> psutil.Process:
    """The server itself, the last in the line of children."""
    return guardians[-1]


def holds_all(client: Any, name: str) -> bool:
    """Whether a filled collection is loaded and has all its rows."""
    with contextlib.suppress(MilvusException):
        return (count(client, name), nearest(client, name)) == (20, 7)
    return False


def test_a_server_that_is_ready_serves_at_once_and_leaves_nothing_behind(kind: Kind) -> None:
    heard: list[str] = []
    before = set(processes_below())
    server = start_server(kind, tell=heard.append)
    try:
        processes = [process for process in processes_below() if process not in before]
        assert len(processes) == 2
        assert server.kind == kind
        assert server.running
        assert str(server.log.parent) in heard[0]
        with client_of(server.uri) as client:
            fill(client, "ready")
            assert (count(client, "ready"), nearest(client, "ready")) == (20, 7)
        if server.metrics_uri:
            with urlopen(server.metrics_uri) as answer:  # noqa: S310 - a server of this test's own
                assert b"milvus_proxy_req_count{" in answer.read()
        assert (server.metrics_uri is None) == (kind == "lite")
    finally:
        server.stop()
    assert are_gone(processes)
    assert not server.log.parent.exists()
    assert not server.running
    server.stop()


def test_a_server_is_paused_and_killed_and_comes_back_with_its_rows_at_its_address(kind: Kind) -> None:
    server = start_server(kind, tell=lambda _: None)
    try:
        with client_of(server.uri) as client:
            fill(client, "kept")
            server.pause()
            with pytest.raises(Exception, match="Deadline"):
                client.query("kept", filter="", output_fields=["count(*)"], timeout=0.5)
            server.resume()
            assert count(client, "kept") == 20
            server.kill()
            assert server.running, "the run has killed it and may start it again"
            assert not server.listens()
            server.restart()
            assert wait_until(lambda: holds_all(client, "kept"), 60), (
                "Milvus answers before it has loaded its collections again"
            )
        with pytest.raises(ServerError, match="could not be started again"):
            server.restart()
    finally:
        server.stop()
    assert not server.log.parent.exists()


def test_two_servers_that_start_at_once_do_not_meet_and_say_what_others_reach(
    kind: Kind, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(processes_below())
    with ThreadPoolExecutor(2) as pool:
        servers = list(pool.map(start, [kind, kind]))
    for number, server in enumerate(servers):
        with client_of(server.uri) as client:
            fill(client, f"of_{number}")
            assert client.list_collections() == [f"of_{number}"]
    processes = [process for process in processes_below() if process not in before]
    ports = [listening_ports(process) for process in processes if listening_ports(process)]
    assert [len(each) for each in ports] == [11 if kind == "milvus" else 1] * 2
    assert not ports[0] & ports[1]
    listed = re.findall(r"on all interfaces without a login \(ports ([\d, ]+)\)", capsys.readouterr().out)
    said = {int(port) for some in listed for port in some.split(", ")}
    assert said == {port for process in processes for port in open_ports(process)}


def test_a_run_that_is_killed_leaves_no_server_behind(kind: Kind) -> None:
    with subprocess.Popen([sys.executable, "-c", RUN, kind], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        running, log = run.stdout.readline().split()
        processes = processes_below(run.pid)
        assert (running, len(processes), Path(log).exists()) == ("True", 2, True)
        run.kill()
    assert wait_until(lambda: are_gone(processes), 10)
    assert not Path(log).parent.exists()


def test_a_forked_child_of_a_killed_run_neither_keeps_nor_stops_the_server() -> None:
    with subprocess.Popen([sys.executable, "-c", RUN, "lite", "fork"], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert run.stdout.readline().split() == ["False"]
        running, log = run.stdout.readline().split()
        assert running == "True"
        below = psutil.Process(run.pid).children(recursive=True)
        child = next(process for process in below if RUN in process.cmdline())
        servers = [process for process in below if process != child]
        run.kill()
        assert wait_until(lambda: are_gone(servers), 10)
        assert child.is_running()
        child.kill()
    assert not Path(log).parent.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_server_whose_guardian_is_killed_dies_with_it(kind: Kind, start: Start) -> None:
    before = set(processes_below())
    server = start(kind)
    processes = [process for process in processes_below() if process not in before]
    processes[0].kill()
    assert wait_until(lambda: are_gone(processes), 10)
    assert not server.running
    server.stop()
    shutil.rmtree(server.log.parent)
    Path(f"/tmp/milvus/server_id_{processes[1].pid}").unlink(missing_ok=True)  # noqa: S108 - Milvus's own choice


def test_a_server_that_dies_is_noticed_and_leaves_its_log(kind: Kind, start: Start) -> None:
    before = set(processes_below())
    server = start(kind)
    processes = [process for process in processes_below() if process not in before]
    server_of(processes).send_signal(signal.SIGKILL)
    assert wait_until(lambda: not server.running, 10)
    assert are_gone(processes)
    assert server.log.read_text().splitlines()[-1] == "The server ended by itself, signal 9"
    server.stop()
    shutil.rmtree(server.log.parent)


def test_data_that_stays_is_there_again_also_after_a_kill(kind: Kind, start: Start, tmp_path: Path) -> None:
    before = set(processes_below())
    first = start(kind, data=tmp_path)
    with client_of(first.uri) as client:
        fill(client, "kept")
        client.flush("kept")
    processes = [process for process in processes_below() if process not in before]
    server_of(processes).send_signal(signal.SIGKILL)
    assert wait_until(lambda: not first.running, 10)
    second = start(kind, data=tmp_path)
    with client_of(second.uri) as client:
        client.load_collection("kept")
        assert (count(client, "kept"), nearest(client, "kept")) == (20, 7)
    second.stop()
    assert second.log.is_file()


def test_only_sessions_of_an_earlier_server_are_forgotten(start: Start, tmp_path: Path) -> None:
    before = set(processes_below())
    server = start("milvus", data=tmp_path)
    own = listening_ports(server_of([process for process in processes_below() if process not in before]))
    etcd = json.loads((tmp_path / "milvus" / "configs" / "etcd.yaml").read_text())
    port = int(etcd["listen-client-urls"].rpartition(":")[2])
    assert port in own
    assert forget_sessions(port, own) == 0
    with contextlib.suppress(OSError):  # it may be gone before the last one is
        assert forget_sessions(port, ()) > 0
    assert wait_until(lambda: not server.running, 10), "a server whose sessions are gone gives up"


def test_a_server_that_cannot_start_names_its_log_and_its_reason(kind: Kind, tmp_path: Path) -> None:
    blocked = tmp_path / ("lite" if kind == "lite" else "milvus/data/etcd.data")
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("no folder")
    (tmp_path / "milvus.answered").touch()
    before = set(processes_below())
    with pytest.raises(ServerError) as caught:
        start_server(kind, data=tmp_path, tell=lambda _: None)
    first, *lines = str(caught.value).splitlines()
    assert "ended while it started" in first
    assert str(tmp_path / "server.log") in first
    assert any(("File exists" if kind == "lite" else "panic: ") in line for line in lines)
    assert set(processes_below()) == before


def test_a_port_that_somebody_takes_meanwhile_costs_a_second_try(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    with socket.socket() as stranger:
        stranger.bind(("0.0.0.0", 0))  # noqa: S104 - it never accepts
        stranger.listen()
        taken = stranger.getsockname()[1]
        tries: list[Reservation] = []

        def reserve(first: int, count: int) -> Reservation:
            each = reserve_ports(first, count)
            free = each.numbers[: count - 1]
            numbers = each.numbers if tries else (*free[:3], taken, *free[3:])
            tries.append(Reservation(numbers, each.sockets))
            return tries[-1]

        monkeypatch.setattr("loadgen.milvus.server.embedded.reserve_ports", reserve)
        server = start(kind)
    assert [taken in each.numbers for each in tries] == [True, False]
    with client_of(server.uri) as client:
        assert client.list_collections() == []


def test_a_first_start_that_broke_off_does_not_spoil_the_folder(tmp_path: Path, start: Start) -> None:
    etcd = tmp_path / "milvus" / "data" / "etcd.data" / "member"
    (etcd / "wal").mkdir(parents=True)
    (etcd / "wal" / "0000000000000000-0000000000000000.wal").write_bytes(b"half a record")
    assert start("milvus", data=tmp_path).running


def test_data_in_use_by_a_server_is_refused_to_a_second(start: Start, tmp_path: Path) -> None:
    server = start("lite", data=tmp_path)
    with pytest.raises(RefusedError, match="in use by another server"):
        start("lite", data=tmp_path)
    server.stop()
    assert start("lite", data=tmp_path).running


@pytest.mark.skipif(sys.platform != "linux", reason="counts files in /proc")
def test_a_stopped_server_leaves_no_pipe_open_in_the_run(start: Start) -> None:
    def pipes() -> int:
        return sum(str(path.readlink()).startswith("pipe:") for path in OPEN_FILES.iterdir() if path.is_symlink())

    before = pipes()
    server = start("lite")
    assert pipes() == before + 2, "orders to the guardian, and its answers"
    server.stop()
    assert pipes() == before
