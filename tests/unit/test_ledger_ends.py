"""What is on its way at the end of a phase, and what belongs to no operation."""

import msgpack
import pytest

from loadgen.control.merged_ledger import MergedLedger
from loadgen.measure.errors import KINDS, OTHER, ErrorKind
from loadgen.measure.ledger import Ledger
from loadgen.measure.sample import Mode, Outcome
from tests.unit.beats import watch
from tests.unit.test_ledger import PHASES, sample, send


def test_what_a_closed_phase_finds_under_way_at_its_end_is_left_over_with_its_age() -> None:
    ledger = Ledger()
    ledger.open(PHASES[0], 100.0, 110.0)
    ledger([sample(109.0), sample(111.0, took=2.0), sample(113.0, took=2.9)])
    flow = ledger.windows[0].flow
    assert flow.unfinished == 1
    assert flow.left.get_max_value() == pytest.approx(1_000_000, rel=2e-3)


def test_what_finishes_at_the_very_end_of_a_phase_is_left_over_by_it() -> None:
    ledger = Ledger()
    ledger.open(PHASES[0], 100.0, 110.0)
    ledger([sample(110.0, took=2.0)])
    assert (ledger.windows[0].flow.unfinished, ledger.windows[0].operation_stats) == (1, {})


def test_every_operation_is_counted_once_in_a_phase_or_outside_of_all_and_so_on_the_master() -> None:
    worker, master = Ledger(), MergedLedger()
    worker([sample(98.0)])
    worker.open(PHASES[0], 100.0, 110.0)
    worker([sample(99.0, outcome=Outcome.FAILED), sample(101.0), sample(110.5, took=2.0)])
    send(worker, master, 111.0)
    worker.open(PHASES[1], 112.0, 122.0)
    worker([sample(111.5, mode=Mode.ASYNC), sample(113.0, mode=Mode.ASYNC), sample(109.5)])
    send(worker, master, 123.0)
    counted = {
        (key, number): stats.operations
        for number in (0, 1)
        for key, stats in master.windows[number].operation_stats.items()
    }
    assert counted == {((Mode.SYNC, "search"), 0): 2, ((Mode.ASYNC, "search"), 1): 1}
    assert master.outside == {
        (Mode.SYNC, "search"): {Outcome.OK: 2, Outcome.FAILED: 1},
        (Mode.ASYNC, "search"): {Outcome.OK: 1},
    }
    master.reset()
    assert master.outside == {}


def test_exceptions_of_tasks_count_in_the_phase_of_their_moment_and_reach_the_master() -> None:
    worker, master = Ledger(), MergedLedger()
    wrong, other = ErrorKind("ValueError", "search.py:3"), ErrorKind("KeyError", "search.py:4")
    for phase, start in zip(PHASES, (100.0, 112.0), strict=True):
        worker.open(phase, start, start + 10)
        for kind, at in ((wrong, start - 1), (wrong, start), (other, start + 9.99), (wrong, start + 10)):
            worker.count_error(phase.mode, kind, at)
    worker.count_error(Mode.SYNC, wrong, 105.0)
    assert [window.errors.total for window in worker.windows.values()] == [3, 2], "the last one came late"
    for now in (130.0, 131.0):
        master.merge(msgpack.unpackb(msgpack.packb(worker.take_report(now))), "one")
    assert list(master.windows[0].errors) == [(Mode.SYNC, wrong, 2), (Mode.SYNC, other, 1)]
    assert list(master.windows[1].errors) == [(Mode.ASYNC, wrong, 1), (Mode.ASYNC, other, 1)]
    assert list(master.errors_outside) == [(Mode.SYNC, wrong, 2), (Mode.ASYNC, wrong, 2)]
    master.reset()
    assert not master.errors_outside


def test_kinds_of_exceptions_are_bounded_and_none_is_lost() -> None:
    ledger = Ledger()
    for line in range(1_000):
        ledger.count_error(Mode.SYNC, ErrorKind("ValueError", f"search.py:{line}"), 1.0)
    assert ledger.errors_outside.total == 1_000
    result = {kind: number for _, kind, number in ledger.errors_outside}
    assert len(result) == KINDS + 1
    assert result[OTHER] == 1_000 - KINDS


def test_a_worker_that_joins_within_a_phase_covers_what_is_left_of_it() -> None:
    worker, master = Ledger(), MergedLedger()
    worker.open(PHASES[0], 100.0, 110.0, entered=107.0)
    assert [worker.windows[0].covered(now) for now in (104.0, 108.0, 120.0)] == [0.0, 1.0, 3.0]
    watch(worker, 107.0, 3.0)
    master.merge(worker.take_report(111.0), "late")
    assert master.windows[0].gaps() == []
    other = Ledger()
    other.open(PHASES[0], 100.0, 110.0, entered=99.0)
    watch(other, 107.0, 3.0)
    master.merge(other.take_report(111.0), "there from the start")
    [gap] = master.windows[0].gaps()
    assert gap.startswith("1 of 2 workers reported CPU and lags for 30% of the time")
