"""What a report shows of one record, whatever its form: words, and a row for each mode at each level."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from hdrh.histogram import HdrHistogram

from loadgen.results.bursts import Burst, find_bursts
from loadgen.results.estimates import REPLICATES, Estimates, estimate
from loadgen.results.figures import LoadLevel, load_level
from loadgen.results.record import Comparison, RunRecord
from loadgen.results.series import Series, find_series, percentile
from loadgen.results.verdict import Explanation, explain

REPLICATES_AT_LEAST = 400
PHASES_IN_FULL = 400
"""Phases of a record up to which each interval has all replicates."""
PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)


class Row:
    """One operation of one mode at one level. What costs time is computed when it is first asked for, and kept."""

    def __init__(self, series: Series, seed: Sequence[int], replicates: int) -> None:
        self.series = series
        self._seed = seed
        self._replicates = replicates

    @cached_property
    def times(self) -> HdrHistogram:
        """Response times in microseconds. Raises ValueError for a histogram that cannot be read."""
        return self.series.times()

    @cached_property
    def estimates(self) -> Estimates | None:
        """Intervals; None where there were no slices to draw from."""
        return estimate(self.series.sliced(), np.random.default_rng(self._seed), self._replicates)

    @property
    def throughput(self) -> float:
        """Operations per second of a typical phase, which its interval and the ratio are of; else of all together."""
        return self.estimates.throughput.estimate if self.estimates else self.series.throughput

    def percentile(self, percent: float) -> float | None:
        """Seconds."""
        return percentile(self.times, percent)


@dataclass(frozen=True, slots=True)
class Summary:
    """One record, ready to be shown."""

    record: RunRecord
    explanation: Explanation
    rows: tuple[Row, ...]
    bursts: tuple[Burst, ...]

    @property
    def operations(self) -> list[str]:
        """Names of the operations that have rows."""
        return list(dict.fromkeys(row.series.operation for row in self.rows))

    @property
    def is_open(self) -> bool:
        """True where arrivals came at a rate."""
        return any(row.series.level.is_open for row in self.rows)

    def rows_of(self, operation: str) -> list[Row]:
        """The rows of one operation, by level, sync first."""
        return [row for row in self.rows if row.series.operation == operation]

    def compared(self, operation: str) -> dict[LoadLevel, Comparison]:
        """The comparisons of one operation, the lowest level first."""
        found = {load_level(c.concurrency, c.rate): c for c in self.record.comparisons if c.operation == operation}
        return dict(sorted(found.items()))


def summarize(record: RunRecord) -> Summary:
    """Everything that has to be computed, once; the same record always gives the same figures.

    Intervals of a very long run rest on fewer replicates: they wobble by some per cent of their width.
    """
    replicates = max(REPLICATES_AT_LEAST, REPLICATES * PHASES_IN_FULL // max(len(record.phases), PHASES_IN_FULL))
    found = enumerate(find_series(record))
    rows = tuple(Row(series, (record.manifest.seed, number), replicates) for number, series in found)
    return Summary(record, explain(record), rows, tuple(find_bursts(record)))
