"""A rate of arrivals over time: linear between points, constant before the first and after the last one."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

Points = tuple[tuple[float, float], ...]
"""Seconds and arrivals per second, the seconds ascending."""


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Raises ValueError unless its seconds ascend and its rates are at least 0 and not all 0."""

    points: Points
    _sums: tuple[float, ...] = field(init=False, repr=False, compare=False)
    """Expected arrivals from the first point to each."""

    def __post_init__(self) -> None:
        seconds = [at for at, _ in self.points]
        rates = [rate for _, rate in self.points]
        if not (all(map(math.isfinite, [*seconds, *rates])) and all(rate >= 0 for rate in rates) and any(rates)):
            raise ValueError("needs finite rates of 0 and more, not all of them 0")
        if any(after <= before for before, after in pairwise(seconds)):
            raise ValueError("needs seconds that ascend")
        sums = [0.0]
        for (before, low), (after, high) in pairwise(self.points):
            sums.append(sums[-1] + (after - before) * (low + high) / 2)
        object.__setattr__(self, "_sums", tuple(sums))

    @classmethod
    def flat(cls, rate: float) -> Self:
        """The same rate at all times."""
        return cls(((0.0, rate),))

    def shifted(self, seconds: float) -> Self:
        """The same curve this much later."""
        return type(self)(tuple((at + seconds, rate) for at, rate in self.points))

    def scaled(self, factor: float) -> Self:
        """The same curve with each rate multiplied."""
        return type(self)(tuple((at, rate * factor) for at, rate in self.points))

    def rate_at(self, at: float) -> float:
        """Arrivals per second at a moment."""
        place = bisect_right(self.points, (at, math.inf)) - 1
        if place < 0:
            return self.points[0][1]
        begin, low = self.points[place]
        if place == len(self.points) - 1:
            return low
        end, high = self.points[place + 1]
        return low + (high - low) * (at - begin) / (end - begin)

    def count(self, begin: float, end: float) -> float:
        """Expected arrivals between two moments: the integral of the rate."""
        return self._total(end) - self._total(begin)

    def mean(self, begin: float, end: float) -> float:
        """Mean rate between two moments."""
        return self.count(begin, end) / (end - begin) if end > begin else self.rate_at(begin)

    def _total(self, at: float) -> float:
        """Expected arrivals from the first point to a moment; negative before it."""
        place = bisect_right(self.points, (at, math.inf)) - 1
        if place < 0:
            return (at - self.points[0][0]) * self.points[0][1]
        begin, low = self.points[place]
        return self._sums[place] + (at - begin) * (low + self.rate_at(at)) / 2

    def find(self, count: float, begin: float = 0.0) -> float:
        """The time at which `arrivals` are expected, the inverse of `count`; infinite if they never are."""
        wanted = self._total(begin) + count
        first, rate = self.points[0]
        if wanted < 0:
            return first + wanted / rate if rate else math.inf
        place = bisect_right(self._sums, wanted) - 1
        at, low = self.points[place]
        left = wanted - self._sums[place]
        if place == len(self.points) - 1:
            return at + left / low if low else (at if not left and not count else math.inf)
        end, high = self.points[place + 1]
        slope = (high - low) / (end - at)
        # The root of left = low * t + slope * t^2 / 2, in the form that is also valid for a slope of 0.
        return min(at + 2 * left / (low + math.sqrt(max(low * low + 2 * slope * left, 0.0))), end) if left else at

    def edges(self, begin: float, end: float) -> Iterator[tuple[float, float]]:
        """The points of the curve between two moments, and at both."""
        yield begin, self.rate_at(begin)
        yield from ((at, rate) for at, rate in self.points if begin < at < end)
        yield end, self.rate_at(end)
