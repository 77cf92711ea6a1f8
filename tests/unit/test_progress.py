"""The running phase is reported with its figures and the time left, on a terminal and without one."""

import io
import logging
import math
import re

import pytest

from loadgen.control.merged_ledger import MergedLedger
from loadgen.locust_plugin.display.progress import Figures, Now, Progress
from loadgen.locust_plugin.display.terminal import ERASE, Display, in_words
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase, timed_phases
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store import LoadingLine

PLAN = timed_phases((("sync", Mode.SYNC), ("async", Mode.ASYNC)), (8,), 1, (10.0, 2.0))


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def progress(clock: Clock, ledger: Ledger) -> Progress:
    made = Progress(clock)
    made.follow(ledger)
    return made


def searches(ledger: Ledger, number: int, at: float, outcome: Outcome = Outcome.OK, took: float = 0.01) -> None:
    ledger([Sample(Mode.SYNC, "search", at - took, at - took, at, outcome, 10)] * number)


def looked(progress: Progress) -> Now:
    now = progress.look()
    assert now is not None
    return now


def test_a_loading_has_its_rows_their_rate_and_the_time_left(progress: Progress) -> None:
    progress.tell(LoadingLine(2_500, 10_000, 500.0))
    assert in_words(looked(progress)) == "loading 2,500 of 10,000 rows: 500 rows/s; 15 s left"
    assert looked(progress).share == 0.25


def test_a_loading_is_not_logged_each_time_and_other_lines_are(
    progress: Progress, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    progress.tell(LoadingLine(1, 2, 1.0))
    progress.tell("waiting for the index")
    assert caplog.messages == ["waiting for the index"]
    assert looked(progress) == Now("waiting for the index")
    progress.end_preparing()
    assert progress.look() is None


def test_a_phase_goes_from_its_users_over_its_warm_up_to_its_figures(
    progress: Progress, clock: Clock, ledger: Ledger
) -> None:
    progress.begin(PLAN[0], PLAN)
    assert in_words(looked(progress)) == "phase 1 of 4: sync, 8 users, users are starting; 48 s left"
    clock.now += 1
    progress.open(PLAN[0])
    ledger.open(PLAN[0], clock.now + 2, clock.now + 12)
    clock.now += 1.5
    assert in_words(looked(progress)) == "phase 1 of 4: sync, 8 users, warm-up; 47 s left"
    clock.now += 4.5
    searches(ledger, 200, clock.now)
    searches(ledger, 3, clock.now, Outcome.TIMEOUT)
    now = looked(progress)
    assert now.share == 0.5
    assert now.left == 42
    assert now.figures is not None
    assert (now.figures.rate, now.figures.failures) == (50, 3), "200 answered in the 4 s after the warm-up"
    assert now.figures.p50 == now.figures.p99 == pytest.approx(0.01, rel=0.001)


def test_figures_are_measured_at_most_once_a_second(progress: Progress, clock: Clock, ledger: Ledger) -> None:
    progress.open(PLAN[0])
    ledger.open(PLAN[0], clock.now + 2, clock.now + 12)
    clock.now += 4
    searches(ledger, 10, clock.now)
    first = looked(progress).figures
    clock.now += 0.5
    searches(ledger, 1000, clock.now)
    assert looked(progress).figures is first
    clock.now += 0.5
    assert looked(progress).figures != first


def test_on_a_master_the_rate_is_over_what_the_workers_have_reported(progress: Progress, clock: Clock) -> None:
    merged = MergedLedger()
    progress.follow(merged)
    workers = {name: Ledger() for name in ("one", "two")}
    progress.open(PLAN[0])
    for worker in workers.values():
        worker.open(PLAN[0], 102.0, 112.0)
    for name, at, operations in (("one", 104.0, 100), ("two", 105.0, 150), ("one", 107.0, 150)):
        searches(workers[name], operations, at - 0.5)
        merged.merge(workers[name].take_report(at), name)
    clock.now = 109.5
    now = looked(progress)
    assert now.figures is not None
    assert now.figures.rate == 100, "400 operations of which one worker covers 5 s and the other 3 s"


def test_the_time_between_phases_is_learned(progress: Progress, clock: Clock) -> None:
    progress.begin(PLAN[0], PLAN)
    clock.now += 17
    progress.finish(None)
    progress.begin(PLAN[1], PLAN)
    assert looked(progress).left == 12 + 2 * (12 + 5), "each phase took 5 s more than planned"


def test_what_is_prepared_after_the_first_phase_was_announced_is_shown_and_is_no_part_of_it(
    progress: Progress, clock: Clock
) -> None:
    progress.begin(PLAN[0], PLAN)
    progress.tell(LoadingLine(2_500, 10_000, 500.0))
    assert looked(progress).doing == "loading"
    clock.now += 60
    progress.end_preparing()
    assert looked(progress).doing == "phase 1 of 4: sync, 8 users, users are starting"
    progress.open(PLAN[0])
    assert looked(progress).doing == "phase 1 of 4: sync, 8 users, warm-up"
    clock.now += 12
    progress.finish(None)
    progress.begin(PLAN[1], PLAN)
    assert looked(progress).left == 36


def test_a_phase_that_is_over_is_told_in_one_line(
    progress: Progress, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ledger.open(PLAN[2], 100.0, 110.0)
    searches(ledger, 12_345, 105.0)
    progress.begin(PLAN[2], PLAN)
    progress.finish(ledger.windows[2])
    assert caplog.messages == ["Phase 3: 1,234.5 operations/s, p50 10.01 ms, p99 10.01 ms"]
    assert progress.look() is None


def test_a_run_without_a_plan_lasts_as_long_as_it_may_or_for_ever(progress: Progress, clock: Clock) -> None:
    phase = Phase(0, Mode.SYNC, 3)
    progress.open(phase, run_time=90.0)
    clock.now += 15
    assert (looked(progress).left, looked(progress).doing) == (75, "sync, 3 users")
    progress.rest()
    progress.open(phase)
    assert math.isnan(looked(progress).left)
    assert math.isnan(looked(progress).share)


def test_a_burst_counts_its_operations(progress: Progress, clock: Clock, ledger: Ledger) -> None:
    burst = Phase(0, Mode.SYNC, 1, style="sync", operation="search", operations=100)
    progress.open(burst)
    ledger.open(burst, clock.now)
    clock.now += 2
    searches(ledger, 40, clock.now)
    words = in_words(looked(progress))
    assert words.startswith("search x 100, sync, 1 in flight 40 of 100 operations: 20.0 operations/s, p50 10.01 ms")


LONG = Now("phase 1 of 4: sync, 8 users", 30, 100, figures=Figures(12.0, "operations"), left=3_723)


def test_without_a_terminal_there_is_a_line_every_ten_seconds_at_most(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stream = io.StringIO()
    display = Display(lambda: None, stream)
    for at in range(0, 25, 2):
        display.show(LONG, float(at))
    assert caplog.messages == ["phase 1 of 4: sync, 8 users: 12.0 operations/s; 1 h 2 min left"] * 2
    assert stream.getvalue() == "", "only the log"


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    Display(lambda: None, terminal).show(LONG, 0.0)
    assert terminal.getvalue() == ""


def test_a_terminal_gets_one_line_and_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    handler = logging.StreamHandler(terminal)
    handler.setFormatter(logging.Formatter("%(message)s"))
    file = io.StringIO()
    other = logging.StreamHandler(file)
    named = logging.getLogger("tests.progress")
    named.addHandler(handler)
    named.addHandler(other)
    display = Display(lambda: None, terminal)
    try:
        display.show(LONG, 0.0)
        assert "phase 1 of 4: sync, 8 users" in terminal.getvalue()
        named.warning("a line")
        assert terminal.getvalue().endswith(f"{ERASE}a line\n")
        assert file.getvalue() == "a line\n", "no control characters where no line is drawn"
        display.stop()
        display.stop()
        assert handler.stream is terminal
        written = terminal.getvalue()
        assert written.count("\x1b[?25h") == written.count("\x1b[?25l") == 1, "the cursor is back"
        assert written.endswith("\x1b[1A\x1b[2K"), "the line is gone"
    finally:
        named.removeHandler(handler)
        named.removeHandler(other)


def test_a_line_is_never_longer_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    display = Display(lambda: None, terminal)
    display.show(LONG, 0.0)
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    display.stop()
    assert "\n" not in drawn
    assert all(part.startswith("phase 1 of 4: sync, 8 users") for part in drawn.split("\r"))
    assert max(map(len, drawn.split("\r"))) <= 40


def test_a_terminal_that_is_gone_ends_the_drawing_and_not_the_run() -> None:
    terminal = Terminal()
    terminal.close()
    display = Display(lambda: LONG, terminal)
    display.stop()
