"""Each step of a start made to fail with each kind of exception: one line, no load, exit code 2, in every layout."""

import json
import threading
import time
from pathlib import Path

import pytest

from loadgen.milvus.server import EmbeddedServer
from tests.integration.locust_command import SMALL, start_locust
from tests.integration.server_support import wait_until
from tests.integration.start_faults import KINDS, ON_WORKERS, STEPS
from tests.integration.test_locust_page import Page, served

FILES = "search.py,../tests/integration/start_faults.py"
FLAGS = (*SMALL, "--mode", "sync", "-u", "1", "-t", "60s")
LAYOUTS = {"one process": (), "workers": ("--processes", "2")}
OWN_SERVER = "server"
"""The step that is taken only where no host is given."""


def assert_one_line(reported: str, kind: str) -> None:
    """The words of the fault once, and nothing of what Python or the hub would add."""
    assert "Traceback" not in reported.replace("Traceback, so to speak", ""), reported
    assert "\x1b" not in reported
    assert "Exception ignored" not in reported, reported
    words = kind if kind in ("TimeoutError", "MemoryError", "AssertionError", "UnspeakableError") else "made to fail"
    assert sum(words in line for line in reported.splitlines()) == 1, reported


def combinations(steps: tuple[str, ...], apart: int) -> list[tuple[str, str]]:
    """Each step and each kind at least once: the kinds rotate from step to step."""
    kinds = tuple(KINDS)
    rounds = max(len(steps), len(kinds))
    return [(steps[number % len(steps)], kinds[number * apart % len(kinds)]) for number in range(rounds)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_headless_start_that_fails_at_any_step_ends_with_2(layout: str, lite: EmbeddedServer, tmp_path: Path) -> None:
    faults = [(step, "leader", kind) for step, kind in combinations(tuple(STEPS), 5)]
    if layout == "workers":
        faults = [fault for fault in faults[: len(STEPS)] if fault[0] not in ON_WORKERS]
        faults += [(step, "worker", kind) for step, kind in combinations(ON_WORKERS, 7)[: len(ON_WORKERS)]]
    for number, (step, role, kind) in enumerate(faults):
        fault = tmp_path / f"fault-{number}"
        fault.write_text(f"{step},{role},{kind}")
        host = () if step == OWN_SERVER else ("--host", lite.uri)
        folder = tmp_path / f"run-{number}"
        flags = ("--headless", "--only-summary", *host, *FLAGS, *LAYOUTS[layout])
        run = start_locust(folder, *flags, files=FILES, START_FAULT=str(fault)).finish()
        reported = run.out + run.err
        assert run.code == 2, (step, role, kind, reported)
        assert_one_line(reported, kind)
        assert not list(folder.glob("runs/*")), (step, role, kind)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_start_from_the_page_that_fails_at_any_step_leaves_a_page_that_can_start(
    layout: str, lite: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    fault = tmp_path / "fault"
    fault.write_text("none")
    steps = tuple(step for step in STEPS if step != OWN_SERVER)
    faults = [(step, "leader", kind) for step, kind in combinations(steps, 7)]
    if layout == "workers":
        faults = [fault for fault in faults if fault[0] not in ON_WORKERS]
        faults += [(step, "worker", kind) for step, kind in combinations(ON_WORKERS, 5)]
    flags = (*SMALL, "--mode", "sync", *LAYOUTS[layout])
    with served(lite.uri, tmp_path / "run", free_port, *flags, files=FILES, token="", START_FAULT=str(fault)) as page:
        lines = drain(page)
        for one in faults:
            fault.write_text(",".join(one))
            assert_refused(page, lines, one)
        fault.write_text("none")
        assert page.start(user_count="2", spawn_rate="2")["success"]
        page.await_state("running", 2)
        time.sleep(1.5)
        page.post("/stop", {})
        page.await_state("stopped", 0)
        assert page.counts["sync"] > 0
        assert len(list(tmp_path.glob("run/runs/*.json"))) == 1
        page.run.interrupt()
        assert page.run.process.wait(15) == 0


def drain(page: Page) -> list[str]:
    """The lines of standard error, read immediately: unread ones would fill the pipe."""
    lines: list[str] = []
    assert page.run.process.stderr is not None
    threading.Thread(target=lines.extend, args=(page.run.process.stderr,), daemon=True).start()
    return lines


def assert_refused(page: Page, lines: list[str], fault: tuple[str, str, str]) -> None:
    """Press Start; the log gets the fault's line, the tab says it too, and nothing was sent."""
    before = len(lines)
    assert page.start()["success"] is True, "what is wrong shows only when it is tried"
    deadline = time.perf_counter() + 30
    while not any("The run did not begin" in line for line in lines[before:]):
        assert time.perf_counter() < deadline, (fault, lines[before:])
        assert page.run.process.poll() is None, (fault, lines[before:])
        time.sleep(0.02)
    assert wait_until(lambda: page.state in (("ready", 0), ("stopped", 0)), 10)
    assert_one_line("".join(lines[before:]), fault[2])
    (words,) = json.loads(page.read("/variants/data"))["words"]
    assert words.startswith("The run did not begin: ")
    assert json.loads(page.read("/stats/requests"))["stats"][-1]["num_requests"] == 0
