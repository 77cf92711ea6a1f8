"""Mergeable histograms of times: the buckets of HdrHistogram, counted sparsely, and what is read from them."""

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

LOWEST, HIGHEST, DIGITS = 1, 600_000_000, 3
"""Histograms count microseconds from 1 us to 10 minutes, with three digits."""
MICROSECONDS = 1_000_000
EXACT_BITS = 11
"""Significant bits for three digits: below 2^11 every microsecond has a separate bucket."""
COARSE_BITS = 8
"""Significant bits where size counts for more than precision: buckets 0.4 to 0.8 % wide."""


def new_histogram() -> HdrHistogram:
    """An empty histogram of microseconds."""
    return HdrHistogram(LOWEST, HIGHEST, DIGITS)


def find_values(seconds: NDArray[np.float64], bits: int = EXACT_BITS) -> NDArray[np.int64]:
    """Each time, rounded down to the lowest microsecond of its bucket with this number of significant bits."""
    micro = np.clip(np.rint(seconds * MICROSECONDS), LOWEST, HIGHEST).astype(np.int64)
    shift = np.maximum(np.frexp(micro)[1] - bits, 0)
    lowest: NDArray[np.int64] = (micro >> shift) << shift
    return lowest


def find_value(seconds: float, bits: int = EXACT_BITS) -> int:
    """`find_values` of a single time."""
    micro = min(max(round(min(seconds * MICROSECONDS, HIGHEST)), LOWEST), HIGHEST)
    shift = max(micro.bit_length() - bits, 0)
    return (micro >> shift) << shift


def bucket_widths(lowest: NDArray[np.int64], bits: int = EXACT_BITS) -> NDArray[np.int64]:
    """Widths in microseconds of the buckets of `find_values` that begin there."""
    widths: NDArray[np.int64] = np.int64(1) << np.maximum(np.frexp(lowest)[1] - bits, 0)
    return widths


def make_histogram(counts: Mapping[int, int]) -> HdrHistogram:
    """The library's histogram of buckets by their lowest microsecond."""
    histogram = new_histogram()
    for value, count in counts.items():
        histogram.record_value(value, count)
    return histogram


class SparseHistogram:
    """The same buckets, of which only the occupied ones take memory: one of the library's takes 170 KB.

    Merging keeps the packed buckets of the others, and sums them up when they are read.
    """

    __slots__ = ("_counts", "_packed", "_settled")

    def __init__(self, counts: Mapping[int, int] | None = None, packed: bytes = b"") -> None:
        self._counts: Counter[int] = Counter(counts)
        self._packed = [packed] if packed else []
        self._settled = b""

    def __eq__(self, other: object) -> bool:
        """Equal if all buckets have equal counts."""
        return isinstance(other, SparseHistogram) and dict(self.items()) == dict(other.items())

    __hash__ = None  # type: ignore[assignment] # it changes

    def __repr__(self) -> str:
        """The buckets, for a failing test."""
        return f"SparseHistogram({dict(sorted(self.items()))})"

    def items(self) -> list[tuple[int, int]]:
        """The lowest microsecond of each bucket, and its count."""
        lowest, counts = _split(self.pack())
        return list(zip(lowest.tolist(), counts.tolist(), strict=True))

    def record_value(self, value: int, count: int = 1) -> None:
        """Count a time in microseconds."""
        shift = max(value.bit_length() - EXACT_BITS, 0)
        self._counts[(value >> shift) << shift] += count

    def update(self, lowest: Iterable[int] | Mapping[int, int]) -> None:
        """Count times by the lowest microsecond of their buckets, as `find_values` returns it; a mapping has counts."""
        self._counts.update(lowest)

    def add_counts(self, lowest: Iterable[int], counts: Iterable[int]) -> None:
        """Count many times: buckets by their lowest microsecond, and a count for each."""
        mine = self._counts
        for value, count in zip(lowest, counts, strict=True):
            mine[value] += count

    def add(self, other: "SparseHistogram") -> None:
        """Add the counts of another one."""
        self.add_packed(other.pack())

    def add_packed(self, packed: bytes) -> None:
        """Add what `pack` returned."""
        if packed:
            self._packed.append(packed)

    def copy(self) -> "SparseHistogram":
        """One with the same counts."""
        return SparseHistogram(packed=self.pack())

    def settle(self) -> None:
        """Take little memory: nothing is likely to be added from now on. It can be, and be read, as before."""
        if self.is_empty or self.is_settled:
            return
        lowest, counts = _split(self.pack())
        order = np.argsort(lowest)
        steps = np.diff(lowest[order], prepend=lowest.dtype.type(0))
        self._settled = zlib.compress(np.array([steps, counts[order]], dtype="<u4").tobytes(), 1)
        self._counts, self._packed = Counter(), []

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not (self._counts or self._packed or self._settled)

    @property
    def is_settled(self) -> bool:
        """Whether nothing was added since `settle`."""
        return bool(self._settled) and not self._counts and not self._packed

    def pack(self) -> bytes:
        """As the function `pack`; empty if nothing was counted."""
        parts = [*self._packed, pack(self._counts)] if self._counts else self._packed
        if self._settled:
            steps, counts = _split(zlib.decompress(self._settled))
            parts = [*parts, np.array([np.cumsum(steps), counts], dtype="<u4").tobytes()]
        if len(parts) <= 1:
            return parts[0] if parts else b""
        summed = _sum_packed(parts)
        if len(self._packed) > 1:
            self._counts, self._packed, self._settled = Counter(), [summed], b""
        return summed

    @property
    def counts(self) -> Counter[int]:
        """Counts by the lowest microsecond of their bucket; a copy."""
        return Counter(dict(self.items()))

    def get_total_count(self) -> int:
        """The number of times."""
        if not self._packed and not self._settled:
            return self._counts.total()
        return int(_split(self.pack())[1].sum())

    def get_max_value(self) -> int:
        """The highest microsecond of the last bucket, as the library has it; 0 if nothing was counted."""
        lowest, widths, _ = self.occupied()
        return int(lowest[-1] + widths[-1] - 1) if len(lowest) else 0

    def buckets(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lowest value and count of the buckets that have any, in no order."""
        lowest, counts = _split(self.pack()).astype(np.int64)
        return lowest, counts

    def occupied(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Lowest value, width and count of the buckets, ascending."""
        lowest, counts = (column.astype(np.int64) for column in _split(self.pack()))
        order = np.argsort(lowest)
        return lowest[order], bucket_widths(lowest[order]), counts[order]

    def encode(self) -> Any:
        """The text of the library's histogram."""
        return make_histogram(self.counts).encode()


def _split(packed: bytes) -> NDArray[np.uint32]:
    """The two rows of `pack`. Raises ValueError for anything else."""
    return np.frombuffer(packed, dtype="<u4").reshape(2, -1)


def _sum_packed(parts: Sequence[bytes]) -> bytes:
    lowest, counts = np.concatenate([_split(part) for part in parts], axis=1)
    every, places = np.unique(lowest, return_inverse=True)
    return np.array([every, np.bincount(places, weights=counts)], dtype="<u4").tobytes()


def pack(counts: Mapping[int, int]) -> bytes:
    """Buckets, then their counts, as unsigned 32-bit numbers: 8 bytes per bucket."""
    numbers = np.array([[*counts.keys()], [*counts.values()]], dtype="<u4")
    return numbers.tobytes()


def unpack(packed: bytes) -> Counter[int]:
    """The inverse of `pack`."""
    values, counts = np.frombuffer(packed, dtype="<u4").reshape(2, -1).tolist()
    return Counter(dict(zip(values, counts, strict=True)))


Histogram: TypeAlias = HdrHistogram | SparseHistogram


def percentile(histogram: Histogram, percent: float) -> float:
    """Percentile in seconds, as `get_value_at_percentile` of hdrh, in a tenth of its time; nan if empty."""
    total = histogram.get_total_count()
    if not total:
        return math.nan
    lowest, widths, counts = _occupied(histogram)
    wanted = max(int(min(percent, 100.0) * total / 100 + 0.5), 1)
    place = int(np.searchsorted(np.cumsum(counts), wanted))
    return float(lowest[place] + widths[place] - 1) / MICROSECONDS


def mean(histogram: Histogram) -> float:
    """Mean in seconds, as `get_mean_value` of hdrh, in a hundredth of its time; nan if empty."""
    lowest, widths, counts = _occupied(histogram)
    total = (lowest + widths // 2) @ counts.astype(np.float64)  # exact to 2^53, and no overflow beyond
    return float(total) / int(counts.sum()) / MICROSECONDS if len(counts) else math.nan


def count_above(histogram: Histogram, seconds: float) -> int:
    """Number of longer times, to the histogram's three digits."""
    lowest, widths, counts = _occupied(histogram)
    return int(counts[lowest + widths - 1 > seconds * MICROSECONDS].sum())


def _occupied(histogram: Histogram) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Lowest value, width and count of the buckets that are not empty, ascending: to walk over all takes 0.1 s."""
    if isinstance(histogram, SparseHistogram):
        return histogram.occupied()
    every = np.ctypeslib.as_array(histogram.counts)
    index = np.flatnonzero(every)
    half = histogram.sub_bucket_half_count
    bucket = np.maximum((index >> histogram.sub_bucket_half_count_magnitude) - 1, 0)
    in_bucket = np.where(index < half, index, (index & (half - 1)) + half)
    shift = bucket + histogram.unit_magnitude
    return in_bucket << shift, np.int64(1) << shift, every[index].astype(np.int64)


def coarsen(
    lowest: NDArray[np.int64], counts: NDArray[np.int64], bits: int = COARSE_BITS
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Occupied buckets, ascending by their lowest microsecond, with fewer significant bits (see `find_values`)."""
    shift = np.maximum(np.frexp(lowest)[1] - bits, 0)
    coarse, firsts = np.unique((lowest >> shift) << shift, return_index=True)
    return coarse, np.add.reduceat(counts, firsts) if len(counts) else counts


def sum_up(histograms: Iterable[HdrHistogram]) -> HdrHistogram:
    """The sum of some histograms; a single one is returned itself."""
    some = list(histograms)
    if len(some) == 1:
        return some[0]
    total = new_histogram()
    for histogram in some:
        total.add(histogram)
    return total
