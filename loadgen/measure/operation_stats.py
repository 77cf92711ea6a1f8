"""The operations of one kind in one phase: their outcomes, and mergeable histograms of their times."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, islice
from typing import Any, Self

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from loadgen.measure.batch import Batch
from loadgen.measure.histograms import SparseHistogram, find_values, make_histogram, percentile, sum_up
from loadgen.measure.sample import Outcome, OutcomeClass, StageTimes

CLASSES = {
    outcome: OutcomeClass.TIMEOUT
    if outcome is Outcome.TIMEOUT
    else OutcomeClass.FAILED
    if outcome.is_failure
    else OutcomeClass.ANSWERED
    for outcome in Outcome
}
WAITED_FOR = (OutcomeClass.ANSWERED, OutcomeClass.TIMEOUT)
"""The classes included in percentiles: a user also waited for a timeout."""


class Times:
    """Service and response times of one outcome class. In the closed model they are equal, and counted once.

    Only occupied buckets are counted, and converted to a histogram on request. This costs a tenth per sample of adding
    it to a histogram, with the same result.
    """

    __slots__ = ("_response", "_service")

    def __init__(self) -> None:
        self._service = SparseHistogram()
        self._response: SparseHistogram | None = None

    @property
    def service(self) -> HdrHistogram:
        """From when an operation started."""
        return make_histogram(self._service.counts)

    @property
    def response(self) -> HdrHistogram:
        """From when an operation was due."""
        return make_histogram((self._service if self._response is None else self._response).counts)

    def counts(self, *, is_service: bool) -> Counter[int]:
        """The buckets of the service or the response times; not to be changed."""
        return (self._service if is_service or self._response is None else self._response).counts

    def add_responses_to(self, total: SparseHistogram) -> None:
        """Add the response times to others."""
        total.add(self._service if self._response is None else self._response)

    def add_all(self, batch: Batch) -> None:
        """Count the times of some samples."""
        if self._response is None and not np.array_equal(batch.started, batch.scheduled):
            self._response = self._service.copy()
        self._service.update(find_values(batch.finished - batch.started).tolist())
        if self._response is not None:
            self._response.update(find_values(batch.finished - batch.scheduled).tolist())

    def merge(self, other: Self) -> None:
        """Add the counts of another instance."""
        if self._response is None and other._response is not None:
            self._response = self._service.copy()
        if self._response is not None:
            self._response.add(other._service if other._response is None else other._response)
        self._service.add(other._service)

    def settle(self) -> None:
        """Take little memory: the phase is over."""
        self._service.settle()
        if self._response is not None:
            self._response.settle()

    def as_message(self) -> dict[str, bytes | None]:
        """Packed buckets for the way to the master; no response times where they are the service times."""
        response = None if self._response is None else self._response.pack()
        return {"service": self._service.pack(), "response": response}

    @classmethod
    def from_message(cls, message: Mapping[str, bytes | None]) -> Self:
        """The inverse of `as_message`."""
        made = cls()
        made._service = SparseHistogram(packed=message["service"] or b"")
        response = message["response"]
        made._response = None if response is None else SparseHistogram(packed=response)
        return made


@dataclass(slots=True)
class OperationStats:
    """All operations of one kind in one phase."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    nested: Counter[Outcome] = field(default_factory=Counter)
    """Of these, the nested ones."""
    rows: int = 0
    times: dict[OutcomeClass, Times] = field(default_factory=dict)
    stages: dict[str, SparseHistogram] = field(default_factory=dict)
    """Times of each stage of answered operations and timeouts, as returned by `find_values`."""
    repeated: set[str] = field(default_factory=set)
    """Of these stages, the ones that may occur many times in one operation."""
    items: Counter[str] = field(default_factory=Counter)
    """Sums of what the operations processed besides rows, such as tokens, by name."""
    good: int | None = None
    """Operations that met the objective; None if they are not judged."""

    def add_all(self, batch: Batch, good: NDArray[np.bool_] | None = None) -> None:
        """Count some samples; `good` tells which of them met the objective."""
        if True in batch.nested:
            self.nested.update(compress(batch.outcomes, batch.nested))
        for outcome, some in batch.by_outcome().items():
            kind = CLASSES[outcome]
            self.outcomes[outcome] += len(some.outcomes)
            self.times.setdefault(kind, Times()).add_all(some)
            if kind in WAITED_FOR and any(some.stages):
                self._add_stages(some.stages)
        self.rows += sum(batch.rows)
        for items in filter(None, batch.items):
            for name, number in items.items():
                self.items[name] += number
        if good is not None:
            self.good = (self.good or 0) + int(np.count_nonzero(good))

    def _add_stages(self, stages: Sequence[StageTimes]) -> None:
        seconds: dict[str, list[Any]] = {}
        for name in dict.fromkeys(chain.from_iterable(stages)):
            times: list[Any] = [one[name] for one in stages if name in one]
            if tuple in set(map(type, times)):
                self.repeated.add(name)
                times = [each for took in times for each in (took if isinstance(took, tuple) else (took,))]
            seconds[name] = times
        values = iter(find_values(np.array(list(chain.from_iterable(seconds.values())))).tolist())
        for name, times in seconds.items():
            self.stages.setdefault(name, SparseHistogram()).update(islice(values, len(times)))

    def merge(self, other: Self) -> None:
        """Add the counts of other instances."""
        self.outcomes.update(other.outcomes)
        self.nested.update(other.nested)
        for stage, counts in other.stages.items():
            self.stages.setdefault(stage, SparseHistogram()).add(counts)
        self.repeated |= other.repeated
        self.rows += other.rows
        self.items.update(other.items)
        if other.good is not None:
            self.good = (self.good or 0) + other.good
        for kind, times in other.times.items():
            self.times.setdefault(kind, Times()).merge(times)

    def settle(self) -> None:
        """Take little memory: the phase is over."""
        for times in self.times.values():
            times.settle()
        for stage in self.stages.values():
            stage.settle()

    def as_message(self) -> dict[str, Any]:
        """Plain values to send to the master."""
        return {
            "outcomes": {str(outcome): count for outcome, count in self.outcomes.items()},
            "nested": {str(outcome): count for outcome, count in self.nested.items()},
            "rows": self.rows,
            "items": dict(self.items),
            "good": self.good,
            "repeated": sorted(self.repeated),
            "stages": {stage: times.pack() for stage, times in self.stages.items()},
            "times": {str(kind): times.as_message() for kind, times in self.times.items()},
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`."""
        outcomes = Counter({Outcome(name): count for name, count in message["outcomes"].items()})
        times = {OutcomeClass(name): Times.from_message(reported) for name, reported in message["times"].items()}
        nested = Counter({Outcome(name): count for name, count in message["nested"].items()})
        stages = {name: SparseHistogram(packed=reported) for name, reported in message["stages"].items()}
        repeated, items = set(message["repeated"]), Counter(message["items"])
        return cls(outcomes, nested, message["rows"], times, stages, repeated, items, message["good"])

    @property
    def totals(self) -> Counter[Outcome]:
        """Outcomes of operations that are not nested, as used in totals."""
        return self.outcomes - self.nested

    @property
    def operations(self) -> int:
        """All finished operations, failures included."""
        return sum(self.outcomes.values())

    @property
    def failures(self) -> int:
        """Operations without a usable answer."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.is_failure)

    def stage(self, name: str) -> HdrHistogram:
        """Times of one stage in microseconds."""
        return make_histogram(self.stages[name].counts)

    @property
    def service(self) -> HdrHistogram:
        """Service times in microseconds of answered operations and of timeouts; not to be changed."""
        return sum_up([self.times[kind].service for kind in WAITED_FOR if kind in self.times])

    @property
    def response(self) -> HdrHistogram:
        """Response times of the same operations, from when each was due."""
        return sum_up([self.times[kind].response for kind in WAITED_FOR if kind in self.times])

    def find_times(self, part: str = "") -> Counter[int]:
        """A copy of the buckets of the response times, of the `service` times, or of the times of a stage."""
        if part not in ("", "service"):
            return Counter(self.stages[part].counts) if part in self.stages else Counter()
        counts: Counter[int] = Counter()
        for kind in WAITED_FOR:
            if kind in self.times:
                counts.update(self.times[kind].counts(is_service=part == "service"))
        return counts

    def percentile(self, percent: float) -> float:
        """Percentile of the response times of these operations, in seconds; nan if there are none."""
        total = SparseHistogram()  # one of the library's takes 3 us per bucket to make
        for kind in WAITED_FOR:
            if kind in self.times:
                self.times[kind].add_responses_to(total)
        return percentile(total, percent)
