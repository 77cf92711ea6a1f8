"""The slices of a record: packed, read back as they were, and refused where they do not fit together."""

import base64
import json
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from loadgen.cli.main import main
from loadgen.measure.health import Beat
from loadgen.measure.histograms import COARSE_BITS, SparseHistogram, find_values
from loadgen.measure.operation_stats import OperationStats, Times
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, OutcomeClass
from loadgen.measure.slices import SLICES_AT_MOST, SliceStats, add_times, count_slices
from loadgen.measure.window import Window
from loadgen.results.phase_result import finalise
from loadgen.results.record import PhaseRecord, Slices, read_record, slices, write_record
from tests.benchmarks.kept import read_kept
from tests.unit.record_support import operation, phase, record, timed

PIECES = [
    SliceStats(1.0, 4, SparseHistogram({1: 2, 9216: 300}), 3),
    SliceStats(1.0, 0, SparseHistogram(), 0),
    SliceStats(0.25, 70_000, SparseHistogram({9216: 70_000, 599_785_472: 1}), 9),
]
RATE = 930
LONGEST_HERE = 1 << 12
"""Bytes that a list of a slice unpacks to at most; users have 64 MiB."""


def test_slices_are_read_back_as_they_were() -> None:
    packed = Slices.of(PIECES, is_judged=True)
    again = Slices.model_validate(json.loads(packed.model_dump_json()))
    assert again.table.pieces == PIECES
    assert (again.lengths, again.operations, again.good) == ([1.0, 1.0, 0.25], (4, 0, 70_000), (3, 0, 9))


def test_slices_without_any_time_are_read_back_too() -> None:
    empty = [SliceStats(2.0), SliceStats(1.5)]
    packed = Slices.of(empty, is_judged=False)
    assert (packed.table.pieces, packed.good) == (empty, None)


def text_of(*numbers: int, kind: str = "<u4") -> str:
    return base64.b64encode(zlib.compress(np.array(numbers, dtype=kind).tobytes())).decode()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"good": [1]}, "as many slices"),
        ({"buckets": text_of(2, 0)}, "ascending"),
        ({"buckets": text_of(0, 1)}, "ascending"),
        ({"buckets": text_of(1, 600_000_000)}, "ascending"),
        ({"buckets": text_of(1, 2, 3)}, "a count for each"),
        ({"counts": text_of(1, 2, 3, kind="<u1")}, "a count for each"),
        ({"counts": text_of(1, 2, 3, (1 << 64) - 1, kind="<u8")}, "at least 0"),
        ({"counts": "AAAA"}, "not packed"),
        ({"counts": text_of(1, 2, 3, 4)[:-8]}, "cut off"),
        ({"counts": text_of(*bytes(LONGEST_HERE + 1), kind="<u1")}, "too much"),
    ],
)
def test_slices_that_do_not_fit_together_are_refused(
    given: dict[str, Any], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "LONGEST", LONGEST_HERE)
    whole = {
        "seconds": 1.0, "last_seconds": 1.0, "operations": [1, 2],
        "buckets": text_of(1, 1), "counts": text_of(1, 3, 2, 4, kind="<u1"),
    }  # fmt: skip
    assert [one.counts for one in (piece.times for piece in Slices.model_validate(whole).table.pieces)] == [
        {1: 1, 2: 2},
        {1: 3, 2: 4},
    ]
    with pytest.raises(ValidationError, match=problem):
        Slices.model_validate(whole | given)


def test_a_record_of_schema_5_is_read_with_its_slices(tmp_path: Path) -> None:
    path = write_record(tmp_path, record(phase("sync", 8, timed([2, 3])), phase("async", 8, operation(slices=None))))
    values = json.loads(path.read_text())
    times = [{"seconds": 1.0, "operations": rate, "times": f"9984:{rate}", "good": None} for rate in (2, 3)]
    second = values["phases"][1]["operations"][0]
    second["response_seconds"]["histogram"] = second["service_seconds"]["histogram"]  # a file of schema 5 had both
    values["phases"][0]["operations"][0]["slices"] = times
    second["slices"] = []
    path.write_text(json.dumps(values | {"schema_version": 5}))
    sliced, without = (one.operations[0].slices for one in read_record(path).phases)
    assert sliced is not None
    assert sliced.table.pieces == [SliceStats(1.0, rate, SparseHistogram({9984: rate})) for rate in (2, 3)]
    assert without is None


def simulated(number: int, seconds: float) -> PhaseRecord:
    """A phase at 930 searches a second with a long tail and 1 % timeouts, counted as in a run."""
    rng = np.random.default_rng(number)
    count = int(seconds * RATE)
    times = 0.005 * np.exp(rng.normal(0, 0.35, count)) + (rng.random(count) < 0.02) * rng.exponential(0.05, count)
    window = Window(Phase(number, Mode.ASYNC, 8, seconds), 0.0, seconds, seconds=seconds)
    window.phase = window.phase.starting(datetime(2026, 11, 22, tzinfo=UTC).timestamp() + number * seconds)
    stats = OperationStats(outcomes=window.operation_stats.setdefault(("async", "search"), OperationStats()).outcomes)
    stats.outcomes.update({Outcome.OK: count - count // 100, Outcome.TIMEOUT: count // 100})
    counted = Times()
    counted._service.update(find_values(times).tolist())
    stats.times[OutcomeClass.ANSWERED] = counted
    window.operation_stats["async", "search"] = stats
    pieces = window.slices.setdefault("search", window.new_slices())
    add_times(pieces, np.sort(rng.random(count)), times, answered=True)
    for beat in range(int(seconds * 10)):
        lag = float(rng.exponential(0.002))
        window.health.add(Beat(beat / 10, 0.05, 0.1, lag, lag, 8, core_wait=0.001, memory=3e8, sent=1e5, received=1e6))
    return finalise(window).record


@pytest.mark.parametrize(("seconds", "phases"), [(10.0, 3_600), (60.0, 720), (300.0, 144)])
def test_the_record_of_twelve_hours_of_phases_is_below_20_megabytes(
    seconds: float, phases: int, tmp_path: Path
) -> None:
    """With the default warm-up of 2 s. Two different ones are enough: their sizes differ by 2 %, and each is a line."""
    some = [simulated(number, seconds) for number in range(2)]
    empty, written = (write_record(tmp_path, record(*given)).stat().st_size for given in ((), some))
    size = empty + (written - empty) / 2 * phases
    assert 5_000_000 < size < 20_000_000
    shown = {row[0].split(" ")[0]: float(row[1].removesuffix(" MB")) for row in read_kept("record-sizes").rows}
    assert size / 1e6 == pytest.approx(shown[f"{phases:,}"], rel=0.03), "builds of zlib differ by less"


def test_such_phases_are_reported_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_record(tmp_path, record(*(simulated(number, 10.0) for number in range(4))))
    assert main(["compare", str(path), str(path)]) == 0
    assert main(["report", str(path), "--format", "markdown"]) == 0
    assert "| 8 users | async |" in capsys.readouterr().out


def test_a_phase_of_hours_has_no_more_slices_than_one_of_ten_minutes() -> None:
    assert [count_slices(seconds) for seconds in (1.0, 10.0, 600.0, 601.0, 43_200.0)] == [
        5, 10, SLICES_AT_MOST, SLICES_AT_MOST, SLICES_AT_MOST,
    ]  # fmt: skip


def test_times_of_slices_are_kept_with_eight_significant_bits() -> None:
    assert find_values(np.array([0.010_001]), COARSE_BITS).tolist() == [9_984]
