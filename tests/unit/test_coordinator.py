"""Who conducts a run: workers that are late, lost, silent, foreign or return, and what a phase or a run lacks then."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from loadgen.control import closed
from loadgen.control.messages import (
    IsOver,
    OpenWindow,
    Refuse,
)
from loadgen.control.run import RETURN_WITHIN
from loadgen.control.states import State
from loadgen.datasets import GroundTruth
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from tests.unit.control_support import Cluster, closed_phases, cluster

BURST = Phase(0, Mode.SYNC, 1, style="sync", operation="search", operations=10)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A coordinator with the workers a and b."""
    with cluster(monkeypatch, "a", "b") as made:
        yield made


def lose(made: Cluster, name: str, after: float) -> None:
    made.time.after(after, lambda: made.network.remove(name))


def add(made: Cluster, name: str, after: float) -> None:
    made.time.after(after, lambda: made.network.add(name))


# A plan of phases


def test_a_plan_that_nobody_disturbs_is_complete_and_every_operation_is_in_its_phase(two: Cluster) -> None:
    run = two.begin(closed_phases(3))
    two.carry_out()
    assert (run.completed, run.incomplete, run.over) == (3, "", True)
    assert [two.operations(number) for number in range(3)] == [80, 80, 80], "8 users, one a second, 10 s"
    assert [window.seconds for window in two.ledger.windows.values()] == [10.0, 10.0, 10.0]
    assert [(window.workers_lost, window.connections) for window in two.ledger.windows.values()] == [(0, 4)] * 3
    assert two["a"].kinds() == ["prepare", *["announce", "enter", "open_window", "drain"] * 3, "stop"]
    assert two.coordinator.state is State.IDLE


def test_a_phase_that_loses_a_worker_is_marked_and_the_plan_goes_on_without_it(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    lose(two, "b", after=5.5)
    two.carry_out()
    assert run.completed == 2
    assert run.incomplete == "phase 1 lacked 1 of 2 workers; phase 2 lacked 1 of 2 workers"
    assert [window.workers_lost for window in two.ledger.windows.values()] == [1, 1]
    assert two.operations(0) == 10 * 4 + 6 * 4, "what b has reported before counts"
    assert two.operations(1) == 80
    assert two.outside() == {}


def test_a_phase_that_loses_a_worker_is_measured_again_where_another_has_come(two: Cluster) -> None:
    run = two.begin(closed_phases(2), worker_grace=60.0)
    lose(two, "b", after=5.5)
    add(two, "c", after=40.0)
    two.carry_out()
    assert (run.completed, run.incomplete) == (2, "")
    assert [(window.phase.attempt, window.workers_lost) for window in two.ledger.windows.values()] == [(1, 0), (0, 0)]
    assert [two.operations(number) for number in range(2)] == [80, 80]
    assert two.outside() == {"ok": 10 * 4 + 6 * 4}, "the first attempt counts in no phase"
    assert two["c"].kinds()[0] == "prepare"


@pytest.mark.parametrize("back_after", [3.0, 0.0], ids=["seen", "back before anybody looked"])
def test_a_worker_that_was_away_within_a_phase_has_it_measured_again(two: Cluster, back_after: float) -> None:
    def blink() -> None:
        two.network.freeze("b")
        if back_after:
            two.time.after(back_after, lambda: two.network.thaw("b"))
        else:
            two.network.thaw("b")

    run = two.begin(closed_phases(1), worker_grace=60.0)
    two.time.after(3.5, blink)
    two.carry_out()
    assert (run.completed, run.incomplete) == (1, "")
    assert (two.ledger.windows[0].phase.attempt, two.operations(0)) == (1, 80)
    assert "prepare" not in two["b"].kinds()[1:], "it is the same process, and is ready"


def test_a_phase_that_loses_workers_every_time_is_marked_after_three_attempts(two: Cluster) -> None:
    def swap(number: int) -> None:
        two.network.remove("b" if number == 0 else f"b{number}")
        two.network.add(f"b{number + 1}")

    run = two.begin(closed_phases(1), worker_grace=60.0)
    for number in range(5):
        two.time.after(5.5 + 10.0 * number, partial(swap, number))
    two.carry_out()
    assert run.incomplete == "phase 1 lacked 1 of 2 workers"
    assert two.ledger.windows[0].phase.attempt == 2


def test_nobody_waits_twice_for_workers_that_do_not_come(two: Cluster) -> None:
    run = two.begin(closed_phases(3), worker_grace=60.0)
    began = two.time()
    lose(two, "b", after=5.5)
    two.carry_out()
    assert run.completed == 3
    assert two.time() - began == pytest.approx(3 * 10 + 60, abs=2.0)


def test_forked_workers_that_are_all_silent_for_a_while_have_their_phase_measured_again(two: Cluster) -> None:
    run = two.begin(closed_phases(2), worker_grace=120.0, are_workers_replaced=False)
    for name in "ab":
        two.time.after(5.5, partial(two.network.freeze, name))
        two.time.after(12.5, partial(two.network.thaw, name))
    two.carry_out()
    assert (run.completed, run.incomplete) == (2, "")
    assert [(window.phase.attempt, window.workers_lost) for window in two.ledger.windows.values()] == [(1, 0), (0, 0)]


def test_forked_workers_that_do_not_come_back_are_waited_for_shortly(two: Cluster) -> None:
    run = two.begin(closed_phases(2), worker_grace=120.0, are_workers_replaced=False)
    began = two.time()
    lose(two, "b", after=5.5)
    two.carry_out()
    assert run.incomplete == "phase 1 lacked 1 of 2 workers; phase 2 lacked 1 of 2 workers"
    assert two.time() - began == pytest.approx(2 * 10 + RETURN_WITHIN, abs=2.0)


def test_a_plan_whose_last_worker_is_lost_ends_and_keeps_what_was_reported(two: Cluster) -> None:
    run = two.begin(closed_phases(4))
    lose(two, "a", after=12.5)
    lose(two, "b", after=13.5)
    two.carry_out()
    assert run.incomplete == "ended early: 1 of 4 phases (no worker is left after phase 2)"
    assert [window.workers_lost for window in two.ledger.windows.values()] == [0, 2]
    assert two.operations(0) == 80
    assert 0 < two.operations(1) < 40
    assert 2.0 <= two.ledger.windows[1].seconds <= 4.0, "as long as b has reported"


def test_a_plan_whose_last_worker_is_lost_before_its_users_have_started_ends_as_soon(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    two["a"].starts_in = two["b"].starts_in = 1e6
    lose(two, "a", after=2.5)
    lose(two, "b", after=3.5)
    began = two.time()
    two.carry_out()
    assert run.incomplete == "ended early: 0 of 2 phases (no worker is left after phase 1)"
    assert two.time() - began < 30, "nobody waits two minutes for users of a worker that has gone"


def test_the_last_worker_may_be_silent_also_after_another_was_waited_for_in_vain(two: Cluster) -> None:
    run = two.begin(closed_phases(3), worker_grace=20.0)
    lose(two, "b", after=5.5)
    two.time.after(38.0, lambda: two.network.freeze("a"))
    two.time.after(45.0, lambda: two.network.thaw("a"))
    two.carry_out()
    assert run.completed == 3
    assert "no worker is left" not in run.incomplete


def test_a_worker_that_comes_late_is_prepared_and_taught_before_it_counts(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    run.ground_truths = (GroundTruth(2, np.array([[0, 1]]), np.array([[0.9, 0.8]])),)
    two.time.run(two.coordinator.teach)
    add(two, "c", after=4.5)
    two.carry_out()
    assert run.incomplete == ""
    assert two["c"].kinds()[:4] == ["prepare", "learn", "enter", "open_window"]
    (opened,) = [c for c in two["c"].done if isinstance(c, OpenWindow) and c.phase.number == 0]
    assert opened.elapsed == pytest.approx(5.0, abs=0.6), "it ends with the others"
    assert two["c"].kinds()[-5:] == ["announce", "enter", "open_window", "drain", "stop"]


def test_a_late_worker_that_cannot_take_part_is_dismissed_and_the_run_goes_on(two: Cluster) -> None:
    def join() -> None:
        two.network.add("c").error = "no route to milvus"

    run = two.begin(closed_phases(1))
    two.time.after(4.5, join)
    two.carry_out()
    assert run.incomplete == ""
    assert two.network.dismissed == ["c"]
    assert Refuse("no route to milvus") in [command for name, command in two.network.sent if name == "c"]


def test_a_worker_that_leaves_after_its_phase_is_counted_does_not_mark_it(two: Cluster) -> None:
    run = two.begin(closed_phases(1))
    stop = two.coordinator.stop

    def late() -> None:
        two.network.remove("b")
        stop()

    two.coordinator.stop = late  # type: ignore[method-assign]
    two.carry_out()
    assert run.incomplete == ""
    assert (two.ledger.windows[0].workers_lost, two.ledger.windows[0].connections) == (0, 4)


def test_users_that_never_start_end_the_plan(two: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed, "USERS_WITHIN", 12.0)
    run = two.begin(closed_phases(2))
    two["a"].starts_in = two["b"].starts_in = 1e6
    two.carry_out()
    assert run.incomplete == "ended early: 0 of 2 phases (only 0 of 8 users started within 12 s)"
    assert "open_window" not in two["a"].kinds()
    assert two.outside() == {}


def test_the_window_opens_when_all_users_have_started(two: Cluster) -> None:
    two.begin(closed_phases(1))
    began = two.time()
    two["b"].starts_in = 7.0
    two.carry_out()
    assert two["a"].ledger.windows[0].start - began == pytest.approx(7.0, abs=0.5)
    assert two.operations(0) == 80


def test_users_that_all_end_by_themselves_end_the_plan(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    for name in ("a", "b"):
        two.time.after(4.5, partial(setattr, two[name], "gone", 4))
    two.carry_out()
    assert run.incomplete == "ended early: 0 of 2 phases (all users of phase 1 ended by themselves)"
    assert two.time() - 1000 < 10, "nobody waits for the phase's end"


def test_some_users_that_end_by_themselves_are_noted_and_the_plan_goes_on(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    two.time.after(4.5, lambda: setattr(two["a"], "gone", 3))
    two.carry_out()
    assert run.completed == 2
    assert run.incomplete == "3 of 8 users ended before phase 1 did"
    assert [window.users_gone for window in two.ledger.windows.values()] == [3, 0]


def test_users_that_a_lost_worker_has_taken_along_have_not_ended_by_themselves(two: Cluster) -> None:
    run = two.begin(closed_phases(1))
    lose(two, "b", after=5.5)
    two.carry_out()
    assert run.incomplete == "phase 1 lacked 1 of 2 workers"
    assert two.ledger.windows[0].users_gone == 0


# Bursts


def run_burst(made: Cluster, name: str, after: float, seconds: float, phase: Phase = BURST) -> None:
    """Have the user of a worker run the burst."""

    def end() -> None:
        made[name].ledger.close(made.time())
        made[name].over.add(phase.number)

    made.time.after(after, lambda: made[name].ledger.open(phase, made.time()))
    made.time.after(after + seconds, end)


def test_a_burst_is_over_where_one_worker_says_so(two: Cluster) -> None:
    run = two.begin([BURST])
    run_burst(two, "a", after=1.0, seconds=2.0)
    two.carry_out()
    assert run.incomplete == ""
    assert two.ledger.windows[0].seconds == 2.0
    assert any(isinstance(command, IsOver) for command in two["b"].done)


def test_a_burst_that_never_began_on_a_worker_does_not_vanish_from_a_complete_run(two: Cluster) -> None:
    run = two.begin([*closed_phases(1), replace(BURST, number=1)])
    two.time.after(20.0, lambda: two["a"].over.add(1))
    two.carry_out()
    reason = "phase 2 did not run: its user ended before its burst began"
    assert run.incomplete == f"ended early: 1 of 2 phases ({reason})"


@pytest.mark.parametrize("others", [("c",), ()])
def test_a_burst_whose_worker_vanishes_is_begun_again_or_marked_and_never_waited_for(
    two: Cluster, others: Sequence[str]
) -> None:
    run = two.begin([BURST], worker_grace=20.0)
    lose(two, "a", after=3.0)
    for name in others:
        add(two, name, after=10.0)
        run_burst(two, "b", after=25.0, seconds=5.0, phase=replace(BURST, attempt=1))
    two.carry_out()
    assert two.ledger.windows[0].phase.attempt == len(others)
    assert run.incomplete == ("" if others else "phase 1 lacked 1 of 2 workers")


# The start
