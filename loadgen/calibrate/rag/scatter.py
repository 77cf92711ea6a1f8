"""By how much two sides of a calibration may differ by chance."""

import math
from collections.abc import Sequence

import numpy as np
from hdrh.histogram import HdrHistogram

from loadgen.measure.histograms import percentile
from loadgen.results.regressions import t_quantile

SIGMAS = 1.96
"""Of a normal distribution, for 95 %."""


def scatter_of_times(mine: HdrHistogram, other: HdrHistogram, percent: float) -> float:
    """Seconds by which a percentile of two samples differs by chance, at 95 %.

    Of each sample half the distribution-free interval of its quantile, between the order statistics at
    n p +- 1.96 sqrt(n p (1 - p)) (David & Nagaraja, Order Statistics, 2003, 7.1), as far as the sample reaches. The
    sample counts as independent: a disturbance that hits several asks together scatters more.
    """
    return math.hypot(*(_half_interval(times, percent / 100) for times in (mine, other)))


def _half_interval(times: HdrHistogram, share: float) -> float:
    count = times.get_total_count()
    if not count:
        return 0.0
    spread = SIGMAS * math.sqrt(share * (1 - share) / count)
    low, high = (percentile(times, 100 * min(max(end, 0.0), 1.0)) for end in (share - spread, share + spread))
    return (high - low) / 2


def scatter_of_rates(mine: Sequence[float], other: Sequence[float]) -> float:
    """Share by which the ratio of two rates differs by chance, at 95 %: Student's interval of the paired log ratios.

    Windows are paired in their order, as they took turns. 0 with fewer than two pairs: nothing is known then.
    """
    pairs = min(len(mine), len(other))
    if pairs < 2 or not all((*mine, *other)):  # noqa: PLR2004 - one value does not scatter
        return 0.0
    ratios = np.log(np.array(mine[:pairs]) / np.array(other[:pairs]))
    error = float(np.std(ratios, ddof=1)) / math.sqrt(pairs)
    return math.expm1(t_quantile(0.95, pairs - 1) * error)
