"""The bounds of the histograms, and one histogram as a list of counts."""

from bisect import bisect_left

STEPS = 25
"""Bounds per decade. Prometheus interpolates linearly within a bucket. In the worst case, with all values at one edge,
a quantile is off by less than the ratio of neighbouring bounds: 10 ** (1 / 25) = 1.0965, below 10 %."""
FIRST, LAST = -83, 45
"""Exponents of the outermost bounds, in steps: 0.48 ms and 63 s."""
DURATIONS = tuple(float(f"{10 ** (step / STEPS):.4g}") for step in range(FIRST, LAST + 1))
"""Seconds. A quantile of 63.1 means that or longer."""
LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. The tolerance, 0.1 s, is one of the bounds."""
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0)
"""Shares from 0 to 1."""


class Buckets:
    """Counts per bucket, including the one above the last bound, and the sum of all values."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value; a bound belongs to the bucket below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
