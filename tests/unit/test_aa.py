"""The A/A test: intervals of what is the same contain 1 as often as they claim, and `calibrate --aa` counts them."""

import io
import json
from collections.abc import Sequence

import numpy as np
import pytest

from loadgen.calibrate.aa import (
    PHASES,
    AARun,
    RatioInterval,
    count_all,
    make_drive,
    needed,
    read_run,
    runs_as_json,
    show_runs,
)
from loadgen.calibrate.commands import CalibrationError
from loadgen.cli.main import main
from tests.unit.record_support import comparison as comparison_record
from tests.unit.record_support import record

GOOD, HIGH = RatioInterval(1.01, 0.98, 1.04), RatioInterval(1.05, 1.01, 1.09)


@pytest.mark.parametrize(
    ("runs", "least"), [(1, 0), (2, 1), (5, 3), (10, 8), (20, 17), (40, 35), (100, 90), (1_000, 935)]
)
def test_the_target_is_the_2_percent_quantile_of_the_binomial_law(runs: int, least: int) -> None:
    assert needed(runs) == least
    fewer = np.random.default_rng(1).binomial(runs, 0.95, 100_000) < least
    assert np.mean(fewer) < 0.022


def runs_of(*given: tuple[RatioInterval | None, RatioInterval | None, Sequence[str]]) -> list[AARun]:
    return [AARun(throughput, p99, tuple(invalid)) for throughput, p99, invalid in given]


def test_an_interval_counts_where_it_contains_1_and_the_run_is_valid() -> None:
    edge = RatioInterval(1.02, 1.0, 1.04)
    runs = runs_of((GOOD, HIGH, ()), (edge, GOOD, ()), (GOOD, GOOD, ["generator"]), (None, None, ["no answer"]))
    throughput, p99 = count_all(runs)
    assert (throughput.figure, throughput.containing, throughput.runs) == ("throughput", 2, 4)
    assert (p99.figure, p99.containing, p99.needed) == ("p99", 1, 3)
    assert not throughput.met
    assert all(count.met for count in count_all(runs_of(*[(GOOD, GOOD, ())] * 17, *[(HIGH, HIGH, ())] * 3)))
    assert not any(count.met for count in count_all(runs_of(*[(GOOD, GOOD, ())] * 16, *[(HIGH, HIGH, ())] * 4)))


def test_a_run_is_read_from_its_one_comparison() -> None:
    (valid, invalid) = (comparison_record(estimate=1.3), comparison_record(verdict="invalid", reasons=("late",)))
    run = read_run(record(comparisons=(valid,)))
    ratio = valid.throughput_ratio
    assert run.throughput == RatioInterval(1.3, ratio.low or 0.0, ratio.high or 0.0)
    assert run.p99 is not None
    assert run.p99.estimate == valid.p99_ratio.estimate
    assert run.invalid == ()
    assert read_run(record(comparisons=(invalid,))).invalid == ("late",)
    with pytest.raises(CalibrationError, match="expected one comparison, the record has 0"):
        read_run(record())


def test_the_table_has_every_run_both_counts_and_the_invalid_ones() -> None:
    shown = io.StringIO()
    show_runs(runs_of((GOOD, HIGH, ()), (GOOD, GOOD, ["phase 3: 97 % of a core"])), shown)
    text = shown.getvalue()
    first, second = (line.split("\u2502")[1:-1] for line in text.splitlines() if line.startswith("\u2502"))
    assert [cell.strip() for cell in first] == [
        "1", "1.010 [0.980, 1.040]", "yes", "1.050 [1.010, 1.090]", "NO", ""
    ]  # fmt: skip
    assert [second[2].strip(), second[4].strip()] == ["invalid", "invalid"]
    assert "phase 3: 97 % of a" in text
    assert "throughput 1 of 2 intervals contain 1, at least 1 wanted: met" in text
    assert "p99        0 of 2 intervals contain 1, at least 1 wanted: MISSED" in text
    assert "invalid    1 of 2 runs" in text


def test_json_has_the_same() -> None:
    loaded = json.loads(runs_as_json(runs_of((GOOD, HIGH, ()), (None, GOOD, ["late"]))))
    first, second = loaded["runs"]
    assert first["throughput"] == {"estimate": 1.01, "low": 0.98, "high": 1.04}
    assert first["contains_one"] == {"throughput": True, "p99": False}
    assert (second["throughput"], second["invalid"]) == (None, ["late"])
    assert [(one["figure"], one["containing"], one["met"]) for one in loaded["counts"]] == [
        ("throughput", 1, True), ("p99", 0, False)
    ]  # fmt: skip
    assert loaded["invalid"] == 1


def test_every_phase_of_every_run_has_delays_of_the_same_law_and_others() -> None:
    drives = [make_drive(number, 2.0) for number in range(3)]
    delays = [kind.delays for drive in drives for kind in drive.kinds]
    assert len({one.seed for one in delays}) == 3 * PHASES
    assert len({(one.base, one.jitter) for one in delays}) == 1
    assert drives[0].flags[:4] == ["--variants", "async; async", "--rounds", "2"]


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--aa", "--runs", "1"], "'1' is not a number of runs; give 2 to 1,000"),
        (["--aa", "--runs", "x"], "'x' is not a number of runs"),
        (["--runs", "5"], "--runs is for the A/A test: add --aa"),
    ],
)
def test_wrong_flags_are_refused(arguments: list[str], reported: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = main(["calibrate", *arguments])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert reported in capsys.readouterr().err
