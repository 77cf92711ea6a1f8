"""The figures of a comparison: shares of all replicates, and how many replicates many series get."""

from typing import Any

import numpy as np
import pytest

from loadgen.results import comparison, regressions
from loadgen.results.bootstrap import SlicedPhase, Spread
from loadgen.results.comparison import MODES, ComparisonResult, RatioEstimate, Verdict, compare_phases, judge_arrivals
from loadgen.results.estimates import estimate
from loadgen.results.regressions import find_regressions
from loadgen.results.series import find_series
from tests.unit.record_support import phase, record, timed
from tests.unit.test_bootstrap import phase as sliced


def test_the_share_ahead_is_of_throughput_and_the_share_of_p99_is_of_those_below_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both are shares of the replicates; what was measured, the first, is none."""
    chances = np.array([[1.0, 1.0, 1.0, -1.0, 1.0], [0.0, 0.1, -0.1, 0.1, -0.1], [-1.0, -1.0, 1.0, 1.0, 1.0]])
    monkeypatch.setattr(comparison, "spread", lambda *_: Spread(np.zeros(3), chances))
    phases = [SlicedPhase(name, sliced(number).slices) for number, name in enumerate(("sync", "async") * 4)]
    result = compare_phases(phases, np.random.default_rng(1))
    assert (result.share_ahead, result.p99_share) == (0.75, 0.25)


def arrivals(dropped: dict[str, float], p99: tuple[float, float, float] = (1.0, 0.9, 1.1)) -> ComparisonResult:
    ratio = RatioEstimate(1.0, 0.9, 1.1)
    result = ComparisonResult(MODES, ratio, ratio, RatioEstimate(*p99), 0.5, Verdict.NO_DIFFERENCE, (), 0.4)
    return judge_arrivals(result, dropped, ())


@pytest.mark.parametrize(
    ("dropped", "verdict", "share"),
    [
        ({"sync": 0.5, "async": 0.0}, Verdict.VARIANT, 1.0),
        ({"sync": 0.0, "async": 0.5}, Verdict.BASELINE, 0.0),
        ({"sync": 0.5, "async": 0.5}, Verdict.INVALID, 0.4),
        ({"sync": 0.0, "async": 0.0}, Verdict.NO_DIFFERENCE, 0.4),
    ],
)
def test_the_one_side_that_drops_arrivals_loses_for_certain(
    dropped: dict[str, float], verdict: Verdict, share: float
) -> None:
    result = arrivals(dropped)
    assert (result.verdict, result.share_ahead) == (verdict, share)


@pytest.mark.parametrize(
    ("p99", "verdict"),
    [
        ((0.8, 0.7, 0.9), Verdict.VARIANT),
        ((0.8, 0.7, 1.0), Verdict.NO_DIFFERENCE),
        ((1.2, 1.0, 1.3), Verdict.NO_DIFFERENCE),
        ((1.2, 1.1, 1.3), Verdict.BASELINE),
    ],
)
def test_without_drops_the_interval_of_p99_decides(p99: tuple[float, float, float], verdict: Verdict) -> None:
    assert arrivals({"sync": 0.0, "async": 0.0}, p99).verdict is verdict


@pytest.mark.parametrize(("levels", "replicates"), [(1, 10_000), (50, 10_000), (100, 5_000), (400, 2_000)])
def test_very_many_series_have_fewer_replicates_each(
    monkeypatch: pytest.MonkeyPatch, levels: int, replicates: int
) -> None:
    """Two modes at each level: up to 100 series have all 10,000, and none has less than 2,000."""
    asked: list[int] = []

    def note(*given: Any) -> None:
        asked.append(given[-1])

    monkeypatch.setattr(regressions, "compare_series", note)
    part = timed([10] * 10, recall=None)
    made = record(*(phase(mode, users + 1, part) for users in range(levels) for mode in ("sync", "async")))
    find_regressions(made, made, 0.05)
    assert asked == [replicates] * 2 * levels


def test_the_figures_of_one_run_are_ratios_of_nothing() -> None:
    (series,) = find_series(record(phase("sync", 8, timed([100] * 10)), phase("sync", 8, timed([100] * 10))))
    result = estimate(series.sliced(), np.random.default_rng(1), 100)
    assert result is not None
    assert [(one.old, one.new) for one in (result.throughput, result.p50, result.p99)] == [(None, None)] * 3
    assert result.throughput.estimate == pytest.approx(100)
