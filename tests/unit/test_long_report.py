"""The figures of a long run: computed many phases at once, and the same as one by one."""

import gc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from loadgen.measure.histogram_texts import sum_histograms
from loadgen.measure.histograms import find_values, new_histogram
from loadgen.measure.sample import Outcome
from loadgen.measure.slice_table import SliceTable
from loadgen.measure.slices import SliceStats, add_good, add_times
from loadgen.reports.summary import summarize
from loadgen.reports.tables import level_table
from loadgen.results import resampling
from loadgen.results.record import OperationRecord, RecordError, RunRecord, Slices, read_record, write_record
from loadgen.results.resampling import batches, draw_blocks, resample, resample_together
from tests.unit.record_support import durations, operation, phase, record

ROUND = ("sync", "async", "async", "sync")


def draw(seed: int, mean: float, slices: int) -> tuple[list[SliceStats], np.ndarray]:
    """Slices of 1 s with about 28 answers each and none in one of them, and all their times in seconds."""
    rng = np.random.default_rng(seed)
    pieces, every = [SliceStats(1.0) for _ in range(slices)], []
    for number, piece in enumerate(pieces):
        times = mean * np.exp(rng.normal(0, 0.6, 0 if number == seed % 40 else rng.poisson(28)))
        add_times([piece], np.zeros(len(times)), times, answered=True)
        add_good([piece], np.zeros(int(0.8 * len(times))))
        every.append(times)
    return pieces, np.concatenate(every)


def drawn_operation(number: int) -> OperationRecord:
    pieces, times = draw(number, 0.01 if ROUND[number % 4] == "sync" else 0.008, 13 if number % 5 == 0 else 10)
    histogram = new_histogram()
    for value in find_values(times).tolist():
        histogram.record_value(value)
    return operation(
        response=durations().model_copy(update={"histogram": histogram.encode().decode()}),
        outcomes={Outcome.OK: len(times)},
        good=sum(piece.good for piece in pieces),
        slices=Slices.of(pieces, is_judged=True),
    )


def long_run(phases: int) -> RunRecord:
    return record(*(phase(ROUND[number % 4], 8, drawn_operation(number)) for number in range(phases)))


def test_the_table_of_a_long_run_shows_the_figures_of_its_seed() -> None:
    """Pinned: each phase is drawn as in the version that resampled one phase after the other."""
    blocking, asynchronous = level_table(summarize(long_run(280)), "search").rows
    rates, times = ("27.36", "26.9 to 27.7", "21.50", "21.1 to 21.7"), ("10.11", "21.68", "26.86", "39.42", "59.97")
    assert blocking == ("8 users", "sync", *rates, *times, "38.8 to 40.7", "0", "0")
    rates, times = ("27.11", "26.7 to 27.4", "21.29", "20.9 to 21.5"), ("8.03", "17.36", "21.61", "32.66", "52.51")
    assert asynchronous == ("8 users", "async", *rates, *times, "31.7 to 33.4", "0", "0")


def tables() -> list[SliceTable]:
    """Of the same number of slices, with other buckets each; one without times, one that answered nothing."""
    counted = [SliceTable.of(draw(seed, 0.01 * (1 + seed), 10)[0]) for seed in range(4)]
    return [*counted, counted[0].only_good(), SliceTable.of([SliceStats(1.0) for _ in range(10)])]


def test_phases_resampled_together_have_the_replicates_that_each_has_alone() -> None:
    rng = np.random.default_rng(5)
    together = resample_together(tables(), np.array([draw_blocks(10, rng, 50) for _ in tables()]))
    rng = np.random.default_rng(5)
    alone = [resample(table, rng, 50) for table in tables()]
    assert together == pytest.approx(np.array(alone), abs=1e-12, nan_ok=True)
    assert np.isnan(together[4:, :, 1:]).all(), "no times, no quantiles"
    assert np.isfinite(together[:4]).all()


@pytest.mark.parametrize(
    ("cells", "lengths", "expected"),
    [
        (10**6, (10, 10, 10), [3]),
        (10**6, (10, 10, 12, 10), [2, 1, 1]),
        (2 * 11 * 10, (10, 10, 10), [2, 1]),
        (1, (10, 10), [1, 1]),
    ],
)
def test_phases_are_computed_together_where_their_slices_are_as_many_and_memory_allows(
    cells: int, lengths: Sequence[int], expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resampling, "CELLS_AT_MOST", cells)
    phases = [SliceTable.of([SliceStats(1.0)] * length) for length in lengths]
    cut = list(batches(phases, 10))
    assert [len(batch) for batch in cut] == expected
    assert [table for batch in cut for table in batch] == phases


def test_a_table_has_the_slices_that_it_was_made_of() -> None:
    pieces, _ = draw(3, 0.01, 12)
    table = SliceTable.of(pieces)
    assert table.pieces == pieces
    assert table.part(2, 5).pieces == pieces[2:5]
    assert table.only_good().pieces == [SliceStats(1.0, piece.good, good=piece.good) for piece in pieces]
    assert table.merged(12) is table


def test_merged_slices_are_the_sums_of_adjacent_ones() -> None:
    pieces, _ = draw(3, 0.01, 11)
    merged = SliceTable.of(pieces).merged(4).pieces
    assert [piece.seconds for piece in merged] == [3.0, 3.0, 3.0, 2.0]
    assert [piece.operations for piece in merged] == [
        sum(piece.operations for piece in pieces[at : at + 3]) for at in (0, 3, 6, 9)
    ]
    assert merged[3].buckets == pieces[9].buckets + pieces[10].buckets


def test_histograms_are_summed_up_as_the_library_does() -> None:
    texts, expected = [], new_histogram()
    for number in range(3):
        histogram = new_histogram()
        for value in (1, 2_047, 2_048 * (number + 1), 599_000_000)[number:]:
            histogram.record_value(value, 1 + number)
        expected.add(histogram)
        texts.append(histogram.encode().decode())
    assert sum_histograms([texts[0], new_histogram().encode().decode(), *texts[1:]]).encode() == expected.encode()
    assert sum_histograms([]).get_total_count() == 0


def test_reading_a_record_leaves_the_collector_as_it_was(tmp_path: Path) -> None:
    path = write_record(tmp_path, record(phase("sync")))
    assert gc.isenabled()
    assert read_record(path).phases[0].variant == "sync"
    assert gc.isenabled()
    with pytest.raises(RecordError):
        read_record(tmp_path / "none.json")
    assert gc.isenabled()
    gc.disable()
    try:
        read_record(path)
        assert not gc.isenabled()
    finally:
        gc.enable()
