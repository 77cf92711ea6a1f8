"""The operations of one kind in one phase: their outcomes, and mergeable histograms of their times."""

import base64
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from hdrh.codec import PayloadHeader
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from loadgen.measure.sample import Outcome, OutcomeClass, Sample

LOWEST, HIGHEST, DIGITS = 1, 600_000_000, 3
"""Histograms count microseconds from 1 us to 10 minutes, with three digits."""
MICROSECONDS = 1_000_000
EXTERNAL_HEADER, LONGEST_PAYLOAD = 8, 1 << 18
"""Bytes before the packed part of an encoded histogram, and the maximum size of that part unpacked."""
EXACT_BITS = 11
"""Significant bits for three digits: below 2^11 every microsecond has a separate bucket."""
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


def new_histogram() -> HdrHistogram:
    """An empty histogram of microseconds."""
    return HdrHistogram(LOWEST, HIGHEST, DIGITS)


def decode_histogram(text: str) -> HdrHistogram:
    """Decode a histogram of `new_histogram`. Raises ValueError for any invalid text.

    A short text may unpack to gigabytes, or request a histogram of that size: both are refused.
    """
    try:
        unpacked = zlib.decompressobj().decompress(base64.b64decode(text)[EXTERNAL_HEADER:], LONGEST_PAYLOAD)
        header = PayloadHeader.from_buffer_copy(unpacked)
        kind = (header.lowest_trackable_value, header.highest_trackable_value, header.significant_figures)
        fits = len(unpacked) < LONGEST_PAYLOAD and kind == (LOWEST, HIGHEST, DIGITS)
        histogram = HdrHistogram.decode(text) if fits else None
    except Exception as error:  # noqa: BLE001 - any error of zlib or the codec
        raise ValueError(f"is no histogram ({error})") from None
    if histogram is None or np.ctypeslib.as_array(histogram.counts).min() < 0:
        raise ValueError("is no histogram of this tool's")
    return histogram


def find_values(seconds: NDArray[np.float64]) -> list[int]:
    """Each time, rounded down to the lowest microsecond of its histogram bucket."""
    micro = np.clip(np.rint(seconds * MICROSECONDS), LOWEST, HIGHEST).astype(np.int64)
    shift = np.maximum(np.frexp(micro)[1] - EXACT_BITS, 0)
    values: list[int] = ((micro >> shift) << shift).tolist()
    return values


class Times:
    """Service and response times of one outcome class. In the closed model they are equal, and counted once.

    Only occupied buckets are counted, and converted to a histogram on request. This costs a tenth per sample of adding
    it to a histogram, with the same result.
    """

    __slots__ = ("_response", "_service")

    def __init__(self) -> None:
        self._service: Counter[int] = Counter()
        self._response: Counter[int] | None = None

    @property
    def service(self) -> HdrHistogram:
        """From when an operation started."""
        return _make_histogram(self._service)

    @property
    def response(self) -> HdrHistogram:
        """From when an operation was due."""
        return _make_histogram(self._service if self._response is None else self._response)

    def add_all(self, samples: Sequence[Sample]) -> None:
        """Count the times of some samples."""
        finished = np.array([sample.finished for sample in samples])
        started = np.array([sample.started for sample in samples])
        scheduled = np.array([sample.scheduled for sample in samples])
        if self._response is None and not np.array_equal(started, scheduled):
            self._response = self._service.copy()
        self._service.update(find_values(finished - started))
        if self._response is not None:
            self._response.update(find_values(finished - scheduled))

    def merge(self, other: Self) -> None:
        """Add the counts of another instance."""
        if self._response is None and other._response is not None:
            self._response = self._service.copy()
        if self._response is not None:
            self._response.update(other._service if other._response is None else other._response)
        self._service.update(other._service)

    def as_message(self) -> dict[str, bytes | None]:
        """Packed buckets to send to the master; without response times if these equal the service times."""
        response = None if self._response is None else _pack(self._response)
        return {"service": _pack(self._service), "response": response}

    @classmethod
    def from_message(cls, message: Mapping[str, bytes | None]) -> Self:
        """The inverse of `as_message`."""
        made = cls()
        made._service = _unpack(message["service"] or b"")
        made._response = None if message["response"] is None else _unpack(message["response"])
        return made


def _make_histogram(counts: Mapping[int, int]) -> HdrHistogram:
    histogram = new_histogram()
    for value, count in counts.items():
        histogram.record_value(value, count)
    return histogram


def _pack(counts: Mapping[int, int]) -> bytes:
    """Buckets, then their counts, as unsigned 32-bit numbers: 8 bytes per bucket."""
    numbers = np.array([[*counts.keys()], [*counts.values()]], dtype="<u4")
    return numbers.tobytes()


def _unpack(packed: bytes) -> Counter[int]:
    values, counts = np.frombuffer(packed, dtype="<u4").reshape(2, -1).tolist()
    return Counter(dict(zip(values, counts, strict=True)))


@dataclass(slots=True)
class OperationStats:
    """All operations of one kind in one phase."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    nested: Counter[Outcome] = field(default_factory=Counter)
    """Of these, the nested ones."""
    rows: int = 0
    times: dict[OutcomeClass, Times] = field(default_factory=dict)
    stages: dict[str, Counter[int]] = field(default_factory=dict)
    """Times of each stage of answered operations and timeouts, as returned by `find_values`."""

    def add_all(self, samples: Sequence[Sample]) -> None:
        """Count some samples."""
        if inner := [sample.outcome for sample in samples if sample.nested]:
            self.nested.update(inner)
        if staged := [sample for sample in samples if sample.stages and CLASSES[sample.outcome] in WAITED_FOR]:
            self._add_stages(staged)
        for outcome, some in _by_outcome(samples).items():
            self.outcomes[outcome] += len(some)
            self.times.setdefault(CLASSES[outcome], Times()).add_all(some)
        self.rows += sum(sample.rows for sample in samples)

    def _add_stages(self, samples: Sequence[Sample]) -> None:
        seconds: dict[str, list[float]] = {}
        for sample in samples:
            for stage, took in sample.stages.items():
                seconds.setdefault(stage, []).append(took)
        for stage, all_of_it in seconds.items():
            self.stages.setdefault(stage, Counter()).update(find_values(np.array(all_of_it)))

    def merge(self, other: Self) -> None:
        """Add the counts of other instances."""
        self.outcomes.update(other.outcomes)
        self.nested.update(other.nested)
        for stage, counts in other.stages.items():
            self.stages.setdefault(stage, Counter()).update(counts)
        self.rows += other.rows
        for kind, times in other.times.items():
            self.times.setdefault(kind, Times()).merge(times)

    def as_message(self) -> dict[str, Any]:
        """Plain values to send to the master."""
        return {
            "outcomes": {str(outcome): count for outcome, count in self.outcomes.items()},
            "nested": {str(outcome): count for outcome, count in self.nested.items()},
            "rows": self.rows,
            "stages": {stage: _pack(times) for stage, times in self.stages.items()},
            "times": {str(kind): times.as_message() for kind, times in self.times.items()},
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`."""
        outcomes = Counter({Outcome(name): count for name, count in message["outcomes"].items()})
        times = {OutcomeClass(name): Times.from_message(told) for name, told in message["times"].items()}
        nested = Counter({Outcome(name): count for name, count in message["nested"].items()})
        stages = {name: _unpack(told) for name, told in message["stages"].items()}
        return cls(outcomes, nested, message["rows"], times, stages)

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
        return _make_histogram(self.stages[name])

    @property
    def service(self) -> HdrHistogram:
        """Service times in microseconds of answered operations and of timeouts; not to be changed."""
        return sum_up([self.times[kind].service for kind in WAITED_FOR if kind in self.times])

    @property
    def response(self) -> HdrHistogram:
        """Response times of the same operations, from when each was due."""
        return sum_up([self.times[kind].response for kind in WAITED_FOR if kind in self.times])

    def percentile(self, percent: float) -> float:
        """Percentile of the response times of these operations, in seconds; nan if there are none."""
        return percentile(self.response, percent)


def _by_outcome(samples: Sequence[Sample]) -> dict[Outcome, Sequence[Sample]]:
    """Usually all outcomes are equal, which is a fast path."""
    first = samples[0].outcome
    if not [True for sample in samples if sample.outcome is not first]:
        return {first: samples}
    return {outcome: some for outcome in Outcome if (some := [one for one in samples if one.outcome is outcome])}


def percentile(histogram: HdrHistogram, percent: float) -> float:
    """Percentile in seconds, as `get_value_at_percentile` of hdrh, in a tenth of its time; nan if empty."""
    total = histogram.get_total_count()
    if not total:
        return math.nan
    lowest, widths, counts = _occupied(histogram)
    wanted = max(int(min(percent, 100.0) * total / 100 + 0.5), 1)
    place = int(np.searchsorted(np.cumsum(counts), wanted))
    return float(lowest[place] + widths[place] - 1) / MICROSECONDS


def mean(histogram: HdrHistogram) -> float:
    """Mean in seconds, as `get_mean_value` of hdrh, in a hundredth of its time; nan if empty."""
    lowest, widths, counts = _occupied(histogram)
    return float((lowest + widths // 2) @ counts) / int(counts.sum()) / MICROSECONDS if len(counts) else math.nan


def count_above(histogram: HdrHistogram, seconds: float) -> int:
    """Number of longer times, to the histogram's three digits."""
    lowest, widths, counts = _occupied(histogram)
    return int(counts[lowest + widths - 1 > seconds * MICROSECONDS].sum())


def _occupied(histogram: HdrHistogram) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Lowest value, width and count of each occupied bucket, ascending; iterating over all buckets takes 0.1 s."""
    every = np.ctypeslib.as_array(histogram.counts)
    index = np.flatnonzero(every)
    half = histogram.sub_bucket_half_count
    bucket = np.maximum((index >> histogram.sub_bucket_half_count_magnitude) - 1, 0)
    in_bucket = np.where(index < half, index, (index & (half - 1)) + half)
    shift = bucket + histogram.unit_magnitude
    return in_bucket << shift, np.int64(1) << shift, every[index].astype(np.int64)


def sum_up(histograms: Iterable[HdrHistogram]) -> HdrHistogram:
    """The sum of some histograms; a single one is returned itself."""
    some = list(histograms)
    if len(some) == 1:
        return some[0]
    total = new_histogram()
    for histogram in some:
        total.add(histogram)
    return total
