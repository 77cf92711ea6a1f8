"""Mergeable histograms of times: the buckets of HdrHistogram, counted sparsely, and what is read from them."""

import base64
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from hdrh.codec import PayloadHeader
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

LOWEST, HIGHEST, DIGITS = 1, 600_000_000, 3
"""Histograms count microseconds from 1 us to 10 minutes, with three digits."""
MICROSECONDS = 1_000_000
EXTERNAL_HEADER, LONGEST_PAYLOAD = 8, 1 << 18
"""Bytes before the packed part of an encoded histogram, and bytes that this unpacks to at most."""
EXACT_BITS = 11
"""Significant bits for three digits: below 2^11 every microsecond has a separate bucket."""
COARSE_BITS = 8
"""Significant bits where size counts for more than precision: buckets 0.4 to 0.8 % wide."""


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
    except Exception as error:  # noqa: BLE001 - whatever zlib and the codec say of a text that is none
        raise ValueError(f"is no histogram ({error})") from None
    if histogram is None or np.ctypeslib.as_array(histogram.counts).min() < 0:
        raise ValueError("is no histogram of this tool's")
    return histogram


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


def pack(counts: Mapping[int, int]) -> bytes:
    """Buckets, then their counts, as unsigned 32-bit numbers: 8 bytes per bucket."""
    numbers = np.array([[*counts.keys()], [*counts.values()]], dtype="<u4")
    return numbers.tobytes()


def unpack(packed: bytes) -> Counter[int]:
    """The inverse of `pack`."""
    values, counts = np.frombuffer(packed, dtype="<u4").reshape(2, -1).tolist()
    return Counter(dict(zip(values, counts, strict=True)))


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
    """Lowest value, width and count of the buckets that are not empty, ascending: to walk over all takes 0.1 s."""
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
