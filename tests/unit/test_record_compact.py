"""What a record file leaves out: nothing is lost, whatever the times are, and schema 6 is read as it was."""

import base64
import json
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from loadgen.measure.histogram_texts import decode_histogram
from loadgen.measure.histograms import (
    COARSE_BITS,
    HIGHEST,
    LOWEST,
    SparseHistogram,
    coarsen,
    find_value,
    make_histogram,
    mean,
    percentile,
)
from loadgen.measure.packing import deflate, encode_histogram
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.measure.window import Window
from loadgen.results.phase_result import finalise
from loadgen.results.record import PhaseRecord, RecordError, RunRecord, read_record, write_record
from loadgen.results.record.writing import as_json
from tests.unit.record_support import phase, record, timed

SECONDS = 4.0
"""Of a phase in eight slices."""
RECORDS = sorted((Path(__file__).parents[2] / "docs" / "records").glob("*.json"))
"""Written by the version that had schema 6."""
OUTCOMES = (Outcome.OK, Outcome.EMPTY, Outcome.TIMEOUT, Outcome.FAILED)
TIMES = st.one_of(st.floats(0, 0.02), st.floats(0, 700.0))
DONE = st.tuples(st.floats(0, SECONDS), TIMES, TIMES, st.sampled_from(OUTCOMES))
"""When an operation ended, how long it took, how long it waited before, and how it ended."""


def measure(done: list[tuple[float, float, float, Outcome]], *, is_open: bool) -> PhaseRecord:
    level: dict[str, Any] = {"concurrency": 0, "model": "constant", "rate": 5.0} if is_open else {"concurrency": 8}
    window = Window(Phase(0, Mode.ASYNC, seconds=SECONDS, **level), 0.0, SECONDS, seconds=SECONDS)
    for ended, took, waited, outcome in done:
        began = ended - took
        window.add([Sample("async", "search", began - waited * is_open, began, ended, outcome, 10)])
    return finalise(window).record


def reread(whole: RunRecord) -> RunRecord:
    return RunRecord.model_validate(json.loads(as_json(whole)))


def buckets_of(histogram: HdrHistogram) -> dict[int, int]:
    lowest, counts = coarsen(histogram, 11)
    return dict(zip(lowest.tolist(), counts.tolist(), strict=True))


@given(st.lists(DONE, max_size=40), st.booleans())
def test_a_record_keeps_every_time_of_every_slice(
    done: list[tuple[float, float, float, Outcome]], is_open: bool
) -> None:
    measured = measure(done, is_open=is_open)
    (again,) = reread(record(measured)).phases
    assert again == measured
    counted = [one for one in done if one[3] is not Outcome.FAILED]
    for part in again.operations:
        assert part.outcomes == Counter(one[3] for one in done)
        for durations, waits in ((part.service_seconds, False), (part.response_seconds, is_open)):
            times = Counter(find_value(ended - (ended - took - waited * waits)) for ended, took, waited, _ in counted)
            histogram = decode_histogram(durations.histogram)
            assert buckets_of(histogram) == times
            if counted:
                made = make_histogram(times)
                shown = [durations.mean, durations.p50, durations.p99_9]
                assert shown == [mean(made), percentile(made, 50), percentile(made, 99.9)]
        assert part.slices is not None
        slices: list[Counter[int]] = [Counter() for _ in range(8)]
        for ended, took, waited, _ in counted:
            began = ended - took - waited * is_open
            slices[min(int(ended / SECONDS * 8), 7)][find_value(ended - began, COARSE_BITS)] += 1
        assert [dict(one.times.items()) for one in part.slices.table.pieces] == slices


@pytest.mark.parametrize("is_open", [False, True])
def test_a_file_has_only_what_does_not_follow_from_the_rest(is_open: bool) -> None:
    done = [(number / 100, 0.001 + number / 5000, 0.002, Outcome.OK) for number in range(400)]
    (part,) = json.loads(as_json(record(measure(done, is_open=is_open))))["phases"][0]["operations"]
    assert part["slices"]["buckets"] is None
    assert (part["response_seconds"]["histogram"] is None) is not is_open
    assert part["response_seconds"]["p99"] == pytest.approx(0.08 + 0.002 * is_open, rel=0.02), (
        "figures are always there"
    )
    assert HdrHistogram.decode(part["service_seconds"]["histogram"]).get_total_count() == 400


def test_slices_that_do_not_add_up_to_the_histogram_are_kept_whole() -> None:
    """Another variant's late operations are counted in the slices alone; and so are those of a lost report."""
    one = timed([3, 4])
    other = timed([3, 5])
    mixed = other.model_copy(update={"response_seconds": one.response_seconds})
    whole = record(phase("sync", 8, mixed))
    (part,) = json.loads(as_json(whole))["phases"][0]["operations"]
    assert part["slices"]["buckets"] is not None
    assert reread(whole) == whole


def test_slices_with_a_histogram_that_is_none_are_kept_whole() -> None:
    """As a record of another origin may have it, which is continued."""
    one = timed([3, 4])
    broken = one.model_copy(update={"response_seconds": one.response_seconds.model_copy(update={"histogram": "AAAA"})})
    whole = record(phase("sync", 8, broken))
    assert reread(whole) == whole


def text_of(*counts: int) -> str:
    return base64.b64encode(zlib.compress(bytes(counts))).decode()


@pytest.mark.parametrize(
    ("slices", "problem"),
    [
        ({"counts": text_of(8)}, "no more times in slices than in the histogram"),
        ({"counts": text_of(1, 2, 3)}, "a count for each slice and bucket"),
        ({"counts": "AAAA"}, "is not packed"),
        ({"counts": "\u00e9"}, "is not packed"),
        ({"counts": None}, "counts"),
        ({"operations": []}, "operations"),
        ({"operations": 3}, "operations"),
        ({"operations": None}, "operations"),
    ],
)
def test_what_cannot_be_put_back_is_refused_in_words(slices: dict[str, Any], problem: str, tmp_path: Path) -> None:
    path = write_record(tmp_path, record(phase("sync", 8, timed([3, 4]))))
    values = json.loads(path.read_text())
    part = values["phases"][0]["operations"][0]
    assert part["slices"]["buckets"] is None
    part["slices"] |= slices
    path.write_text(json.dumps(values))
    with pytest.raises(RecordError, match=problem):
        read_record(path)


@pytest.mark.parametrize("path", RECORDS, ids=[path.stem for path in RECORDS])
def test_a_record_of_schema_6_is_read_with_its_slices_and_histograms(path: Path) -> None:
    values = json.loads(path.read_text())
    assert values["schema_version"] == 6
    read = read_record(path)
    for measured, old in zip(read.phases, values["phases"], strict=True):
        for part, kept in zip(measured.operations, old["operations"], strict=True):
            for name in ("service_seconds", "response_seconds"):
                assert getattr(part, name).model_dump() == kept[name]
            pieces = part.slices.table.pieces if part.slices is not None else []
            assert pieces == [] if kept["slices"] is None else times_of(kept["slices"]) == [one.times for one in pieces]
    again = reread(read)
    assert again == read
    assert len(as_json(read)) < len(path.read_text())


def times_of(slices: dict[str, Any]) -> list[SparseHistogram]:
    """Of schema 6: a row of counts for each slice."""
    buckets = np.frombuffer(zlib.decompress(base64.b64decode(slices["buckets"])), dtype="<u4")
    packed = zlib.decompress(base64.b64decode(slices["counts"]))
    cells = len(slices["operations"]) * len(buckets)
    rows = np.frombuffer(packed, dtype=f"<u{len(packed) // cells if cells else 1}").reshape(-1, len(buckets))
    return [
        SparseHistogram({int(bucket): int(count) for bucket, count in zip(buckets, row, strict=True) if count})
        for row in rows
    ]


@given(st.binary(max_size=2_000))
def test_any_reader_of_zlib_reads_what_was_deflated(data: bytes) -> None:
    assert zlib.decompress(deflate(data)) == data


@given(st.dictionaries(st.integers(LOWEST, HIGHEST), st.integers(1, 10_000), max_size=50))
def test_the_library_reads_a_histogram_that_was_packed_anew(times: dict[int, int]) -> None:
    histogram = make_histogram(times)
    again = HdrHistogram.decode(encode_histogram(histogram))
    assert np.array_equal(np.ctypeslib.as_array(again.counts), np.ctypeslib.as_array(histogram.counts))
