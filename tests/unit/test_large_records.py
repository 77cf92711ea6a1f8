"""A record of thousands of phases is drawn within reported limits, and one that asks for too much is refused."""

import base64
import json
import struct
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadgen.cli.main import main
from loadgen.measure.histogram_texts import decode_histogram
from loadgen.measure.histograms import HIGHEST, LOWEST, new_histogram
from loadgen.measure.slice_table import SliceTable
from loadgen.measure.slices import SLICES_AT_MOST
from loadgen.reports.data_formats import to_json
from loadgen.reports.html import to_html
from loadgen.reports.markdown import to_markdown
from loadgen.reports.summary import Summary, summarize
from loadgen.results import bootstrap
from loadgen.results.record import RecordError, RunRecord, read_record, write_record, writing
from loadgen.results.resampling import resample, resample_together
from loadgen.results.series import Series
from loadgen.results.verdict import explain
from loadgen.text.listing import name_phases
from tests.unit.record_support import comparison, operation, phase, record, timed
from tests.unit.simulated_phases import make_phases

pytestmark = pytest.mark.usefixtures("unplaced")

BEGAN = datetime(2026, 11, 22, 19, 30, tzinfo=UTC)
ROUND = ("sync", "async", "async", "sync")
NOT_SHOWN = "rows, between the first and the last 200, are omitted. The run record has them"


@lru_cache(2)
def many_phases(number: int, **given: Any) -> RunRecord:
    """One load, phases without slices; each began 15 s after the one before."""
    part = operation(slices=None)
    phases = (
        phase(ROUND[n % 4], 8, part, started_at=BEGAN + timedelta(seconds=15 * n), **given) for n in range(number)
    )
    return record(*phases, comparisons=(comparison(8),))


@lru_cache(1)
def many_levels(number: int) -> RunRecord:
    part = timed([5] * 5)
    phases = [phase(mode, users + 1, part) for users in range(number) for mode in ("sync", "async")]
    return record(*phases, comparisons=tuple(comparison(users + 1) for users in range(number)))


@pytest.fixture(scope="module")
def thousands() -> Summary:
    return summarize(many_phases(3_000))


def test_a_page_of_3_000_phases_draws_400_of_them_and_says_so(thousands: Summary) -> None:
    text = to_html([thousands])
    assert "400 of 3,000 phases are drawn, evenly spaced; the tables and the run record have more." in text
    assert f"2,600 of 3,000 {NOT_SHOWN}" in text
    assert text.count("<tr>") < 600
    assert '<td class="name">3000</td>' in text, "the last phase"
    assert len(text) < 500_000


def test_a_page_of_500_loads_draws_some_of_them_and_says_so() -> None:
    text = to_html([summarize(many_levels(500))])
    assert text.count("60 of 500 loads are drawn") == 4, "throughput and p99, each in its description too"
    assert text.count("24 of 500 loads are drawn") == 2
    assert text.count("6 of 500 loads are drawn") == 2
    assert f"600 of 1,000 {NOT_SHOWN}" in text
    assert "at every level measured, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 489 more users" in text


def test_only_what_is_shown_of_a_long_table_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[SliceTable] = []

    def count(tables: Sequence[SliceTable], *given: Any) -> Any:
        computed.extend(tables)
        return resample_together(tables, *given)

    monkeypatch.setattr(bootstrap, "resample_together", count)
    to_markdown([summarize(many_levels(500))])
    assert len(computed) == 400


def test_a_page_of_many_operations_draws_eight_of_them_and_names_the_others() -> None:
    parts = [operation(f"step{number:02}", slices=None) for number in range(20)]
    text = to_html([summarize(record(phase("sync", 8, *parts), phase("async", 8, *parts)))])
    assert text.count("<svg") == 8 * 3
    assert "Too many operations to chart; without charts: step08, step09" in text
    assert text.count("step19") > 1, "it is in the tables"


def test_markdown_of_3_000_phases_shows_400_of_them_and_says_so(thousands: Summary) -> None:
    lines = to_markdown([thousands]).splitlines()
    assert len([line for line in lines if line.startswith("|")]) < 500
    assert [line for line in lines if line.startswith(f"2,600 of 3,000 {NOT_SHOWN}")]


def test_a_page_of_many_loads_of_eight_variants_draws_24_ratios() -> None:
    names = [f"async connections={number}" for number in range(1, 9)]
    part = operation(slices=None)
    phases = [phase("async", users, part, variant=name) for users in range(1, 13) for name in names]
    result = [comparison(users, baseline=names[0], variant=name) for users in range(1, 13) for name in names[1:]]
    text = to_html([summarize(record(*phases, comparisons=tuple(result)))])
    assert text.count("3 of 12 loads are drawn") == 2, "of the picture of ratios, in its description too"
    assert text.count("6 of 12 loads are drawn") == 2, "of the percentiles"


def test_the_stages_of_an_operation_are_summed_up_once_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    summed: list[tuple[str, int]] = []
    stage_times = Series.stage_times

    def count(series: Series) -> Any:
        summed.append((series.variant, int(series.level.value)))
        return stage_times(series)

    monkeypatch.setattr(Series, "stage_times", count)
    summary = summarize(many_levels(2))
    to_html([summary])
    to_markdown([summary])
    to_json([summary])
    assert sorted(summed) == [("async", 1), ("async", 2), ("sync", 1), ("sync", 2)]


def test_the_verdict_of_3_000_phases_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = many_phases(3_000, saturated=True, unfinished=8, longest_unfinished_seconds=5.0, workers_lost=1)
    lines = explain(waiting).lines()
    assert len(lines) < 40
    assert max(map(len, lines)) < 500
    assert "Warning: 2,980 more like these: the run record has them all." in lines
    assert [line for line in lines if "lost in phases 1 to 3000" in line]
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("numbers", "reported"),
    [
        ([3], "phase 3"),
        ([1, 3], "phases 1 and 3"),
        ([1, 2], "phases 1 and 2"),
        ([1, 2, 3, 7], "phases 1 to 3 and 7"),
        (list(range(1, 60, 2)), "phases 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21 and 19 more"),
    ],
)
def test_phases_are_named_in_spans(numbers: list[int], reported: str) -> None:
    assert name_phases(numbers) == reported


def test_a_phase_of_very_many_slices_is_taken_in_longer_ones() -> None:
    (phase_of_hours,) = make_phases(np.random.default_rng(5), 1, 4 * SLICES_AT_MOST)
    drawn = resample(phase_of_hours.slices, np.random.default_rng(1), 200)
    whole = phase_of_hours.operations / (4 * SLICES_AT_MOST)
    assert np.exp(drawn[0, 0]) == pytest.approx(whole)
    assert np.std(drawn[1:, 0]) == pytest.approx(1 / np.sqrt(phase_of_hours.operations), rel=0.3)


def packed(payload: bytes) -> str:
    """As an encoded histogram: a header, and the payload compressed."""
    squeezed = zlib.compress(payload, 1)
    return base64.b64encode(struct.pack(">ii", 0x1C849314, len(squeezed)) + squeezed).decode()


def header(lowest: int = LOWEST, highest: int = HIGHEST, digits: int = 3, length: int = 0) -> bytes:
    return struct.pack(">iiiiqqd", 0x1C849313, length, 0, digits, lowest, highest, 1.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: "",
        lambda: "SElTVA==",
        lambda: packed(b""),
        lambda: packed(header() + bytes(1 << 24)),
        lambda: packed(header(highest=2**62)),
        lambda: packed(header(digits=5)),
        lambda: packed(header(lowest=0)),
    ],
    ids=["nothing", "short", "empty", "16 MiB", "many buckets", "fine", "zero"],
)
def test_a_text_that_is_no_histogram_of_ours_is_refused_before_it_takes_memory(make: Callable[[], str]) -> None:
    text = make()  # here and not where the tests are collected: every process of the tests does that
    with pytest.raises(ValueError, match="is no histogram"):
        decode_histogram(text)


def test_a_histogram_of_ours_is_read() -> None:
    times = new_histogram()
    times.record_value(12_345, 7)
    result = decode_histogram(times.encode().decode())
    assert (result.get_total_count(), result.get_max_value()) == (7, times.get_max_value())


def with_phases(path: Path, phases: list[Any]) -> Path:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"phases": phases}))
    return path


@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_file_that_asks_for_too_much_is_refused_in_one_line(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [operation(f"x{number}", slices=None) for number in range(101)]
    many = write_record(tmp_path, record(phase("sync", 8, *names), run_id="names"))
    values = tmp_path / "values.json"
    values.write_text(f"[{'[],' * 40_000}[]]")
    wrong = with_phases(write_record(tmp_path, record(run_id="wrong")), [{}] * 200)
    monkeypatch.setattr(writing, "LARGEST", 200_000)
    monkeypatch.setattr(writing, "VALUES_AT_MOST", 50_000)
    for path, problem in (
        (Path("/dev/zero"), "is larger than 0 MiB"),
        (values, "has more than 50,000 values"),
        (many, "has 101 operation names in 101 places; at most 100 and 100,000 are accepted"),
        (wrong, "it has 3,400 mistakes"),
    ):
        assert main([command, *[str(path)] * (2 if command == "compare" else 1)]) == 2
        reported = capsys.readouterr().err
        assert problem in reported
        assert len(reported.splitlines()) == 1


def test_a_file_of_just_as_much_as_is_read_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_record(tmp_path, record(phase("sync")))
    values = sum(map(path.read_bytes().count, (b",", b"[", b"{")))
    monkeypatch.setattr(writing, "LARGEST", path.stat().st_size)
    monkeypatch.setattr(writing, "VALUES_AT_MOST", values)
    assert read_record(path) == record(phase("sync"))
    monkeypatch.setattr(writing, "VALUES_AT_MOST", values - 1)
    with pytest.raises(RecordError, match=f"has more than {values - 1} values"):
        read_record(path)
    monkeypatch.setattr(writing, "LARGEST", 3 << 20)
    with pytest.raises(RecordError, match="is larger than 3 MiB"):
        read_record(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"seconds":10.0', '"seconds":1e300'),
        ('"ok":50', '"ok":1' + "0" * 400),
        ('"seconds":1.0', '"seconds":1e-320'),
        ('"buckets":null', '"buckets":"A"'),
        ('"counts":"', '"counts":"x'),
        ('"counts":"', '"counts":3,"x":"'),
        ('"histogram":"', '"histogram":"x'),
        ('"operations":[10', '"operations":["x"'),
        ('"operations":[10,10,10,10,10]', '"operations":5'),
        ('"slices":{', '"slices":{"x":{},'),
        ('"estimate": 1.3', '"estimate": -1e308'),
        ('"low": 1.2', '"low": 0.0'),
        ('"high": 1.4', '"high": 1e308'),
        ('"mean":0.01', '"mean":-1e308'),
    ],
)
def test_figures_that_no_run_has_are_drawn_or_refused_in_one_line(
    old: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    phases = [phase(mode, 8, timed([10] * 5)) for mode in ROUND]
    path = write_record(tmp_path, record(*phases, comparisons=(comparison(8),)))
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    for command in (["report", str(path)], ["compare", str(path), str(path)]):
        code = main(command)
        reported = capsys.readouterr().err
        assert len(reported.splitlines()) == (0 if code in (0, 1) else 1), reported


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    whole = many_levels(3)
    assert read_record(write_record(tmp_path, whole)) == whole
    with pytest.raises(RecordError, match="does not exist"):
        read_record(tmp_path / "none.json")
