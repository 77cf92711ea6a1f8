"""The record of an operation in short slices of a phase: packed, since a day of phases has a hundred thousand."""

import base64
import zlib
from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from loadgen.measure.histograms import HIGHEST
from loadgen.measure.slice_table import Counts, SliceTable
from loadgen.measure.slices import SliceStats
from loadgen.results.record.part import Count, Part

LONGEST = 1 << 26
"""Maximum bytes to which a text unpacks: ten times those of a phase of hours."""
WIDTHS = (1, 2, 4, 8)
"""Bytes in which a count may be written."""
MOST = (1 << 63) - 1
"""Maximum count: the next one is negative where it is summed up."""
Packed = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
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
    buckets: Packed
    """The buckets of `counts`, each by its lowest microsecond: 32-bit little-endian numbers, ascending, zlib, base64.
    They are those of an HDR histogram with 8 significant bits, at most 0.8 % wide."""
    counts: Packed
    """Response times of answered operations and timeouts: a row for each slice, with its count in each bucket, as
    little-endian numbers of 1, 2, 4 or 8 bytes, zlib, base64."""

    @classmethod
    def of(cls, pieces: Sequence[SliceStats], *, is_judged: bool) -> Self:
        """The slices of a phase, at least one."""
        table = SliceTable.of(pieces)
        largest = int(table.counts.max(initial=0))
        width = next(width for width in WIDTHS if largest < 1 << (8 * width))
        return cls(
            seconds=pieces[0].seconds,
            last_seconds=pieces[-1].seconds,
            operations=tuple(piece.operations for piece in pieces),
            good=tuple(piece.good for piece in pieces) if is_judged else None,
            buckets=_pack(table.buckets.astype("<u4")),
            counts=_pack(table.counts.astype(f"<u{width}")),
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.good is not None and len(self.good) != len(self.operations):
            raise ValueError("needs as many slices in `good` as in `operations`")
        buckets, counts = self._read()
        if buckets.size and not (
            buckets[0] > 0 and buckets[-1] <= HIGHEST and bool((buckets[1:] > buckets[:-1]).all())
        ):
            raise ValueError("needs ascending buckets")
        if counts.itemsize == WIDTHS[-1] and counts.size and counts.max() > MOST:
            raise ValueError("needs counts of at least 0")
        return self

    def _read(self) -> tuple[Counts, Counts]:
        """As `SliceTable` has them, in as few bytes as they were written."""
        buckets = np.frombuffer(_unpack(self.buckets), dtype="<u4")
        packed = _unpack(self.counts)
        cells = len(self.operations) * len(buckets)
        width = len(packed) // cells if cells else 1
        if width not in WIDTHS or len(packed) != cells * width:
            raise ValueError("needs a count for each slice and bucket")
        return buckets, np.frombuffer(packed, dtype=f"<u{width}").reshape(len(self.operations), len(buckets))

    @property
    def table(self) -> SliceTable:
        """The slices with their times."""
        good = np.array(self.good or [0] * len(self), dtype=np.int64)
        return SliceTable(np.array(self.lengths), np.array(self.operations, dtype=np.int64), good, *self._read())

    @property
    def lengths(self) -> list[float]:
        """The length of each slice in seconds."""
        return [*[self.seconds] * (len(self) - 1), self.last_seconds]

    def __len__(self) -> int:
        """The number of slices."""
        return len(self.operations)


def _pack(numbers: NDArray[np.unsignedinteger]) -> str:
    return base64.b64encode(zlib.compress(numbers.tobytes(), 9)).decode()


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
