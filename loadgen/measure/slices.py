"""Answers counted in short slices of a phase, small enough to send and fine enough for quantiles."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from loadgen.measure.histograms import COARSE_BITS, SparseHistogram, find_value, find_values

Floats = NDArray[np.float64]

PLACE_BITS = 32
"""Bits of a bucket's lowest microsecond in a number that has the slice above them."""
SLICES_AT_LEAST = 5
SLICES_AT_MOST = 600
"""Slices of a phase, however long it is: intervals need no more, and each takes memory and space in the record."""
SHORTEST_SLICE = 1e-6
"""Seconds: less is a rounding error at the end of a phase."""


def count_slices(seconds: float) -> int:
    """Number of slices of a phase of this length: about 1 s each, 0.5 s below 10 s, longer ones beyond 10 minutes."""
    wanted = round(seconds if seconds >= 10 else 2 * seconds)  # noqa: PLR2004 - said above
    return min(max(SLICES_AT_LEAST, wanted), SLICES_AT_MOST)


@dataclass(slots=True)
class SliceStats:
    """The answers of one operation in one slice (0.5 to 1 s) of a phase. Empty slices count too."""

    seconds: float
    """Length of the slice."""
    operations: int = 0
    """Answered operations, for the throughput."""
    times: SparseHistogram = field(default_factory=SparseHistogram)
    """Their times, in the buckets of `find_values` with `COARSE_BITS`."""
    good: int = 0
    """Operations that met the objective, for the goodput; 0 where they are not judged."""

    def add(self, seconds: float, answered: bool = True) -> None:
        """Count an operation with its duration; one that is not `answered` (a timeout) only adds its time."""
        self.times.update((find_value(seconds, COARSE_BITS),))
        self.operations += answered

    def merge(self, other: Self) -> None:
        """Add another worker's counts of the same slice: operations add up, the seconds are the same."""
        self.seconds = max(self.seconds, other.seconds)
        self.operations += other.operations
        self.good += other.good
        self.times.add(other.times)

    @property
    def buckets(self) -> Counter[int]:
        """Number of times by the lowest microsecond of their bucket; a copy."""
        return self.times.counts

    def as_message(self) -> dict[str, Any]:
        """Plain values for msgpack."""
        counts = {"operations": self.operations, "good": self.good}
        return {"seconds": self.seconds, "buckets": self.times.pack()} | counts

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`."""
        times = SparseHistogram(packed=message["buckets"])
        return cls(message["seconds"], message["operations"], times, message["good"])

    def times_as_text(self) -> str:
        """The counts by the lowest microsecond of their bucket in one line, such as `9216:3 9344:12`."""
        return " ".join(f"{bucket}:{count}" for bucket, count in sorted(self.times.items()))

    @classmethod
    def from_text(cls, seconds: float, operations: int, times: str, good: int = 0) -> Self:
        """A slice whose buckets were written by `times_as_text`; equal ones add up."""
        numbers = list(map(int, times.replace(":", " ").split()))
        counted = SparseHistogram()
        counted.add_counts(numbers[::2], numbers[1::2])
        return cls(seconds, operations, counted, good)


def add_times(pieces: Sequence[SliceStats], places: Floats, seconds: Floats, answered: bool) -> None:
    """Count a batch of operations: where each ended (0 to 1 of the phase), and its duration."""
    numbers = np.minimum((places * len(pieces)).astype(np.int64), len(pieces) - 1)
    cells, counts = np.unique((numbers << PLACE_BITS) + find_values(seconds, COARSE_BITS), return_counts=True)
    lowest = (cells & ((1 << PLACE_BITS) - 1)).tolist()
    result, firsts = np.unique(cells >> PLACE_BITS, return_index=True)
    bounds = [*firsts.tolist(), len(lowest)]
    summed = counts.tolist()
    for number, begin, end in zip(result.tolist(), bounds, bounds[1:], strict=False):
        piece = pieces[number]
        piece.times.add_counts(lowest[begin:end], summed[begin:end])
        if answered:
            piece.operations += sum(summed[begin:end])


def add_good(pieces: Sequence[SliceStats], places: Floats) -> None:
    """Count a batch of good operations by where each ended (0 to 1 of the phase)."""
    numbers = np.minimum((places * len(pieces)).astype(np.int64), len(pieces) - 1)
    for piece, count in zip(pieces, np.bincount(numbers, minlength=len(pieces)).tolist(), strict=True):
        piece.good += count


def cut_slices(pieces: Sequence[SliceStats], seconds: float) -> list[SliceStats]:
    """The slices of a phase that has lasted so long: the last is shorter, and those that never began are left out."""
    result = []
    for number, piece in enumerate(pieces):
        left = seconds - number * piece.seconds
        if left < SHORTEST_SLICE:
            break
        result.append(piece if left > piece.seconds - SHORTEST_SLICE else replace(piece, seconds=left))
    return result


def slices_as_message(
    slices: Mapping[str, Sequence[SliceStats]], known: Collection[tuple[str, int]] = ()
) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """Plain values to send to the master, by operation and number; empty slices are omitted, and those it knows."""
    return {
        operation: [
            (number, piece.as_message())
            for number, piece in enumerate(pieces)
            if (operation, number) not in known and not piece.times.is_empty
        ]
        for operation, pieces in slices.items()
    }
