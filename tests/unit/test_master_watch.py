"""A worker that wants to join waits for a master that starts later, and not for one that has ended."""

import socket
from types import SimpleNamespace

import pytest
from locust.runners import WorkerRunner

from loadgen.locust_plugin import patches
from loadgen.locust_plugin.coordination.master_watch import LAST_REFUSALS, MasterWatch


def test_a_master_that_was_open_and_closes_is_asked_three_times_more() -> None:
    watch = MasterWatch()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        runner = SimpleNamespace(master_host="127.0.0.1", master_port=listener.getsockname()[1])
        assert watch.check(runner) is True
    for _ in range(LAST_REFUSALS - 1):
        assert watch.check(runner) is True
    with pytest.raises(ConnectionError, match="was open and has closed"):
        watch.check(runner)


def test_a_master_that_was_never_open_is_waited_for_and_one_that_opens_again_too() -> None:
    watch = MasterWatch()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    runner = SimpleNamespace(master_host=address[0], master_port=address[1])
    assert [watch.check(runner) for _ in range(2 * LAST_REFUSALS)] == [True] * 2 * LAST_REFUSALS
    for _ in range(LAST_REFUSALS):
        with socket.create_server(address):
            assert watch.check(runner)
        assert watch.check(runner)


def test_every_attempt_of_a_worker_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[object] = []

    def connect(self: object) -> None:
        attempts.append(self)

    monkeypatch.setattr(WorkerRunner, "connect_to_master", connect)
    checked: list[object] = []

    def check(runner: object) -> bool:
        checked.append(runner)
        return True

    for _ in range(2):
        patches.end_retries(check)
    runner = object()
    WorkerRunner.connect_to_master(runner)  # type: ignore[arg-type] # any object
    assert attempts == checked == [runner]
