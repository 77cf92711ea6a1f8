"""Samples are counted in the phase in which they finish, and merged without loss."""

import math

import msgpack
import numpy as np
import pytest

from loadgen.control.merged_ledger import MergedLedger
from loadgen.measure.health import new_lags
from loadgen.measure.histograms import new_histogram
from loadgen.measure.ledger import Ledger, RunCounts
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, OutcomeClass, Sample

PHASES = [Phase(number, mode, 8, seconds=10) for number, mode in enumerate((Mode.SYNC, Mode.ASYNC))]


def sample(finished: float, took: float = 0.01, outcome: Outcome = Outcome.OK, mode: Mode = Mode.SYNC) -> Sample:
    return Sample(mode, "search", finished - took, finished - took, finished, outcome, 10)


def send(worker: Ledger, master: MergedLedger, now: float, name: str = "one") -> None:
    """Send a report that arrives."""
    master.merge(msgpack.unpackb(msgpack.packb(worker.take_report(now))), name)


def test_only_what_finishes_within_the_window_counts() -> None:
    ledger = Ledger()
    ledger([sample(99.0)])
    ledger.open(PHASES[0], 100.0, 110.0)
    ledger([sample(99.999), sample(100.0), sample(105.0), sample(109.999), sample(110.0)])
    window = ledger.windows[0]
    assert window.operation_stats[Mode.SYNC, "search"].operations == 3
    assert window.operation_stats[Mode.SYNC, "search"].rows == 30
    assert window.seconds == 10


def test_a_sample_that_arrives_after_the_next_phase_began_counts_in_its_own() -> None:
    ledger = Ledger()
    ledger.open(PHASES[0], 100.0, 110.0)
    ledger.open(PHASES[1], 112.0, 122.0)
    ledger([sample(109.0), sample(111.0), sample(113.0, mode=Mode.ASYNC)])
    assert ledger.windows[0].operation_stats[Mode.SYNC, "search"].operations == 1
    assert ledger.windows[1].operation_stats[Mode.ASYNC, "search"].operations == 1


def test_a_phase_that_was_expected_gets_the_time_of_its_start_from_the_reports() -> None:
    worker, master = Ledger(), MergedLedger()
    master.expect(PHASES[0])
    worker.open(PHASES[0].starting(1_700_000_000.0), 100.0, 110.0)
    send(worker, master, 111.0)
    assert master.windows[0].phase.started_at == 1_700_000_000.0


def test_an_open_window_is_as_long_as_until_its_close() -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.ASYNC, 10, style="async", operation="search", operations=2), 100.0)
    ledger([sample(100.5, mode=Mode.ASYNC), sample(101.0, mode=Mode.ASYNC)])
    ledger.close(101.25)
    ledger.close(200.0)
    assert ledger.windows[0].seconds == 1.25


def test_a_timed_phase_that_is_broken_off_is_as_long_as_it_ran() -> None:
    worker, master = Ledger(), MergedLedger()
    worker.open(PHASES[0], 100.0, 110.0)
    worker([sample(101.0)])
    send(worker, master, 103.0)
    worker.cut(104.0)
    worker([sample(105.0)])
    send(worker, master, 106.0)
    worker.close(109.0)
    assert worker.windows[0].seconds == master.windows[0].seconds == 4
    assert master.windows[0].operation_stats[Mode.SYNC, "search"].operations == 1


def test_a_phase_broken_off_in_its_warm_up_has_no_length() -> None:
    ledger = Ledger()
    ledger.open(PHASES[0], 100.0, 110.0)
    ledger.cut(99.0)
    ledger([sample(101.0)])
    assert (ledger.windows[0].seconds, ledger.windows[0].operation_stats) == (0, {})


def test_percentiles_are_exact_to_three_digits_and_leave_out_only_refusals() -> None:
    ledger = Ledger()
    ledger.open(PHASES[0], 0.0, 1e6)
    ledger([sample(1000.0 + number, took=number / 1000) for number in range(1, 1001)])
    ledger([sample(3000.0, took=30.0, outcome=Outcome.TIMEOUT), sample(3000.0, took=1e-4, outcome=Outcome.UNAVAILABLE)])
    stats = ledger.windows[0].operation_stats[Mode.SYNC, "search"]
    assert stats.percentile(50) == pytest.approx(0.501, rel=2e-3)
    assert stats.percentile(99) == pytest.approx(0.991, rel=2e-3)
    assert stats.percentile(100) == pytest.approx(30.0, rel=2e-3)
    assert (stats.operations, stats.failures) == (1002, 2)


def test_nothing_counted_has_no_percentile() -> None:
    ledger = Ledger()
    ledger.open(PHASES[0], 0.0, 10.0)
    ledger([sample(1.0, outcome=Outcome.FAILED)])
    assert math.isnan(ledger.windows[0].operation_stats[Mode.SYNC, "search"].percentile(50))


def test_reports_of_two_workers_add_up_to_what_one_process_would_have_counted() -> None:
    alone, master = Ledger(), MergedLedger()
    workers = [Ledger(), Ledger()]
    for ledger in (alone, *workers):
        ledger.open(PHASES[0], 0.0, 1e6)
    for number in range(1, 601):
        one = sample(10.0 + number, took=number / 500, outcome=Outcome.TIMEOUT if number % 7 == 0 else Outcome.OK)
        alone([one])
        workers[number % 2]([one])
        if number % 150 == 0:
            for name, worker in enumerate(workers):
                send(worker, master, 2e6, f"worker {name}")
    counted: tuple[RunCounts, ...] = (alone, master)
    mine, merged = (ledger.windows[0].operation_stats[Mode.SYNC, "search"] for ledger in counted)
    assert merged.outcomes == mine.outcomes
    assert merged.rows == mine.rows
    assert [merged.percentile(p) for p in (1, 50, 90, 99, 100)] == [mine.percentile(p) for p in (1, 50, 90, 99, 100)]
    assert master.windows[0].seconds == alone.windows[0].seconds


def test_the_length_of_a_burst_reaches_the_master_also_when_its_samples_went_before() -> None:
    worker, master = Ledger(), MergedLedger()
    worker.open(Phase(4, Mode.SYNC, 1, style="sync", operation="search", operations=1), 10.0)
    worker([sample(10.5)])
    send(worker, master, 10.6)
    worker.close(10.75)
    send(worker, master, 10.8)
    assert master.windows[4].seconds == 0.75
    assert master.windows[4].operation_stats[Mode.SYNC, "search"].operations == 1


OPEN = Phase(0, Mode.ASYNC, 0, seconds=10, model="poisson", rate=100.0)


def late(finished: float, waited: float, took: float, outcome: Outcome = Outcome.OK) -> Sample:
    """An operation that started so long after it was due."""
    started = finished - took
    return Sample(Mode.ASYNC, "search", started - waited, started, finished, outcome, 1)


def test_service_and_response_times_are_apart_where_operations_start_late_and_survive_the_way_to_the_master() -> None:
    worker, master = Ledger(), MergedLedger()
    worker.open(OPEN, 100.0, 110.0)
    worker([late(101.0 + number / 1000, waited=0.0, took=0.02) for number in range(300)])
    worker([late(102.0 + number / 1000, waited=0.5, took=0.02) for number in range(300)])
    send(worker, master, 103.0)
    worker([late(104.0, waited=0.5, took=0.02)])
    send(worker, master, 111.0)
    stats = master.windows[0].operation_stats[Mode.ASYNC, "search"]
    assert stats.operations == stats.service.get_total_count() == stats.response.get_total_count() == 601
    assert stats.service.get_max_value() == pytest.approx(20_000, rel=2e-3)
    assert stats.percentile(40) == pytest.approx(0.02, rel=2e-3)
    assert stats.percentile(60) == pytest.approx(0.52, rel=2e-3)
    quantiles = [number for piece in master.windows[0].slices["search"] for number in piece.buckets]
    assert len(set(quantiles)) == 2, "slices have the response times"


def test_each_outcome_class_has_its_own_times_and_refusals_are_in_no_percentile() -> None:
    ledger = Ledger()
    ledger.open(PHASES[0], 100.0, 110.0)
    for took, outcome in ((0.01, Outcome.OK), (0.02, Outcome.EMPTY), (30.0, Outcome.TIMEOUT), (5.0, Outcome.THROTTLED)):
        ledger([sample(105.0, took, outcome)])
    stats = ledger.windows[0].operation_stats[Mode.SYNC, "search"]
    largest = {kind: times.service.get_max_value() / 1e6 for kind, times in stats.times.items()}
    wanted = {OutcomeClass.ANSWERED: 0.02, OutcomeClass.TIMEOUT: 30.0, OutcomeClass.FAILED: 5.0}
    assert largest == pytest.approx(wanted, rel=2e-3)
    assert stats.response.get_total_count() == 3
    assert (stats.operations, stats.failures) == (4, 2)


def test_counting_many_at_once_gives_the_histogram_of_one_by_one() -> None:
    rng = np.random.default_rng(3)
    times = np.concatenate([rng.lognormal(-4, 2, 5_000), [0.0, 1e-7, 1e-6, 2.047e-3, 2.048e-3, 599.0, 700.0]])
    one_by_one = new_histogram()
    for seconds in times:
        one_by_one.record_value(min(max(1, round(seconds * 1e6)), 600_000_000))
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 1), 0.0)
    ledger([Sample(Mode.SYNC, "search", 0.0, 0.0, seconds, Outcome.OK, 1) for seconds in times])
    assert ledger.windows[0].operation_stats[Mode.SYNC, "search"].service.encode() == one_by_one.encode()


def test_what_a_windows_end_finds_under_way_is_left_over_with_its_age_and_no_operation_of_it() -> None:
    ledger = Ledger()
    ledger.open(OPEN, 100.0, 110.0)
    ledger([late(109.9, 0.1, 0.1), late(110.2, waited=0.5, took=0.1), late(112.0, waited=0.0, took=1.0)])
    ledger.drop([109.0, 109.5], at=110.5)
    flow = ledger.windows[0].flow
    assert ledger.windows[0].operation_stats[Mode.ASYNC, "search"].operations == 1
    assert (flow.unfinished, flow.dropped) == (3, 0), "one was due after the end"
    assert flow.left.get_max_value() == pytest.approx(1_000_000, rel=2e-3)


def test_dropped_arrivals_count_in_the_phase_of_their_moment_and_reach_the_master() -> None:
    worker, master = Ledger(), MergedLedger()
    worker.open(OPEN, 100.0, 110.0)
    assert worker.drop([98.0], at=99.0) == 1
    assert worker.drop([100.5, 100.6], at=101.0) == 2
    send(worker, master, 102.0)
    worker.drop([103.0], at=104.0)
    worker.offer(1000, new_lags())
    assert worker.drop([109.7], at=110.7) == 0, "left over by the end of its phase"
    send(worker, master, 111.0)
    flow = master.windows[0].flow
    assert (flow.offered, flow.dropped, flow.unfinished) == (1000, 3, 1)
    assert master.dropped_outside == {Mode.ASYNC: 1}, "in the warm-up"
