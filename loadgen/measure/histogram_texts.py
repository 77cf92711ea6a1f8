"""Histograms as text: HdrHistogram V2, compressed, in base64."""

import base64
import zlib
from collections.abc import Iterable
from ctypes import addressof

import numpy as np
from hdrh.codec import V2_COMPRESSION_COOKIE_BASE, V2_ENCODING_COOKIE_BASE, ExternalHeader, PayloadHeader, decode
from hdrh.histogram import HdrHistogram

from loadgen.measure.histograms import DIGITS, HIGHEST, LOWEST, make_histogram, new_histogram

EXTERNAL_HEADER, PAYLOAD_HEADER, LONGEST_PAYLOAD = 8, 40, 1 << 18
"""Bytes before the packed part of an encoded histogram, before its counts, and to which the part unpacks at most."""
WORD_SIZE = 8
"""Bytes of a count."""
COOKIE_BASE = 0xFFFFFF0F
"""Bits of a cookie that name the format; the others are the word size."""


def decode_histogram(text: str) -> HdrHistogram:
    """The histogram of a text. Raises ValueError for any text that `new_histogram` does not encode to."""
    return sum_histograms([text])


def sum_histograms(texts: Iterable[str]) -> HdrHistogram:
    """The histogram of all times of several. Raises ValueError for any text that `new_histogram` does not encode to.

    A short text may unpack to gigabytes, or request a histogram of that size: both are refused. All are unpacked into
    the same counts, as the library's own sum allocates and adds up 180 KB for each.
    """
    summed, one = new_histogram(), new_histogram()
    total, counts = (np.ctypeslib.as_array(histogram.counts) for histogram in (summed, one))
    for text in texts:
        try:
            seen = decode(_unpack(text), PAYLOAD_HEADER, addressof(one.counts), len(counts), WORD_SIZE)
        except Exception as error:  # noqa: BLE001 - whatever zlib and the codec say of a text that is none
            raise ValueError(f"is no histogram ({error})") from None
        if not seen["total"]:
            continue
        used = slice(seen["min_nonzero_index"], seen["max_nonzero_index"] + 1)
        if counts[used].min() < 0:
            raise ValueError("is no histogram of this tool's")
        total[used] += counts[used]
        counts[used] = 0
    return make_histogram({summed.get_value_from_index(index): int(total[index]) for index in np.flatnonzero(total)})


def _unpack(text: str) -> bytes:
    """The payload, header and counts. Raises whatever the parts raise."""
    packed = base64.b64decode(text)
    outer = ExternalHeader.from_buffer_copy(packed)
    payload = zlib.decompressobj().decompress(packed[EXTERNAL_HEADER:], LONGEST_PAYLOAD)
    inner = PayloadHeader.from_buffer_copy(payload)
    formats = (outer.cookie & COOKIE_BASE, inner.cookie & COOKIE_BASE)
    kind = (inner.lowest_trackable_value, inner.highest_trackable_value, inner.significant_figures)
    if formats != (V2_COMPRESSION_COOKIE_BASE, V2_ENCODING_COOKIE_BASE) or kind != (LOWEST, HIGHEST, DIGITS):
        raise ValueError("of another kind")
    if len(payload) >= LONGEST_PAYLOAD or outer.length != len(packed) - EXTERNAL_HEADER:
        raise ValueError("of another length")
    return payload
