"""Answers counted in short slices of a phase, small enough to send and fine enough for quantiles."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHORTEST, LONGEST, WIDTH = 1e-6, 600.0, 1.02
"""Slices count times from 1 us to 10 minutes in buckets 2 % wide, for quantiles within 1 %."""
PER_LOG = 1 / math.log(WIDTH)
OFFSET = -math.log(SHORTEST) * PER_LOG
LAST_BUCKET = int(math.log(LONGEST) * PER_LOG + OFFSET)
SLICES_AT_LEAST = 5


def count_slices(seconds: float) -> int:
    """Number of slices of a phase of this length: about 1 s each, or 0.5 s if it is shorter than 10 s."""
    return max(SLICES_AT_LEAST, round(seconds if seconds >= 10 else 2 * seconds))  # noqa: PLR2004 - said above


@dataclass(slots=True)
class SliceStats:
    """The answers of one operation in one slice (0.5 to 1 s) of a phase. Empty slices count too."""

    seconds: float
    """Length of the slice."""
    operations: int = 0
    """Answered operations, for the throughput."""
    buckets: dict[int, int] = field(default_factory=dict)
    """Counts by bucket; bucket i begins at SHORTEST x WIDTH^i seconds."""

    def add(self, seconds: float, answered: bool = True) -> None:
        """Count an operation with its duration; one that is not `answered` (a timeout) only adds its time."""
        bucket = int(math.log(seconds) * PER_LOG + OFFSET) if SHORTEST < seconds < LONGEST else 0
        if seconds >= LONGEST:
            bucket = LAST_BUCKET
        self.count(bucket, 1, answered)

    def count(self, bucket: int, number: int, answered: bool = True) -> None:
        """Count operations whose bucket is known; those that are not `answered` only add their times."""
        self.buckets[bucket] = self.buckets.get(bucket, 0) + number
        if answered:
            self.operations += number

    def merge(self, other: Self) -> None:
        """Add another worker's counts of the same slice: operations add up, the seconds are the same."""
        self.seconds = max(self.seconds, other.seconds)
        self.operations += other.operations
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    def as_message(self) -> dict[str, Any]:
        """Plain values for msgpack or JSON."""
        numbers = {"buckets": list(self.buckets), "counts": list(self.buckets.values())}
        return {"seconds": self.seconds, "operations": self.operations} | numbers

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`."""
        buckets = dict(zip(message["buckets"], message["counts"], strict=True))
        return cls(message["seconds"], message["operations"], buckets)

    def times_as_text(self) -> str:
        """The counts by bucket in one line, such as `460:3 461:12`."""
        return " ".join(f"{bucket}:{count}" for bucket, count in sorted(self.buckets.items()))

    @classmethod
    def from_text(cls, seconds: float, operations: int, times: str) -> Self:
        """A slice whose buckets were written by `times_as_text`."""
        numbers = list(map(int, times.replace(":", " ").split()))
        return cls(seconds, operations, dict(zip(numbers[::2], numbers[1::2], strict=True)))


def add_times(pieces: Sequence[SliceStats], places: Floats, seconds: Floats, answered: bool) -> None:
    """Count a batch of operations: where each ended (0 to 1 of the phase), and its duration."""
    buckets = (np.log(np.clip(seconds, SHORTEST, LONGEST)) * PER_LOG + OFFSET).astype(np.int64)
    buckets = np.where(seconds >= LONGEST, LAST_BUCKET, np.where(seconds <= SHORTEST, 0, buckets))
    numbers = np.minimum((places * len(pieces)).astype(np.int64), len(pieces) - 1)
    cells, counts = np.unique(numbers * (LAST_BUCKET + 1) + buckets, return_counts=True)
    for cell, count in zip(cells.tolist(), counts.tolist(), strict=True):
        number, bucket = divmod(cell, LAST_BUCKET + 1)
        pieces[number].count(bucket, count, answered)


def slices_as_message(slices: Mapping[str, Sequence[SliceStats]]) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """Plain values to send to the master, by operation and number; empty slices are omitted."""
    return {
        operation: [(number, piece.as_message()) for number, piece in enumerate(pieces) if piece.buckets]
        for operation, pieces in slices.items()
    }
