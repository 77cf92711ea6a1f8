"""Runs of one mode, and runs that are given up before their end."""

from collections.abc import Callable, Iterator
from typing import cast

import pytest

from loadgen.control.fault_schedule import FaultSchedule, Injector
from loadgen.control.messages import (
    Command,
    Failure,
    Stop,
)
from loadgen.control.states import State
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome
from tests.unit.control_support import Cluster, closed_phases, cluster
from tests.unit.test_coordinator import lose


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A coordinator with the workers a and b."""
    with cluster(monkeypatch, "a", "b") as made:
        yield made


def follow(made: Cluster, users: int = 8, run_time: float = 60.0) -> None:
    """Begin a run of one mode."""
    made.begin()
    made.spawn_users(users)
    phase = Phase(0, Mode.SYNC, users)
    made.time.run(lambda: made.coordinator.follow(phase, lambda: users, run_time))


def test_a_run_of_one_mode_counts_from_when_all_users_have_started(two: Cluster) -> None:
    two["b"].starts_in = 7.0
    began = two.time()
    follow(two)
    two.time.pass_by(6.9)
    assert two.screen.opened == []
    assert two.coordinator.state is State.READY
    two.time.pass_by(20.1)
    ((phase, left),) = two.screen.opened
    assert phase.concurrency == 8
    assert left == pytest.approx(53.0, abs=0.2)
    two.time.run(two.coordinator.stop)
    assert two["a"].ledger.windows[0].start - began == pytest.approx(7.0, abs=0.2)
    assert two.ledger.windows[0].seconds == pytest.approx(20.0, abs=0.2)
    assert two.operations(0) == 8 * 20


def test_a_run_of_one_mode_that_is_stopped_before_its_users_have_started_counts_nothing(two: Cluster) -> None:
    two["b"].starts_in = 1e6
    follow(two)
    two.time.pass_by(20)
    two.time.run(two.coordinator.stop)
    two.coordinator.end_run()
    two.time.pass_by(10)
    assert two.screen.opened == []
    assert two.ledger.windows[0].operation_stats == {}
    assert two.coordinator.run.incomplete == "only 4 of 8 users had started, but counting begins with the last"


def test_users_that_end_by_themselves_in_a_run_of_one_mode_are_noted(two: Cluster) -> None:
    follow(two)
    two.time.pass_by(10)
    two["a"].gone = 3
    two.time.pass_by(5)
    two.time.run(two.coordinator.note_end)
    two.time.run(two.coordinator.stop)
    assert two.coordinator.run.incomplete == "3 users ended before the end of the run"
    assert two.ledger.windows[0].users_gone == 3


def test_workers_that_leave_because_they_are_told_to_stop_are_no_loss(two: Cluster) -> None:
    follow(two)
    two.time.pass_by(10)
    for name in ("a", "b"):

        def leave(command: Command, name: str = name) -> None:
            if isinstance(command, Stop):
                two.time.after(0.5, lambda: two.network.remove(name))

        two[name].on_command = leave
    two.time.run(two.coordinator.stop)
    two.time.pass_by(2)
    two.coordinator.agents.present()
    assert two.ledger.windows[0].workers_lost == 0
    assert two.coordinator.run.incomplete == ""


def test_a_worker_that_is_lost_in_a_run_of_one_mode_is_marked(two: Cluster) -> None:
    follow(two)
    lose(two, "b", after=10.5)
    two.time.pass_by(20)
    two.time.run(two.coordinator.stop)
    assert two.coordinator.run.incomplete == "lost 1 of 2 workers"
    assert (two.ledger.windows[0].workers_lost, two.ledger.windows[0].connections) == (1, 2)


def test_a_worker_that_falls_silent_as_a_run_is_stopped_is_marked(two: Cluster) -> None:
    follow(two)
    two.time.pass_by(10)
    two.network.freeze("b")
    two.time.run(two.coordinator.stop)
    assert two.coordinator.run.incomplete == "lost 1 of 2 workers"
    assert two.ledger.windows[0].workers_lost == 1


def test_a_worker_that_joins_a_run_of_one_mode_counts_from_then_on(two: Cluster) -> None:
    follow(two)
    two.time.pass_by(5)
    two.network.add("c")
    two.time.pass_by(5)
    assert two["c"].kinds() == ["prepare", "enter", "open_window"]
    two["c"].spawn(4)
    two.time.pass_by(5)
    two.time.run(two.coordinator.stop)
    assert two["c"].ledger.windows[0].operation_stats[Mode.SYNC, "search"].operations == 20
    assert two.operations(0) == sum(
        two[name].ledger.windows[0].operation_stats[Mode.SYNC, "search"].operations for name in ("a", "b", "c")
    )


# A server that does not answer


@pytest.mark.parametrize(
    ("outcome", "given", "reason", "after"),
    [
        (Outcome.UNAVAILABLE, {"give_up_after": 10}, "no operation succeeded for 10 s, 80 failed", 11),
        (None, {"give_up_after": 10}, "no operation succeeded for 10 s, 8 are waiting for an answer", 11),
        (
            None,
            {"give_up_after": 5, "deadline": 19},
            "no operation succeeded for 20 s, 8 are waiting for an answer",
            21,
        ),
    ],
)
def test_a_run_against_a_server_that_answers_nothing_is_given_up(
    two: Cluster, outcome: Outcome | None, given: dict[str, float], reason: str, after: float
) -> None:
    run = two.begin(closed_phases(2, seconds=60.0), "one", **given)
    two["a"].outcome = two["b"].outcome = outcome
    began = two.time()
    two.carry_out()
    words = f"{reason}: is the server at http://***@milvus:19530 alive?"
    assert two.process.ended == [words]
    assert run.incomplete == f"ended early: 0 of 2 phases ({words})"
    assert two.time() - began == pytest.approx(after, abs=3.0)


@pytest.mark.parametrize(
    ("outcome", "limit"), [(Outcome.UNAVAILABLE, 0), (Outcome.OK, 10), (Outcome.EMPTY, 10), (None, 0)]
)
def test_a_run_goes_on_where_the_server_answers_or_nobody_gives_up(
    two: Cluster, outcome: Outcome | None, limit: int
) -> None:
    run = two.begin(closed_phases(1, seconds=60.0), give_up_after=limit)
    two["a"].outcome = two["b"].outcome = outcome
    two.carry_out()
    assert (two.process.ended, run.completed) == ([], 1)


def test_a_run_whose_own_server_has_died_ends(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    two.time.after(4.5, lambda: setattr(two.process, "death", "the embedded server has ended: out of memory"))
    two.carry_out()
    assert run.incomplete == "ended early: 0 of 2 phases (the embedded server has ended: out of memory)"
    assert two.time() - 1000 < 8


class Fault(FaultSchedule):
    """A fault whose recovery limit ends at a moment."""

    def __init__(self, now: Callable[[], float], until: float) -> None:
        super().__init__((), cast("Injector", None), 0.0)
        self._now, self._until = now, until

    def suspends(self) -> bool:
        return self._now() < self._until


@pytest.mark.parametrize(
    ("death", "reason"), [("", "no operation succeeded for 10 s"), ("the embedded server has ended", "has ended")]
)
def test_a_fault_suspends_the_end_of_a_silent_or_dead_server_until_its_limit(
    two: Cluster, death: str, reason: str
) -> None:
    run = two.begin(closed_phases(1, seconds=90.0), give_up_after=10)
    run.drill = Fault(two.time, two.time() + 40)
    two["a"].outcome = two["b"].outcome = Outcome.UNAVAILABLE
    two.process.death = death
    began = two.time()
    two.carry_out()
    assert reason in run.incomplete
    assert two.time() - began == pytest.approx(40 if death else 50, abs=4.0)


def test_a_worker_that_cannot_go_on_ends_the_run_with_its_words_and_the_first_counts(two: Cluster) -> None:
    run = two.begin(closed_phases(2))
    two.time.after(4.5, lambda: two["b"].send(Failure("its event loop has died", "one")))
    two.time.after(4.6, lambda: two["a"].send(Failure("other words", "one")))
    two.carry_out()
    assert two.process.ended == ["worker b: its event loop has died"]
    assert run.incomplete == "ended early: 0 of 2 phases (worker b: its event loop has died)"


# The network
