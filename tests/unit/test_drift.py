"""Drift from the first phase of a variant to its last is seen; `tests/simulation` shows that noise is not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from loadgen.measure.histograms import SparseHistogram
from loadgen.measure.sample import Outcome
from loadgen.measure.slice_table import SliceTable
from loadgen.measure.slices import SliceStats, add_times
from loadgen.results.bootstrap import SlicedPhase
from loadgen.results.drift import LEAST, P50, THROUGHPUT, find_drift, say_drifts
from loadgen.results.record import CollectionRecord, CourseRecord, OperationRecord, RunRecord
from loadgen.results.series import find_series
from tests.unit.record_support import manifest, operation, record, timed
from tests.unit.record_support import phase as recorded
from tests.unit.simulated_phases import ALONE, Machine, drifts, rounds, stats


def test_a_drift_beyond_the_noise_is_found_and_has_its_size() -> None:
    long = Machine(order=rounds("AB", 5), linear=0.5, phase_noise=0.03)
    result = drifts(long, 60)[THROUGHPUT]
    assert len(result) >= 20
    assert float(np.median(result)) == pytest.approx(np.exp(0.5 * 0.95), rel=0.15)
    slower = drifts(replace(long, linear=-0.5), 60)[THROUGHPUT]
    assert len(slower) >= 25
    assert max(slower) < 1


def test_response_times_drift_the_other_way() -> None:
    result = drifts(Machine(order=rounds("AB", 5), linear=0.6, phase_noise=0.03), 40)[P50]
    assert len(result) >= 20
    assert max(result) < 1


def phase(operations: int, slices: int = 10) -> SlicedPhase:
    times = {5_000: operations}
    return SlicedPhase("A", SliceTable.of([SliceStats(1.0, operations, SparseHistogram(times)) for _ in range(slices)]))


def test_a_small_change_is_none_however_certain_it_is() -> None:
    many = [phase(10_000) for _ in range(40)]
    assert find_drift([*many, phase(int(10_000 * (1 + LEAST) * 0.99))], THROUGHPUT, ALONE) is None
    assert find_drift([*many, phase(20_000)], THROUGHPUT, ALONE) == pytest.approx(2.0)
    assert find_drift([*many, phase(5_000)], THROUGHPUT, ALONE) == pytest.approx(0.5)


def test_a_change_in_between_is_none_of_first_and_last() -> None:
    assert find_drift([phase(1_000), phase(3_000), phase(1_000)], THROUGHPUT, ALONE) is None


def test_a_phase_in_which_nothing_ended_is_no_evidence_of_drift() -> None:
    assert find_drift([phase(1_000), phase(0)], THROUGHPUT, ALONE) is None
    assert find_drift([phase(0), phase(1_000)], THROUGHPUT, ALONE) is None


def test_the_same_phases_give_the_same_answer() -> None:
    phases = [phase(1_000), phase(900), phase(2_400)]
    assert find_drift(phases, THROUGHPUT, ALONE) == find_drift(phases, THROUGHPUT, ALONE)


def course(counts: list[int], seconds: float = 1.0) -> OperationRecord:
    """An operation of a run of one mode."""
    return operation(course=CourseRecord(seconds=seconds, answered=tuple(counts)))


def one_mode(counts: list[int], *others: OperationRecord, **given: Any) -> RunRecord:
    return record(recorded("async", 8, course(counts), *others), manifest=manifest(**given))


def said_of(run: RunRecord) -> list[str]:
    return [*say_drifts(run, find_series(run))]


def noisy(counts: list[float]) -> list[int]:
    rng = np.random.default_rng(3)
    return [round(count * rng.normal(1, 0.03)) for count in counts]


SINKING = noisy([1_000 - 5 * second for second in range(120)])


def test_a_run_of_one_mode_is_looked_at_from_two_minutes_on() -> None:
    (said,) = said_of(one_mode(SINKING))
    assert said.startswith("search of async at 8 users drifted: the last tenth of its phase had 0.4")
    assert "times the operations/s of the first, which is more than noise" in said
    assert said_of(one_mode(noisy([1_000.0] * 120))) == []
    assert said_of(one_mode(SINKING[:119])) == []


def test_a_single_long_phase_with_slices_is_looked_at_too() -> None:
    sliced = record(recorded("async", 8, timed(SINKING), seconds=120.0))
    assert len(said_of(sliced)) == 1
    twice = record(*(recorded("async", 8, timed(SINKING), seconds=120.0) for _ in range(2)))
    assert said_of(twice) == [], "the last phase is like the first"


def collection(compaction: Any = "completed", before: int | None = 3, after: int | None = 3) -> CollectionRecord:
    return CollectionRecord(
        name="papers", compaction=compaction, segments_loaded=9, segments_before=before, segments_after=after
    )


def written(name: str, number: int) -> OperationRecord:
    return operation(name, {Outcome.OK: number, Outcome.TIMEOUT: 5}, recall=None)


GREW = "The 1,200 inserts of the run made the collection grow meanwhile"
CHANGED = "The 1,200 inserts and 300 deletes of the run changed the collection meanwhile"
PENDING = "Compaction had not been completed before the run: papers (not awaited). Milvus may have merged segments"
MERGED = "The server merged or split segments meanwhile (9 of papers before the run, 3 after it)"
NEITHER = "Neither inserts nor a compaction of the run can be the cause: the machine or the server changed"


def test_ingests_are_a_cause_too() -> None:
    (said,) = said_of(one_mode(SINKING, written("ingest", 40)))
    assert "The 40 ingests of the run made the collection grow meanwhile" in said


@pytest.mark.parametrize(
    ("writes", "collections", "expected"),
    [
        ([], [collection()], [NEITHER]),
        ([], [], [NEITHER]),
        ([], [collection("not supported", None, None)], [NEITHER]),
        ([], [collection(before=9)], [MERGED]),
        ([], [collection("not awaited", 9)], [PENDING, "(9 of papers before the run, 3 after it)"]),
        ([("insert", 1_200)], [collection(before=2)], [GREW]),
        ([("insert", 1_200), ("delete", 300)], [collection()], [CHANGED]),
        ([("insert", 1_200)], [collection("not awaited", None, None)], [GREW, PENDING]),
        ([("insert", 0)], [collection()], [NEITHER]),
    ],
)
def test_the_cause_is_what_the_record_shows(
    writes: list[tuple[str, int]], collections: list[CollectionRecord], expected: list[str]
) -> None:
    others = [written(*one) for one in writes]
    (said,) = said_of(one_mode(SINKING, *others, collections=tuple(collections)))
    every = (GREW, CHANGED, PENDING, MERGED, NEITHER)
    assert [text for text in every if text in said] == [text for text in expected if text in every]
    assert all(text in said for text in expected)


def test_simulated_slices_are_those_that_a_run_would_count() -> None:
    rng = np.random.default_rng(8)
    owner = np.repeat(np.arange(4), [30, 0, 500, 7])
    seconds = rng.pareto(1.5, len(owner)) / 100
    counted = [SliceStats(1.0) for _ in range(4)]
    add_times(counted, (owner + 0.5) / 4, seconds, answered=True)
    assert stats(owner, seconds, 4) == counted
