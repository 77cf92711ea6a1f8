"""The Universal Scalability Law, fitted to measured throughputs.

N. J. Gunther, Guerrilla Capacity Planning, Springer 2007, chapters 4 to 6: X(N) = l N / (1 + s (N - 1) + k N (N - 1)).
N / X is linear in 1 / l, s / l and k / l, so the fit is one of linear least squares, of relative errors: each row is
multiplied by X / N. Contention s and coherency k are not negative; where the best fit has a negative one, it is zero.
"""

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from loadgen.results.record.scaling import Estimate, ScalingLaw

Floats = NDArray[np.float64]

DIFFERENT = 4
"""Different numbers of workers that three parameters need for their uncertainty."""
OFF_AT_MOST = 0.1
"""Relative error of the mean at any number of workers, beyond which the law does not fit."""
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t for a 95 % interval, with 1 to 10 degrees of freedom."""
NORMAL = 2.228
"""For more of them, a little too wide."""
TERMS = ((0, 1, 2), (0, 1), (0, 2), (0,))


def fit_law(measured: Sequence[tuple[int, float]]) -> ScalingLaw | str:
    """The law through numbers of workers and operations per second, one pair a phase; or why there is none."""
    different = len({workers for workers, _ in measured})
    if different < DIFFERENT:
        return f"it takes {DIFFERENT} different numbers of workers, and there are {different}"
    if min(rate for _, rate in measured) <= 0:
        return "nothing was answered in a phase"
    workers, rates = np.array(sorted(measured), dtype=np.float64).T
    rows = (rates / workers)[:, None] * np.column_stack([np.ones(len(workers)), workers - 1, workers * (workers - 1)])
    result = _solve(rows)
    if result is None:
        return "no law fits"
    worst, where = _find_worst(workers, rows @ result - 1)
    if worst > OFF_AT_MOST:
        return f"the law is off by {worst:.0%} at {where:g} workers"
    return _describe(result, rows)


def _solve(rows: Floats) -> Floats | None:
    """The coefficients with the least squares of relative errors, none of them negative."""
    best, least = None, math.inf
    for terms in TERMS:
        result = np.zeros(3)
        result[list(terms)] = np.linalg.lstsq(rows[:, list(terms)], np.ones(len(rows)), rcond=None)[0]
        error = float(np.sum((rows @ result - 1) ** 2))
        if result.min() >= 0 and result[0] > 0 and error < least:
            best, least = result, error
    return best


def _find_worst(workers: Floats, errors: Floats) -> tuple[float, float]:
    """The largest mean error at one number of workers, and that number."""
    pairs = zip(workers.tolist(), errors.tolist(), strict=True)
    every = {number: [error for _, error in some] for number, some in groupby(pairs, key=lambda pair: pair[0])}
    return max((abs(math.fsum(some) / len(some)), number) for number, some in every.items())


def _describe(floats: Floats, rows: Floats) -> ScalingLaw:
    """The parameters with intervals: the covariance of the coefficients, by the delta method."""
    degrees = len(rows) - 3
    times = STUDENT[degrees - 1] if degrees <= len(STUDENT) else NORMAL
    variance = float(np.sum((rows @ floats - 1) ** 2)) / degrees
    covariance = variance * np.linalg.pinv(rows.T @ rows)
    first, contention, coherency = floats[0], floats[1] / floats[0], floats[2] / floats[0]
    gradients = (
        np.array([-1 / first**2, 0.0, 0.0]),
        np.array([-contention / first, 1 / first, 0.0]),
        np.array([-coherency / first, 0.0, 1 / first]),
    )
    rate, share, pair = (
        _estimate(value, times * math.sqrt(max(0.0, float(gradient @ covariance @ gradient))))
        for value, gradient in zip((1 / first, contention, coherency), gradients, strict=True)
    )
    is_certain = pair.low > 0  # else growth without end is as likely
    peak = math.sqrt((1 - contention) / coherency) if is_certain and contention < 1 else None
    return ScalingLaw(rate=rate, contention=share, coherency=pair, peak_workers=peak)


def _estimate(value: float, margin: float) -> Estimate:
    return Estimate(estimate=value, low=max(0.0, value - margin), high=value + margin)


def predict(law: ScalingLaw, workers: float) -> float:
    """Operations per second with this number of workers."""
    more = workers - 1
    slowed = 1 + law.contention.estimate * more + law.coherency.estimate * workers * more
    return law.rate.estimate * workers / slowed
