"""What a report shows of one record, whatever its form: words, and a row for each mode at each level."""

from dataclasses import dataclass

import numpy as np
from hdrh.histogram import HdrHistogram

from loadgen.record import Comparison, RunRecord
from loadgen.results.bursts import Burst, find_bursts
from loadgen.results.estimates import Estimates, estimate
from loadgen.results.series import Place, Series, find_series, percentile, place_of
from loadgen.verdict import Explanation, explain

PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Row:
    """One operation of one mode at one level."""

    series: Series
    times: HdrHistogram
    """Response times in microseconds."""
    estimates: Estimates | None
    """Intervals; None where there were no slices to draw from."""

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
        return any(row.series.place.is_open for row in self.rows)

    def rows_of(self, operation: str) -> list[Row]:
        """The rows of one operation, by level, sync first."""
        return [row for row in self.rows if row.series.operation == operation]

    def compared(self, operation: str) -> dict[Place, Comparison]:
        """The comparisons of one operation, the lowest level first."""
        found = {place_of(c.concurrency, c.rate): c for c in self.record.comparisons if c.operation == operation}
        return dict(sorted(found.items()))


def summarize(record: RunRecord) -> Summary:
    """Everything that has to be computed, once; the same record always gives the same figures."""
    rng = np.random.default_rng(record.manifest.seed)
    rows = tuple(Row(series, series.times(), estimate(series.sliced(), rng)) for series in find_series(record))
    return Summary(record, explain(record), rows, tuple(find_bursts(record)))
