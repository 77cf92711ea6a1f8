"""The operations of one kind in one phase: how they ended, and mergeable histograms of what they took."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from loadgen.sample import Outcome, OutcomeClass, Sample

LOWEST, HIGHEST, DIGITS = 1, 600_000_000, 3
"""Histograms count microseconds from 1 us to 10 minutes, with three digits."""
MICROSECONDS = 1_000_000
EXACT_BITS = 11
"""Bits of a value that three digits keep: below 2^11 every microsecond has a bucket of its own."""
CLASSES = {
    outcome: OutcomeClass.TIMEOUT
    if outcome is Outcome.TIMEOUT
    else OutcomeClass.FAILED
    if outcome.is_failure
    else OutcomeClass.ANSWERED
    for outcome in Outcome
}
WAITED_FOR = (OutcomeClass.ANSWERED, OutcomeClass.TIMEOUT)
"""The classes that percentiles are of: a user has waited for a timeout as well."""


def new_histogram() -> HdrHistogram:
    """An empty histogram of microseconds."""
    return HdrHistogram(LOWEST, HIGHEST, DIGITS)


def record_all(histogram: HdrHistogram, seconds: NDArray[np.float64]) -> None:
    """Count many times at once, each in the bucket that `record_value` would choose."""
    micro = np.clip(np.rint(seconds * MICROSECONDS), LOWEST, HIGHEST).astype(np.int64)
    shift = np.maximum(np.frexp(micro)[1] - EXACT_BITS, 0)
    values, counts = np.unique((micro >> shift) << shift, return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        histogram.record_value(value, count)


@dataclass(slots=True)
class Times:
    """Service and response times of one outcome class. In the closed model they are the same, and counted once."""

    service: HdrHistogram = field(default_factory=new_histogram)
    own_response: HdrHistogram | None = None

    @property
    def response(self) -> HdrHistogram:
        """From when an operation was due."""
        return self.service if self.own_response is None else self.own_response

    def add_all(self, samples: Sequence[Sample]) -> None:
        """Count the times of some samples."""
        finished = np.array([sample.finished for sample in samples])
        started = np.array([sample.started for sample in samples])
        scheduled = np.array([sample.scheduled for sample in samples])
        if self.own_response is None and not np.array_equal(started, scheduled):
            self._part()
        record_all(self.service, finished - started)
        if self.own_response is not None:
            record_all(self.own_response, finished - scheduled)

    def merge(self, other: Self) -> None:
        """Add what another one counted."""
        if self.own_response is None and other.own_response is not None:
            self._part()
        if self.own_response is not None:
            self.own_response.add(other.response)
        self.service.add(other.service)

    def _part(self) -> None:
        """From here on the two differ."""
        self.own_response = new_histogram()
        self.own_response.add(self.service)

    def as_message(self) -> dict[str, str | None]:
        """Plain values for the way to the master."""
        response = None if self.own_response is None else self.own_response.encode()
        return {"service": self.service.encode(), "response": response}

    @classmethod
    def from_message(cls, message: Mapping[str, str | None]) -> Self:
        """The inverse of `as_message`."""
        made = cls()
        made.service.decode_and_add(message["service"])
        if message["response"] is not None:
            made.own_response = new_histogram()
            made.own_response.decode_and_add(message["response"])
        return made


@dataclass(slots=True)
class Tally:
    """All operations of one kind in one phase."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    rows: int = 0
    times: dict[OutcomeClass, Times] = field(default_factory=dict)

    def add_all(self, samples: Sequence[Sample]) -> None:
        """Count some samples."""
        by_outcome: dict[Outcome, list[Sample]] = {}
        for sample in samples:
            by_outcome.setdefault(sample.outcome, []).append(sample)
        for outcome, some in by_outcome.items():
            self.outcomes[outcome] += len(some)
            self.times.setdefault(CLASSES[outcome], Times()).add_all(some)
        self.rows += sum(sample.rows for sample in samples)

    def merge(self, other: Self) -> None:
        """Add what another tally counted."""
        self.outcomes.update(other.outcomes)
        self.rows += other.rows
        for kind, times in other.times.items():
            self.times.setdefault(kind, Times()).merge(times)

    def as_message(self) -> dict[str, Any]:
        """Plain values for the way to the master."""
        return {
            "outcomes": {str(outcome): count for outcome, count in self.outcomes.items()},
            "rows": self.rows,
            "times": {str(kind): times.as_message() for kind, times in self.times.items()},
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`."""
        outcomes = Counter({Outcome(name): count for name, count in message["outcomes"].items()})
        times = {OutcomeClass(name): Times.from_message(told) for name, told in message["times"].items()}
        return cls(outcomes, message["rows"], times)

    @property
    def operations(self) -> int:
        """All finished operations, failures included."""
        return sum(self.outcomes.values())

    @property
    def failures(self) -> int:
        """Operations without a usable answer."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.is_failure)

    @property
    def service(self) -> HdrHistogram:
        """Service times in microseconds of answered operations and of timeouts; not to be changed."""
        return _sum_up([self.times[kind].service for kind in WAITED_FOR if kind in self.times])

    @property
    def response(self) -> HdrHistogram:
        """Response times of the same operations, from when each was due."""
        return _sum_up([self.times[kind].response for kind in WAITED_FOR if kind in self.times])

    def percentile(self, percent: float) -> float:
        """Seconds of response time that so many per cent of these operations took at most; nan without any."""
        return percentile(self.response, percent)


def percentile(histogram: HdrHistogram, percent: float) -> float:
    """Seconds; nan where the histogram is empty."""
    if not histogram.get_total_count():
        return math.nan
    return float(histogram.get_value_at_percentile(percent)) / MICROSECONDS


def _sum_up(histograms: Iterable[HdrHistogram]) -> HdrHistogram:
    some = list(histograms)
    if len(some) == 1:
        return some[0]
    total = new_histogram()
    for histogram in some:
        total.add(histogram)
    return total
