"""Recall, data and connections of both sides: what is counted in a phase, and what makes a comparison invalid."""

import asyncio
import inspect
from functools import partial
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import msgpack
import numpy as np
import pytest

from loadgen.clients.llamaindex import AsyncClient, SyncClient
from loadgen.control.merged_ledger import MergedLedger
from loadgen.datasets import Checks, GroundTruth, GroundTruthKey
from loadgen.measure.health import Beat, Health
from loadgen.measure.ledger import Ledger, RunCounts
from loadgen.measure.phase import Phase
from loadgen.measure.recall import Check
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.results.comparison import Verdict
from loadgen.results.levels import LevelResult, find_levels
from tests.unit.beats import watch
from tests.unit.result_support import results_of
from tests.unit.stage import stage

NOTHING: dict[str, object] = {
    "windows": [],
    "outside": [],
    "nested_outside": [],
    "dropped_outside": {},
    "errors_outside": [],
}
ROUND = (Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC)


def run(recall: dict[Mode, float]) -> Ledger:
    """Four phases with the same throughput on both sides, and recall over 20 queries."""
    ledger = Ledger()
    for number, mode in enumerate(ROUND):
        start = 100.0 * (number + 1)
        ledger.open(Phase(number, mode, 8, seconds=10), start, start + 10)
        watch(ledger, start, 10)
        for place in range(100):
            at = start + 0.1 * place
            ledger([Sample(mode, "search", at, at, at + 0.05, Outcome.OK, 10)])
            ledger.check(Check(at + 0.05, place % 20, recall[mode], "search"))
        ledger.windows[number].connections = 2
        ledger.windows[number].data = ("abc",)
    return ledger


def level(ledger: Ledger, *objections: str) -> LevelResult:
    (result,) = find_levels(results_of(ledger), 1, objections={"async": objections})
    return result


def reasons(ledger: Ledger, *objections: str) -> tuple[str, ...]:
    comparison = level(ledger, *objections).comparisons["async"]
    assert comparison is not None
    assert (comparison.verdict is Verdict.INVALID) == bool(comparison.reasons)
    return comparison.reasons


def test_equal_sides_are_compared() -> None:
    ledger = run(dict.fromkeys(Mode, 0.95))
    assert reasons(ledger) == ()
    series = level(ledger).series(Mode.SYNC)
    assert series is not None
    assert series.recall == pytest.approx(0.95)


@pytest.mark.parametrize(("outcome", "blamed"), [(Outcome.OK, True), (Outcome.REJECTED, False)])
def test_a_busy_generator_is_a_reason_only_where_something_succeeded(outcome: Outcome, blamed: bool) -> None:
    ledger = Ledger()
    for number, mode in enumerate(ROUND):
        start = 100.0 * (number + 1)
        ledger.open(Phase(number, mode, 8, seconds=10), start, start + 10)
        ledger([Sample(mode, "insert", start + n / 10, start + n / 10, start + n / 10, outcome, 1) for n in range(99)])
        ledger.windows[number].health.add(Beat(start + 1, cpu=1.0, wall=1.0, hub_lag=0.0, loop_lag=0.0, in_flight=8))
    reported = [reason for reason in reasons(ledger) if "core" in reason]
    assert len(reported) == (len(ROUND) if blamed else 0)


@pytest.mark.parametrize("number", range(4))
def test_a_phase_in_which_nobody_looked_at_the_generator_makes_the_comparison_invalid(number: int) -> None:
    ledger = run(dict.fromkeys(Mode, 0.95))
    ledger.windows[number].health = Health()
    [reason] = reasons(ledger)
    assert reason.startswith(f"phase {number + 1}: the load generator reported CPU and lags for 0% of the time")


def test_another_recall_on_one_side_makes_the_comparison_invalid() -> None:
    ledger = run({Mode.SYNC: 0.95, Mode.ASYNC: 0.9})
    assert reasons(ledger) == ("recall differs: sync 0.950, async 0.900",)


def test_other_data_on_one_side_makes_the_comparison_invalid() -> None:
    ledger = run(dict.fromkeys(Mode, 0.95))
    ledger.windows[2].data = ("abc", "def")
    assert reasons(ledger) == ("data differs: sync abc, async abc and abc/def",)


def test_connections_that_nobody_asked_for_because_the_run_was_broken_off_are_no_other_ones() -> None:
    ledger = run(dict.fromkeys(Mode, 0.95))
    ledger.windows[3].connections = 0
    assert reasons(ledger) == ()


def test_other_connections_on_one_side_make_the_comparison_invalid() -> None:
    ledger = run(dict.fromkeys(Mode, 0.95))
    ledger.windows[1].connections = 1
    assert reasons(ledger) == ("connections differ: sync 2, async 1 and 2",)


def test_what_was_found_before_the_run_makes_every_comparison_invalid() -> None:
    assert reasons(run(dict.fromkeys(Mode, 0.95)), "other answers") == ("other answers",)


def test_a_check_counts_in_the_phase_in_which_its_search_finished() -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 8, seconds=10), 100.0, 110.0)
    ledger.open(Phase(1, Mode.ASYNC, 8, seconds=10), 112.0, 122.0)
    for finished, recall in ((99.0, 0.1), (105.0, 0.5), (111.0, 0.2), (113.0, 1.0), (122.0, 0.3)):
        ledger.check(Check(finished, 1, recall, "search"))
    assert [window.recalls.mean for window in ledger.windows.values()] == [0.5, 1.0]


def test_a_check_of_a_short_phase_counts_also_where_several_have_passed_since() -> None:
    ledger = Ledger()
    for number in range(4):
        ledger.open(Phase(number, Mode.SYNC, 1, operations=5), 100.0 + number, 100.5 + number)
    ledger.check(Check(100.1, 1, 0.5, "search"))
    ledger.spoil(102.2)
    assert [window.recalls.checks for window in ledger.windows.values()] == [1, 0, 0, 0]
    assert [window.recalls.changed for window in ledger.windows.values()] == [False, False, True, True]


def test_a_check_of_an_attempt_that_was_made_again_counts_there() -> None:
    ledger = Ledger()
    for attempt in range(2):
        ledger.open(Phase(0, Mode.SYNC, 1, seconds=1, attempt=attempt), 100.0 + 10 * attempt, 101.0 + 10 * attempt)
    result = [ledger.check(Check(at, 1, 0.5, "search")) for at in (100.5, 105.0, 110.5, 120.0)]
    assert [phase and phase.attempt for phase in result] == [0, None, 1, None]
    assert ledger.windows[0].recalls.checks == 1


@pytest.mark.parametrize("looks", ["before the burst", "in the burst", "both"])
def test_a_look_at_the_process_around_the_opening_of_a_burst_loses_no_check(looks: str) -> None:
    with stage() as at:
        state = at.process_state
        state.checks.arm(1, [(GroundTruthKey(1), state.queries_for("sync"))], str)
        state.checks.learn([GroundTruth(1, np.arange(1), np.arange(1))])
        beat = Beat(perf_counter(), cpu=0.0, wall=0.1, hub_lag=0.0, loop_lag=0.0, in_flight=1)
        phase = state.phase = Phase(0, Mode.SYNC, 1, operations=1)
        if looks != "in the burst":
            state.beat(beat)
        state.queue.put(partial(state.ledger.open, phase, perf_counter()))
        state.checks.keep("search", state.queries_for("sync")[0], ["0"])
        if looks != "before the burst":
            state.beat(beat)
        state.queue.put(partial(state.ledger.close, perf_counter()))
        assert state.queue.flush()
        state.settle()
        assert state.ledger.windows[0].recalls.mean == 1.0


def test_recall_goes_to_the_master_by_phase_without_loss() -> None:
    workers, master = [Ledger(), Ledger()], MergedLedger()
    for part, worker in enumerate(workers):
        worker.open(Phase(0, Mode.SYNC, 8, seconds=10), 100.0, 110.0)
        for report in range(3):
            for place in range(part + 1):
                worker.check(Check(101.0 + report, place, 0.5 + 0.1 * part, "search"))
            master.merge(msgpack.unpackb(msgpack.packb(worker.take_report(200.0))), f"worker {part}")
    assert master.windows[0].recalls.checks == 9
    assert master.windows[0].recalls.mean == pytest.approx((3 * 0.5 + 6 * 0.6) / 9)


def test_data_that_changes_ends_recall_from_that_phase_on_and_the_phases_before_keep_theirs() -> None:
    worker, master = Ledger(), MergedLedger()
    for number in range(3):
        start = 100.0 * (number + 1)
        worker.open(Phase(number, Mode.SYNC, 8, seconds=10), start, start + 10)
        worker.check(Check(start + 5, 1, 0.75, "search"))
        if number == 0:
            worker.spoil(195.0)  # the users of the second phase are there before its window
    master.merge(worker.take_report(400.0), "one")
    counted: tuple[RunCounts, ...] = (worker, master)
    for ledger in counted:
        assert [window.recalls.changed for window in ledger.windows.values()] == [False, True, True]
    assert [window.recalls.mean for window in master.windows.values()] == [0.75, None, None]
    worker.reset()
    worker.open(Phase(0, Mode.SYNC, 8, seconds=10), 500.0, 510.0)
    assert worker.windows[0].recalls.changed is False


def test_what_one_worker_changes_leaves_the_searches_of_another_without_recall_also_after_it_has_left() -> None:
    inserting, searching, master = Ledger(), Ledger(), MergedLedger()
    for number in range(3):
        start = 100.0 * (number + 1)
        for worker in (inserting, searching):
            worker.open(Phase(number, Mode.SYNC, 8, seconds=10), start, start + 10)
        if number == 1:
            inserting.spoil(205.0)
        searching.check(Check(start + 5, 1, 0.5, "search"))
        for name, worker in (("searching", searching), ("inserting", inserting))[: 2 if number < 2 else 1]:
            master.merge(msgpack.unpackb(msgpack.packb(worker.take_report(start + 50))), name)
    assert [window.recalls.changed for window in master.windows.values()] == [False, True, True]
    assert [window.recalls.mean for window in master.windows.values()] == [0.5, None, None]
    inserting.confirm(inserting.take_report(400.0)["sequence"])
    assert inserting.take_report(400.0)["windows"] == [], "it is said until it has arrived"


class Store:
    """Finds one row, and takes all that it is given."""

    def query(self, _query: object) -> SimpleNamespace:
        return SimpleNamespace(ids=["0"])

    def add(self, nodes: list[object]) -> list[str]:
        return ["1"] * len(nodes)

    def delete(self, _document: str) -> None:
        pass

    async def aquery(self, query: object) -> SimpleNamespace:
        return self.query(query)

    async def async_add(self, nodes: list[object]) -> list[str]:
        return self.add(nodes)

    async def adelete(self, document: str) -> None:
        self.delete(document)


@pytest.mark.parametrize("kind", [SyncClient, AsyncClient])
def test_a_search_is_put_aside_after_its_clock_has_stopped_and_a_change_of_the_data_is_noted(kind: Any) -> None:
    async def call(operation: str, given: object) -> None:
        result = getattr(client, operation)(given)
        if inspect.isawaitable(result):
            await result

    samples: list[Sample] = []
    queries = [object()]
    for change in ("insert", "delete"):
        checks = Checks()
        checks.arm(1, [(GroundTruthKey(1), queries)], str)
        checks.learn([GroundTruth(1, np.array([0]), np.array([0]))])
        client = kind(Store(), samples.append, checks)
        asyncio.run(call("search", queries[0]))
        (check,) = checks.settle()
        assert (check.query, check.recall) == (0, 1.0)
        assert check.finished >= samples[-1].finished
        assert checks.changed_at is None
        asyncio.run(call(change, ["node"]))
        assert checks.changed_at is not None
        assert checks.changed_at <= samples[-1].started
