"""Faults as they are done to the server: each ends by itself alone, and none outlives its phase."""

import threading
from collections.abc import Callable
from typing import cast

import pytest

from loadgen.control.fault_schedule import ENDED_BEFORE
from loadgen.locust_plugin.preparation.fault_injection import FaultInjector
from loadgen.milvus.fault_proxy import FaultProxy
from loadgen.milvus.server import EmbeddedServer, ServerError
from loadgen.settings.fault_grammar import PlannedFault, read_faults
from loadgen.settings.model import Settings

WITHIN = 10.0


class Server:
    """Notes what is done to it; a restart may wait."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.on_restart: Callable[[], object] = lambda: None

    def pause(self) -> None:
        self.done.append("pause")

    def resume(self) -> None:
        self.done.append("resume")

    def kill(self) -> None:
        self.done.append("kill")

    def restart(self) -> None:
        self.on_restart()
        self.done.append("restart")


class Proxy:
    """Notes its orders."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    def tell(self, order: str) -> None:
        self.orders.append(order)


def make(text: str) -> tuple[FaultInjector, Server, Proxy, tuple[PlannedFault, ...]]:
    server, proxy = Server(), Proxy()
    settings = Settings.parse({"fault": text, "phase_seconds": 120})
    injector = FaultInjector(settings, cast("EmbeddedServer", server), cast("FaultProxy", proxy))
    return injector, server, proxy, read_faults(settings)


@pytest.mark.parametrize(
    ("text", "orders"),
    [
        ("10s latency 50ms 5s; 15s latency 90ms 5s", ["latency 0.05", "latency 0.09", "latency 0"]),
        ("10s bandwidth 1kB/s 5s; 15s bandwidth 2kB/s 5s", ["bandwidth 1000.0", "bandwidth 2000.0", "bandwidth 0"]),
        ("10s blackhole 5s; 15s blackhole 5s", ["blackhole on", "blackhole on", "blackhole off"]),
        ("10s cut 5s; 15s cut 5s", ["refuse on", "cut", "refuse on", "cut", "refuse off"]),
    ],
)
def test_the_end_of_a_fault_does_not_end_the_next_of_its_kind(text: str, orders: list[str]) -> None:
    """At the same second the next one begins first: the end is counted from when the fault took effect."""
    injector, _, proxy, (first, second) = make(text)
    injector.begin(first)
    injector.begin(second)
    injector.end(first)
    injector.end(second)
    assert proxy.orders == orders


def test_a_cut_without_a_time_leaves_the_end_of_the_one_before_it() -> None:
    injector, _, proxy, (first, second) = make("10s cut 5s; 15s cut")
    injector.begin(first)
    injector.begin(second)
    injector.end(first)
    assert proxy.orders == ["refuse on", "cut", "cut", "refuse off"]


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("10s pause server 5s; 15s kill server 5s", ["pause", "resume", "kill", "restart"]),
        ("10s pause server 5s; 15s pause server 5s", ["pause", "resume", "pause", "resume"]),
        ("10s kill server 5s; 15s pause server 5s", ["kill", "restart", "pause", "resume"]),
        ("10s kill server 5s; 15s kill server 5s", ["kill", "restart", "kill", "restart"]),
        ("10s pause server 5s; 15s restart server", ["pause", "kill", "restart"]),
        ("10s kill server; 15s restart server", ["kill", "restart"]),
    ],
)
def test_a_fault_of_the_server_lasts_although_the_one_before_it_ends_a_moment_later(text: str, done: list[str]) -> None:
    injector, server, _, (first, second) = make(text)
    injector.begin(first)
    injector.begin(second)
    if first.seconds:
        injector.end(first)
    if second.seconds:
        injector.end(second)
    injector.restore()
    assert server.done == done


class Watched:
    """A lock that tells when it is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = threading.Semaphore(0)

    def __enter__(self) -> None:
        self._asked.release()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self) -> None:
        assert self._asked.acquire(timeout=WITHIN)


def start(function: Callable[[], object], lock: Watched) -> threading.Thread:
    """A thread that has come to the lock."""
    thread = threading.Thread(target=function)
    thread.start()
    lock.wait()
    return thread


def test_a_fault_that_waits_for_a_restart_until_its_phase_is_over_is_not_begun_in_the_next() -> None:
    injector, server, _, (kill, pause) = make("10s kill server 2s; 20s pause server 2s")
    go_on = threading.Event()
    server.on_restart = lambda: go_on.wait(WITHIN)
    injector.begin(kill)
    lock = Watched()
    injector._lock = cast("threading.Lock", lock)
    failed: list[str] = []

    def begin_late() -> None:
        try:
            injector.begin(pause)
        except ServerError as error:
            failed.append(str(error))

    threads = [start(one, lock) for one in (lambda: injector.end(kill), begin_late, injector.restore)]
    go_on.set()
    for one in threads:
        one.join(WITHIN)
    assert (server.done, failed) == (["kill", "restart"], [ENDED_BEFORE])


@pytest.mark.parametrize("text", ["10s pause server 2s", "10s latency 50ms 2s"])
def test_an_end_that_comes_after_its_phase_leaves_the_fault_of_the_next_one(text: str) -> None:
    injector, server, proxy, (fault,) = make(text)
    injector.begin(fault)
    lock = Watched()
    injector._lock = injector._proxy_lock = cast("threading.Lock", lock)
    with lock:
        lock.wait()
        late = start(lambda: injector.end(fault), lock)
        injector._round += 1  # the next phase has begun, with the same fault
    late.join(WITHIN)
    assert [*server.done, *proxy.orders] in (["pause"], ["latency 0.05"])
