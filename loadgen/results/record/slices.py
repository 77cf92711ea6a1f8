"""The record of an operation in short slices of a phase: packed, since a day of phases has a hundred thousand."""

import base64
import zlib
from collections.abc import Sequence
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from loadgen.measure.histogram_texts import decode_histogram
from loadgen.measure.histograms import HIGHEST, coarsen
from loadgen.measure.packing import BLOCKS, deflate
from loadgen.measure.slice_table import Counts, SliceTable
from loadgen.measure.slices import SliceStats
from loadgen.results.record.part import Count, Packed, PackedOrLeftOut, Part

LONGEST = 1 << 26
"""Maximum bytes to which a text unpacks: ten times those of a phase of hours."""
QUICK = BLOCKS[1:2]
"""Sizes of blocks for what is packed whenever a record is read: a third of the time for 2 % more."""
WIDTHS = (1, 2, 4, 8)
"""Bytes in which a count may be written."""
MOST = (1 << 63) - 1
"""Maximum count: the next one is negative where it is summed up."""
Numbers = NDArray[np.int64]
Length = Annotated[float, Field(ge=1e-6, le=1e9)]


class Slices(Part):
    """The answers of an operation in the slices of a phase: enough to resample it for an interval."""

    seconds: Length
    """Length of each slice."""
    last_seconds: Length
    """Length of the last one, which is shorter where the phase was ended early."""
    operations: Annotated[tuple[Count, ...], Field(min_length=1)]
    """Answered operations of each."""
    good: tuple[Count, ...] | None = None
    """Operations of each that met the objective; null: not judged."""
    buckets: PackedOrLeftOut
    """The buckets of `counts`, each by its lowest microsecond minus that of the one before: 32-bit little-endian
    numbers, zlib, base64. They are those of an HDR histogram with 8 significant bits, at most 0.8 % wide. null: they
    are those of the response times' histogram, and `counts` omits the last slice, which has the rest of it."""
    counts: Packed
    """Response times of answered operations and timeouts: a row for each bucket, with its count in each slice, as
    little-endian numbers of 1, 2, 4 or 8 bytes, zlib, base64."""

    @classmethod
    def of(cls, pieces: Sequence[SliceStats], *, is_judged: bool) -> Self:
        """The slices of a phase, at least one."""
        table = SliceTable.of(pieces)
        return cls(
            seconds=pieces[0].seconds,
            last_seconds=pieces[-1].seconds,
            operations=tuple(piece.operations for piece in pieces),
            good=tuple(piece.good for piece in pieces) if is_judged else None,
            buckets=_pack_buckets(table.buckets),
            counts=_pack_table(table.counts.T),
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.good is not None and len(self.good) != len(self.operations):
            raise ValueError("needs as many slices in `good` as in `operations`")
        buckets, counts = _read(self.buckets, self.counts, len(self))
        if buckets.size and not (
            buckets[0] > 0 and buckets[-1] <= HIGHEST and bool((buckets[1:] > buckets[:-1]).all())
        ):
            raise ValueError("needs ascending buckets")
        if counts.itemsize == WIDTHS[-1] and counts.size and counts.max() > MOST:
            raise ValueError("needs counts of at least 0")
        return self

    @property
    def table(self) -> SliceTable:
        """The slices with their times."""
        good = np.array(self.good or [0] * len(self), dtype=np.int64)
        buckets, counts = _read(self.buckets, self.counts, len(self))
        return SliceTable(np.array(self.lengths), np.array(self.operations, dtype=np.int64), good, buckets, counts.T)

    @property
    def lengths(self) -> list[float]:
        """The length of each slice in seconds."""
        return [*[self.seconds] * (len(self) - 1), self.last_seconds]

    def __len__(self) -> int:
        """The number of slices."""
        return len(self.operations)


def leave_out(slices: dict[str, Any], histogram: str) -> dict[str, Any]:
    """The values of `Slices` for a file: without what follows from the histogram of all response times, if it does."""
    buckets, table = _read(slices["buckets"], slices["counts"], len(slices["operations"]))
    try:
        coarse, totals = coarsen(decode_histogram(histogram))
    except ValueError:
        return slices
    if not (np.array_equal(buckets, coarse) and np.array_equal(table.sum(axis=1), totals)):
        return slices
    return slices | {"buckets": None, "counts": _pack_table(table[:, :-1], BLOCKS)}


def put_back(slices: dict[str, Any], histogram: str) -> dict[str, Any]:
    """The inverse of `leave_out`, for values of any origin. Raises ValueError if they do not fit together."""
    operations, counts = slices.get("operations"), slices.get("counts")
    if not (isinstance(operations, Sequence) and operations and isinstance(counts, str)):
        return slices  # the schema reports it
    try:
        buckets, totals = coarsen(decode_histogram(histogram))
    except ValueError as error:
        raise ValueError(f"response_seconds.histogram {error}") from None
    table = _read_table(counts, len(buckets), len(operations) - 1).astype(np.int64)
    rest = totals - table.sum(axis=1)
    if rest.min(initial=0) < 0 or table.min(initial=0) < 0:
        raise ValueError("needs no more times in slices than in the histogram")
    whole = np.column_stack([table, rest])
    return slices | {"buckets": _pack_buckets(buckets), "counts": _pack_table(whole)}


def turn(slices: dict[str, Any]) -> dict[str, Any]:
    """The values of schema 6: buckets by their lowest microsecond, and a row of counts for each slice.

    Raises ValueError for anything that the present schema does not accept either.
    """
    buckets = np.frombuffer(_unpack(slices["buckets"]), dtype="<u4").astype(np.int64)
    table = _read_table(slices["counts"], len(slices["operations"]), len(buckets))
    return slices | {"buckets": _pack_buckets(buckets), "counts": _pack_table(table.T)}


def _read(buckets: str, counts: str, slices: int) -> tuple[Numbers, Counts]:
    """Lowest microseconds, and the table of counts by bucket and slice, in as few bytes as they were written."""
    lowest = np.cumsum(np.frombuffer(_unpack(buckets), dtype="<u4").astype(np.int64))
    return lowest, _read_table(counts, len(lowest), slices)


def _read_table(text: str, rows: int, columns: int) -> Counts:
    packed = _unpack(text)
    cells = rows * columns
    width = len(packed) // cells if cells else 1
    if width not in WIDTHS or len(packed) != cells * width:
        raise ValueError("needs a count for each slice and bucket")
    return np.frombuffer(packed, dtype=f"<u{width}").reshape(rows, columns)


def _pack_buckets(lowest: Counts) -> str:
    return _pack(np.diff(lowest, prepend=0).astype("<u4"))


def _pack_table(table: Counts, blocks: Sequence[int] = QUICK) -> str:
    largest = int(table.max(initial=0))
    width = next(width for width in WIDTHS if largest < 1 << (8 * width))
    return _pack(table.astype(f"<u{width}"), blocks)


def _pack(numbers: NDArray[np.unsignedinteger], blocks: Sequence[int] = QUICK) -> str:
    return base64.b64encode(deflate(numbers.tobytes(), blocks)).decode()


def _unpack(text: str) -> bytes:
    """Raises ValueError for any text that is none of `_pack`, or that unpacks to too much."""
    opener = zlib.decompressobj()
    try:
        unpacked = opener.decompress(base64.b64decode(text), LONGEST)
    except (zlib.error, ValueError) as error:
        raise ValueError(f"is not packed ({error})") from None
    if not opener.eof or opener.unconsumed_tail:
        raise ValueError("is cut off, or unpacks to too much")
    return unpacked
