"""From which number on more failures are no chance: 2.58 standard errors of two shares."""

import numpy as np
import pytest

from loadgen.measure.sample import Outcome
from loadgen.results.record import RunRecord
from loadgen.results.regressions import RegressionVerdict, find_regressions, t_quantile
from tests.unit.record_support import phase, record, timed


def failing(good: int, failed: int) -> RunRecord:
    """One round of each mode with these outcomes."""
    outcomes = {Outcome.OK: good, Outcome.TIMEOUT: failed}
    return record(*(phase(mode, 8, timed([100] * 10, recall=None, outcomes=outcomes)) for mode in ("sync", "async")))


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        # 10 % of 200 against 17 % of 400: 2.58 standard errors are 8.0 %
        ((180, 20), (332, 68), RegressionVerdict.NONE),
        # 10 % of 200 against 20 % of 400: 8.4 %
        ((180, 20), (320, 80), RegressionVerdict.REGRESSION),
        # the other way about, with as many asked
        ((320, 80), (180, 20), RegressionVerdict.IMPROVEMENT),
        ((332, 68), (180, 20), RegressionVerdict.NONE),
        # 1.5 % more of very many is certain, 0.9 % is less than is said
        ((99_000, 1_000), (97_500, 2_500), RegressionVerdict.REGRESSION),
        ((99_000, 1_000), (98_100, 1_900), RegressionVerdict.NONE),
    ],
)
def test_failures_are_a_regression_beyond_chance_and_beyond_one_percent(
    old: tuple[int, int], new: tuple[int, int], verdict: RegressionVerdict
) -> None:
    regressions = find_regressions(failing(*old), failing(*new), 0.05)
    assert [one.verdict for one in regressions if one.figure == "failures"] == [verdict] * 2
    shares = [(one.old, one.new) for one in regressions if one.figure == "failures"]
    assert shares == [(old[1] / sum(old), new[1] / sum(new))] * 2


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 8, 9, 30, 1000])
@pytest.mark.parametrize("certainty", [0.5, 0.95, 0.99])
def test_the_quantile_of_students_t_is_exceeded_as_often_as_it_says(certainty: float, degrees: int) -> None:
    """By integration of the density (Abramowitz & Stegun 26.7.1), which is another way than the series."""
    limit = np.arctan(t_quantile(certainty, degrees) / np.sqrt(degrees))
    angles = (np.arange(100_000) + 0.5) / 100_000 * np.pi / 2
    weights = np.cos(angles) ** (degrees - 1)  # t = sqrt(degrees) x tan(angle)
    assert weights[angles < limit].sum() / weights.sum() == pytest.approx(certainty, abs=2e-4)
