"""Whether the backlog of a step grows without bound: then its end need not be awaited.

A server that just keeps up has a backlog that wanders: at the critical load it is a random walk, whose variance grows
by the rate of the arrivals times (1 + the squared coefficient of variation of the service times) per second. The trend
of a random walk looks significant by the usual test, which assumes independent errors. Its true standard deviation is
sqrt(6/5 * variance per second / seconds) (Durlauf and Phillips 1988, Trends versus random walks in time series
analysis, theorem 2.1). A trend is significant here if it exceeds that, as the critical load would not explain it.
"""

import math
from dataclasses import dataclass, field

import numpy as np

SIGNIFICANT = 3.3
"""Standard deviations above 0: one step in two thousand at the critical load."""
VARIATION = 2.0
"""1 + the squared coefficient of variation of the service times: 1 for constant ones, 2 for exponential ones."""
TREND = 6 / 5
POINTS_AT_LEAST = 8
RESPONSES_AT_LEAST = 3
DROPPED_AT_MOST = 0.01
"""Share of the arrivals that may be dropped: a full queue hides the growth behind it."""
LATEST = 2 / 3
"""Share of the step that is looked at: at its beginning the first operations have not ended yet."""


@dataclass(slots=True)
class Backlog:
    """What is waiting in one step at a rate; times are seconds from its first arrival."""

    rate: float
    _waiting: list[tuple[float, float]] = field(default_factory=list)
    dropped: int = 0
    """Arrivals that were dropped so far."""

    def look(self, at: float, waiting: int, dropped: int = 0) -> None:
        """Arrivals that were neither answered nor dropped at this moment, and those dropped until then."""
        self._waiting.append((at, waiting + dropped))
        self.dropped = dropped

    @property
    def share_dropped(self) -> float:
        """Of the arrivals that were due so far."""
        due = self.rate * self._waiting[-1][0] if self._waiting else 0.0
        return min(1.0, self.dropped / due) if due >= 1 else 0.0

    def grows(self, responses: "list[tuple[float, float]]") -> bool:
        """Whether backlog and response times (moment, mean seconds) both grow, or arrivals are dropped meanwhile."""
        if len(self._waiting) < POINTS_AT_LEAST:
            return False
        latest = [one for one in self._waiting if one[0] >= (1 - LATEST) * self._waiting[-1][0]]
        unit = math.sqrt(TREND * VARIATION * self.rate)
        if _trend(latest) <= SIGNIFICANT * unit:
            return False
        if self.share_dropped > DROPPED_AT_MOST:
            return True
        return len(responses) >= RESPONSES_AT_LEAST and _trend(responses) > SIGNIFICANT * unit / self.rate


def _trend(points: "list[tuple[float, float]]") -> float:
    """Slope of the least-squares line, times the square root of its length: comparable between lengths."""
    times, values = np.array(points).T
    span = float(times[-1] - times[0])
    centred = times - times.mean()
    below = float(centred @ centred)
    return float(centred @ values) / below * math.sqrt(span) if below > 0 else 0.0
