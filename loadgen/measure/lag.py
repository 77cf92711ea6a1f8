"""How late one part of the load generator was in a phase, and whether that was a limit."""

import math
from dataclasses import dataclass

from loadgen.measure.histograms import Histogram, percentile

LAG_LIMIT = 0.1
"""Seconds of lag from which a beat or an arrival counts as late; at p99, the generator was the limit."""
LATE_AT_LEAST = 3
"""Late beats or arrivals needed for a limit: below a hundred, p99 is the longest, and one may be chance."""


@dataclass(frozen=True, slots=True)
class Lag:
    """The lag of one part (loop, hub or pace) of one process in a phase."""

    p99: float = math.nan
    """Seconds; nan if nothing was observed."""
    longest: float = math.nan
    late: int = 0
    """Beats (for the pace: arrivals) that were 0.1 s late or more."""

    @property
    def is_limit(self) -> bool:
        """True if the generator, not the server, was the limit."""
        return too_late(self.p99, self.late)


def too_late(p99: float, late: int) -> bool:
    """Whether a lag was the limit: its p99 in seconds (nan: no lag), and how many beats or arrivals were late."""
    return late >= LATE_AT_LEAST and p99 >= LAG_LIMIT


def find_lag(histogram: Histogram, late: int) -> Lag:
    """From a histogram of microseconds and the number of late beats or arrivals."""
    return Lag(percentile(histogram, 99), percentile(histogram, 100), late) if histogram.get_total_count() else Lag()


def find_worst(lags: list[Lag]) -> Lag:
    """A lag that is a limit precedes all others; then the highest p99 wins."""
    seen = [lag for lag in lags if not math.isnan(lag.p99)]
    return max(seen, key=lambda lag: (lag.is_limit, lag.p99), default=Lag())
