"""Messages between a coordinator and its workers: lost, repeated, late, or of another run."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random

import pytest

from loadgen.control.messages import (
    Answer,
    Command,
    Failure,
    FromAgent,
    OpenWindow,
    Prepare,
    Report,
)
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from tests.unit.control_support import Cluster, closed_phases, cluster


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A coordinator with the workers a and b."""
    with cluster(monkeypatch, "a", "b") as made:
        yield made


def some(copies: Sequence[float]) -> Callable[[Command | FromAgent], Sequence[float]]:
    """A third of all messages have this fate."""
    random = Random(7)
    return lambda _message: copies if random.random() < 1 / 3 else (0.0,)


@pytest.mark.parametrize("copies", [(), (0.0, 0.0), (0.0, 3.0), (1.3,), (0.7, 2.1, 2.2)])
def test_messages_that_are_lost_repeated_or_late_change_nothing(two: Cluster, copies: Sequence[float]) -> None:
    run = two.begin(closed_phases(2, seconds=30.0))
    two.network.fate = some(copies)
    two.carry_out()
    two.time.pass_by(10)
    assert run.incomplete == ""
    for name in ("a", "b"):
        numbers = [command.sequence for command in two[name].done]
        assert len(numbers) == len(set(numbers)), "no command is carried out twice"
    counted = [
        sum(two[name].ledger.windows[number].operation_stats[Mode.SYNC, "search"].operations for name in ("a", "b"))
        for number in range(2)
    ]
    assert [two.operations(number) for number in range(2)] == counted
    assert min(counted) > 200


def test_what_is_said_of_another_run_is_dropped_and_logged(two: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "loadgen")
    two.begin(closed_phases(1))
    old = Ledger()
    old.open(Phase(0, Mode.ASYNC, 8, seconds=10), 100.0, 110.0)
    old([Sample(Mode.ASYNC, "search", 100.5, 100.5, 101.0, Outcome.OK, 1)] * 50)
    body = old.take_report(111.0)
    hear = two.coordinator.receive
    hear("a", Report("an earlier one", body["sequence"], body))
    hear("a", Failure("I was too slow", "an earlier one"))
    call = two.coordinator.agents._caller.begin("one", {"a": OpenWindow(Phase(0, Mode.SYNC, 1))})
    two.network.workers["a"].done.clear()
    hear("b", Answer("an earlier one", call.sequence))
    hear("a", Answer("an earlier one", call.sequence + 1))
    assert call.pending == set(), "a has answered"
    assert "b" not in call.answers
    assert two.ledger.windows == {}
    assert two.process.ended == []
    assert [record.message for record in caplog.records if "Dropped" in record.message] == [
        "Dropped a report of a: it is of run an earlier one",
        "Dropped a failure of a: it is of run an earlier one",
    ]


def test_a_worker_that_is_stopped_across_the_end_of_a_run_brings_nothing_of_it_into_the_next(two: Cluster) -> None:
    two.begin(closed_phases(1))
    two.time.after(5.5, lambda: two.network.freeze("b"))
    two.carry_out()
    assert two.coordinator.run.incomplete == "phase 1 lacked 1 of 2 workers"
    plan = tuple(replace(phase, mode=Mode.ASYNC) for phase in closed_phases(2))
    run = two.begin(plan, run_id="two", expected=1)
    two.time.after(5.0, lambda: two.network.thaw("b"))
    two.carry_out()
    assert run.incomplete == ""
    assert {mode for window in two.ledger.windows.values() for mode, _ in window.operation_stats} == {Mode.ASYNC}
    assert {mode for mode, _ in two.ledger.outside} <= {Mode.ASYNC}
    assert [command.run_id for command in two["b"].done if isinstance(command, Prepare)] == ["one", "two"]
    assert two.operations(1) == 80, "it takes part again"


def test_reports_are_confirmed_so_that_later_ones_say_what_is_new_only(two: Cluster) -> None:
    two.begin(closed_phases(3))
    two.carry_out()
    body = two["a"].ledger.take_report(two.time())
    assert body["windows"] == []


def test_a_coordinator_that_is_closed_looks_after_nobody(two: Cluster) -> None:
    two.begin(closed_phases(1))
    two.coordinator.close()
    two.network.add("c")
    two.time.pass_by(5)
    assert two["c"].done == []
