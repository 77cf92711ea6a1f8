"""Faults of a locustfile's own: listeners and tasks that raise, exit, stop the run, or wrap the client."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from loadgen.measure.sample import Mode
from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import read_record
from tests.integration.locust_command import SMALL, Run, start_locust

SHORT = ("--concurrency", "3", "--rounds", "1", "--phase-seconds", "1.5", "--warmup-seconds", "0.3")
HEAD = """
import os, sys, threading
from locust import events, task
from locust.exception import StopTest, StopUser
from loadgen import AsyncUser, SyncUser, plug

plug(events, recall_every=0)
calls = 0
"""
USERS = """
class Blocking(SyncUser):
    @task
    def search(self):
        act()
        self.client.search(self.next_query())


class Waiting(AsyncUser):
    @task
    async def search(self):
        act()
        await self.client.search(self.next_query())
"""
LISTENER = """
heard = 0
environment = None


@events.init.add_listener
def _keep(environment, **_):
    globals()["environment"] = environment


@events.request.add_listener
def _listen(**_):
    global heard
    heard += 1
    if heard >= 20:
        fail()


@events.quit.add_listener
def _tell(**_):
    print("LISTENER HEARD", heard, flush=True)


def act():
    pass
"""


ONCE_MEASURED = """
done = False


def fail():
    global done
    if not done and any(window.operation_stats for window in environment.loadgen.ledger.windows.values()):
        done = True
"""


def run(folder: Path, uri: str, text: str, *flags: str) -> Run:
    """A headless run of a locustfile with this text, on a collection of its own."""
    folder.mkdir(exist_ok=True)
    file = folder / "own.py"
    file.write_text(HEAD + text + USERS)
    name = "faults_of_users"
    return start_locust(
        folder, "--headless", "--only-summary", "--host", uri, "--collection", name, *SMALL, *flags, files=str(file)
    ).finish(180)


def one_record(folder: Path) -> Any:
    [path] = (folder / "runs").glob("*.json")
    return read_record(path)


def sent(record: Any) -> int:
    """Operations of all phases and outside of them."""
    return sum(part.count for part in [*record.outside, *(one for phase in record.phases for one in phase.operations)])


@pytest.mark.parametrize("raised", ["StopUser()", "ValueError('no')", "SystemExit(3)"])
def test_a_listener_that_always_raises_loses_no_sample(lite: EmbeddedServer, tmp_path: Path, raised: str) -> None:
    text = f"{LISTENER}\ndef fail():\n    raise {raised}\n"
    done = run(tmp_path, lite.uri, text, "--mode", "async", "-u", "3", "-r", "3", "-t", "3s")
    assert done.code == 0, done.err
    [reported] = [int(line.split()[-1]) for line in done.out.splitlines() if line.startswith("LISTENER HEARD")]
    assert reported > 40
    assert done.reported["stats"] == {"async search": reported}, (
        "Locust's own table, whose listener runs after this one"
    )
    assert sent(one_record(tmp_path)) == reported
    kind = raised.partition("(")[0]
    assert done.err.count("Traceback (most recent call last)") == 1
    assert f"Listeners of the locustfile failed {reported - 19} times: {kind} at own.py:" in done.err


@pytest.mark.parametrize(("layout", "mode"), [((), "async"), (("--processes", "2"), "sync")])
def test_users_that_end_in_a_run_of_one_mode_leave_it_with_1(
    lite: EmbeddedServer, tmp_path: Path, layout: tuple[str, ...], mode: str
) -> None:
    text = """
def act():
    global calls
    calls += 1
    if calls == 20:
        raise StopUser
"""
    ended = 2 if layout else 1  # one in each process
    reported = f"{ended} user{'s' if layout else ''} ended before the end of the run"
    done = run(tmp_path, lite.uri, text, "--mode", mode, "-u", "4", "-r", "4", "-t", "7s", *layout)
    assert done.code == 1, done.err
    assert done.out.rstrip().endswith(f"Exit code 1: {reported}.")
    record = one_record(tmp_path)
    assert record.incomplete == reported
    assert [phase.users_gone for phase in record.phases] == [ended]


@pytest.mark.parametrize(
    ("how", "flags"),
    [
        ("environment.runner.quit()", ("--mode", "async", "-u", "3", "-r", "3", "-t", "60s")),
        ("environment.runner.quit()", SHORT),
        ("environment.runner.stop()", ("--mode", "sync", "-u", "3", "-r", "3", "-t", "5s")),
    ],
    ids=["quit", "quit in a plan", "stop"],
)
def test_a_listener_that_ends_the_run_leaves_its_record_with_all_that_was_answered(
    lite: EmbeddedServer, tmp_path: Path, how: str, flags: tuple[str, ...]
) -> None:
    text = f"{LISTENER}{ONCE_MEASURED}        {how}\n"
    done = run(tmp_path, lite.uri, text, *flags)
    assert "Traceback" not in done.err, done.err
    assert "no answer when the user was ended" not in done.out, "none was given up"
    record = one_record(tmp_path)
    [reported] = [int(line.split()[-1]) for line in done.out.splitlines() if line.startswith("LISTENER HEARD")]
    assert sum(done.reported["stats"].values()) == reported == sent(record)
    assert sum(done.reported["failures"].values()) == 0
    assert reported >= 20


def test_a_listener_that_raises_stop_test_ends_the_run_in_good_order(lite: EmbeddedServer, tmp_path: Path) -> None:
    text = f"{LISTENER}\ndef fail():\n    raise StopTest('that is enough')\n"
    done = run(tmp_path, lite.uri, text, "--mode", "async", "-u", "3", "-r", "3", "-t", "60s")
    assert "Traceback" not in done.err, done.err
    assert done.err.count("that is enough") == 1
    assert "Stopping Locust..." in done.err
    assert sum(done.reported["stats"].values()) == sent(one_record(tmp_path)) >= 20


EXITS = """
lock = threading.Lock()
state = None
left = set()


@events.init.add_listener
def _keep(environment, **_):
    globals()["state"] = environment.loadgen


def act():
    phase = state.phase.number
    window = state.ledger.windows.get(phase)
    if window is not None and window.operation_stats and phase not in left:
        with lock:
            if phase in left:
                return
            left.add(phase)
        sys.exit(3)
"""
"""One user of each phase exits in the middle of it."""


def test_users_that_exit_end_alone_in_both_modes_and_are_in_the_record(lite: EmbeddedServer, tmp_path: Path) -> None:
    done = run(tmp_path, lite.uri, EXITS, *SHORT)
    assert done.code == 1, f"exceptions end with Locust's own exit code for them\n{done.err}"
    record = one_record(tmp_path)
    result = Counter(dict.fromkeys(Mode, 0))
    parts = [*record.task_errors_outside, *(part for phase in record.phases for part in phase.task_errors)]
    for part in parts:
        assert part.error == "SystemExit"
        assert part.place.startswith("own.py:")
        result[part.variant] += part.count
    assert result == {Mode.SYNC: 2, Mode.ASYNC: 2}
    assert [sum(one.count for one in phase.operations) > 20 for phase in record.phases] == [True] * 4
    assert sum(done.reported["stats"].values()) == sent(record)
    assert "Warning: Tasks raised " in done.out
    assert done.err.count("Traceback (most recent call last)") == 1, "one place, one traceback"


def test_tasks_that_always_raise_leave_the_phases_their_length_and_are_counted(
    lite: EmbeddedServer, tmp_path: Path
) -> None:
    text = "def act():\n    raise KeyError('x')\n"
    done = run(tmp_path, lite.uri, text, *SHORT, "--max-failures", "90%")
    assert done.code == 1, done.err
    record = one_record(tmp_path)
    assert [phase.seconds for phase in record.phases] == pytest.approx([1.5] * 4)
    for phase in record.phases:
        [reported] = phase.task_errors
        assert (reported.error, reported.place, reported.variant) == ("KeyError", "own.py:10", phase.variant)
        assert 1 <= reported.count <= 3 * 16, "three users that pause for longer and longer"
        assert phase.generator.watched_share > 0
    assert record.task_errors < 400
    assert sent(record) == 0
    assert "Exceptions in tasks" in done.out
    assert done.err.count("Traceback (most recent call last)") == 1
    assert "in flight" not in done.err, "there is none"


WRAPS = """
class Mine:
    def __init__(self, inner):
        self.inner = inner

    async def search(self, query):
        return await self.inner.search(query)


def act():
    pass


class Wrapped(AsyncUser):
    async def on_start(self):
        self.client = Mine(self.client)

    @task
    async def search(self):
        await self.client.search(self.next_query())
"""


def test_a_wrapped_client_leaves_the_generators_health_known(lite: EmbeddedServer, tmp_path: Path) -> None:
    flags = ("--mode", "async", "-u", "3", "-r", "3", "-t", "3s", "Wrapped")
    done = run(tmp_path, lite.uri, WRAPS, *flags)
    done.assert_good()
    [phase] = one_record(tmp_path).phases
    assert phase.generator.cpu_ratio > 0
    assert phase.generator.watched_share > 0.5
    assert 0 < phase.generator.in_flight_mean <= 3
    assert phase.generator.in_flight_max <= 3


@pytest.mark.parametrize(("how", "kind"), [("raise ValueError('early')", "ValueError"), ("return", "NoBurstError")])
def test_a_burst_that_does_not_come_ends_the_run(lite: EmbeddedServer, tmp_path: Path, how: str, kind: str) -> None:
    (tmp_path / "own.py").write_text(
        f"{HEAD}\n\nclass One(SyncUser):\n    style = 'sync'\n\n    @task\n    def all_of_them(self):\n        {how}\n"
    )
    flags = ("--headless", "--only-summary", "--host", lite.uri, "--collection", "faults_of_users", *SMALL)
    done = start_locust(tmp_path, *flags, "--mode", "sync", "--burst", "3,5", files=str(tmp_path / "own.py")).finish(
        120
    )
    assert done.code == 1, done.err
    assert done.err.count("Traceback (most recent call last)") == 1
    assert kind in done.err
    assert "Phase 2 of 4" not in done.err
    assert "(phase 1 did not run: its user ended before its burst began)" in done.out.splitlines()[-1]
    assert json.loads((tmp_path / "run.json").read_text())["stats"] == {}
