"""Drill: Ctrl-C and SIGTERM in every state of a run, once or twice: nothing is lost, and nobody is left."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from loadgen.milvus.server import EmbeddedServer
from tests.integration.cluster_support import WITHIN, Member, count_all
from tests.integration.drill_support import drill, one_record, outcomes_of
from tests.integration.faulty_server import FaultyServer, faulty_server
from tests.integration.locust_command import AGREEING
from tests.integration.server_support import are_gone, wait_until

USERS = 3
ENDS_WITHIN = 40.0
"""Seconds, on a machine that is busy with other tests; 5 on one that is not."""
PLAN = ("--concurrency", str(USERS), "--rounds", "1")
LONG = (*PLAN, "--warmup-seconds", "0", "--phase-seconds", "60")
WARM_UP = (*PLAN, "--warmup-seconds", "60", "--phase-seconds", "60")
BRIEF = (*PLAN, "--warmup-seconds", "0", "--phase-seconds", "0.5", "--max-failures", "0")
INT, TERM = signal.SIGINT, signal.SIGTERM
LOADING = """
print("NOW loading", file=sys.stderr, flush=True)
time.sleep(30)
"""
SLOWLY = """
import {module} as module, gevent

original = module.{name}


def slowly(*given, **named):
    print("NOW {name}", file=sys.stderr, flush=True)
    (gevent.sleep if threading.current_thread() is threading.main_thread() else time.sleep)({seconds})
    return original(*given, **named)


module.{name} = slowly
"""
"""A step that takes some seconds more, as a server or a disk that is slow would make it."""

IN_WORKERS = """
import loadgen.locust_plugin.coordination.identity as identity, loadgen.locust_plugin.preparation.resources as resources

opened = resources._open_stores


def slowly(*given, **named):
    if identity.forked_by_master:
        print("NOW in a worker", file=sys.stderr, flush=True)
        time.sleep(5)
    return opened(*given, **named)


resources._open_stores = slowly
"""
"""The stores of the workers take their time, those that the master opens to compare answers do not."""
ONE_MODE = ("--mode", "async", "-u", str(USERS), "-r", str(USERS), "-t", "60")


@dataclass(frozen=True)
class State:
    """How a run gets into it."""

    ready: str
    """A line of it."""
    flags: tuple[str, ...] = LONG
    text: str = ""
    is_under_load: bool = False
    is_silent: bool = False
    is_over: bool = False
    """The plan is complete by then."""


def slowly(module: str, name: str, seconds: float) -> str:
    return SLOWLY.format(module=f"loadgen.locust_plugin.{module}", name=name, seconds=seconds)


STATES = {
    "loading the locustfile": State("NOW loading", text=LOADING),
    "preparing": State("NOW prepare", text=slowly("preparation.resources", "prepare", 5)),
    "opening": State("NOW _open_stores", text=slowly("preparation.resources", "_open_stores", 5)),
    "warm-up": State("Phase 1 of 4", WARM_UP, is_under_load=True),
    "phase": State("Phase 1 of 4", is_under_load=True),
    "draining": State("Phase 1 of 4", BRIEF, is_under_load=True, is_silent=True),
    "tables": State("NOW print_tables", BRIEF, slowly("run_results", "print_tables", 1.5), is_over=True),
}
ALONE = [
    ("loading the locustfile", INT, 1), ("loading the locustfile", TERM, 2), ("preparing", TERM, 2),
    ("opening", INT, 2), ("opening", TERM, 1), ("warm-up", INT, 2), ("warm-up", TERM, 1), ("phase", TERM, 2),
    ("draining", TERM, 2), ("tables", INT, 2), ("tables", TERM, 1), ("tables", TERM, 2),
]  # fmt: skip
FORKED = [
    ("loading the locustfile", INT, 2), ("preparing", TERM, 1), ("opening", TERM, 2), ("opening", INT, 1),
    ("warm-up", TERM, 2), ("phase", TERM, 1), ("draining", INT, 2), ("draining", TERM, 1), ("tables", TERM, 2),
]  # fmt: skip


@dataclass(frozen=True)
class Signal:
    """What is sent how often, and to whom: a terminal sends it to all, the end of a container to one."""

    number: signal.Signals
    times: int
    to_all: bool

    def send(self, run: Member) -> None:
        for turn in range(self.times):
            time.sleep(0.15 * turn)
            if run.run.process.poll() is None:
                (os.killpg if self.to_all else os.kill)(run.pid, self.number)


@pytest.mark.parametrize(("name", "number", "times"), ALONE)
def test_a_signal_ends_a_process(
    lite: EmbeddedServer, tmp_path: Path, name: str, number: signal.Signals, times: int
) -> None:
    assert_ended(lite, tmp_path, STATES[name], Signal(number, times, number is INT))


@pytest.mark.parametrize(("name", "number", "times"), FORKED)
def test_a_signal_ends_a_master_and_its_workers(
    lite: EmbeddedServer, tmp_path: Path, name: str, number: signal.Signals, times: int
) -> None:
    assert_ended(lite, tmp_path, STATES[name], Signal(number, times, number is INT), "--processes", "2")


def test_a_signal_to_the_whole_group_ends_a_master_and_its_workers(lite: EmbeddedServer, tmp_path: Path) -> None:
    assert_ended(lite, tmp_path, STATES["phase"], Signal(TERM, 2, to_all=True), "--processes", "2")


@pytest.mark.parametrize("number", [INT, TERM])
@pytest.mark.parametrize("flags", [LONG, ONE_MODE, ONE_MODE[:-2]], ids=["plan", "one mode", "one mode without end"])
def test_a_signal_while_workers_open_their_stores_ends_a_run_that_has_not_begun(
    lite: EmbeddedServer, tmp_path: Path, flags: tuple[str, ...], number: signal.Signals
) -> None:
    with drill(tmp_path, "--host", lite.uri, *flags, "--processes", "2", text=IN_WORKERS) as run:
        run.wait_for("NOW in a worker")
        Signal(number, 1, to_all=False).send(run)
        code = run.finish(ENDS_WITHIN)
    reported = f"{run.run.out}\n{run.run.err}"
    assert code == 128 + number, reported
    assert "Traceback" not in reported
    assert "no way from" not in reported
    assert run.last_line == f"Exit code {code}: ended by {number.name}: the run never began.", reported
    assert not list(tmp_path.glob("runs/*.json"))


def assert_ended(lite: EmbeddedServer, folder: Path, state: State, ending: Signal, *layout: str) -> None:
    """Bring a run into a state, send the signal, and look at what is left."""
    number = ending.number
    with faulty_server(lite.uri) as server:
        with drill(folder, "--host", server.uri, *state.flags, *layout, text=state.text) as run:
            reach(state, server, run)
            ending.send(run)
            code = run.finish(ENDS_WITHIN)
        sent = max(0, server.asked - AGREEING)
    reported = f"{run.run.out}\n{run.run.err}"
    assert code in ((0, 128 + number) if state.is_over else (128 + number,)), reported
    assert "Traceback" not in reported
    family = [process for process in psutil.process_iter() if group_of(process) == run.pid]
    assert wait_until(lambda: are_gone(family), 5), family
    if not (state.is_under_load or state.is_over):
        assert run.run.err.rstrip().endswith("Interrupted before the run began."), reported
        assert not list(folder.glob("runs/*.json"))
        return
    assert sent == count_all(run.run.reported) == sum(run.run.reported["stats"].values()) > 0
    if any(
        window["seconds"] > 0 for window in run.run.reported["windows"]
    ):  # or nothing was measured, and none is kept
        assert outcomes_of(one_record(folder)).total() == sent
    if run.run.counted:
        assert "Variants, level by level" in run.run.out, reported
    if code:
        assert run.last_line.startswith(f"Exit code {code}: ended by {number.name}: "), reported


def reach(state: State, server: FaultyServer, run: Member) -> None:
    """Return as soon as the run is in this state."""
    run.wait_for(state.ready)
    if state.is_under_load:
        assert wait_until(lambda: server.asked > AGREEING + 20, WITHIN), run.run.err
    if state.is_silent:
        server.passing.clear()
        run.wait_for("Waiting for ")


def group_of(process: psutil.Process) -> int:
    """The process group, 0 if it has just gone."""
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return 0
