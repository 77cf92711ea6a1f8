"""The slices of a phase as arrays: a row for each slice, a column for each bucket of times."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from loadgen.measure.histograms import SparseHistogram
from loadgen.measure.slices import Floats, SliceStats

Counts = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class SliceTable:
    """The answers of one operation in the slices of a phase, in the order of time. Its arrays are not to be changed."""

    seconds: Floats
    """Length of each slice: (slices,)."""
    operations: Counts
    """Answered operations of each: (slices,)."""
    good: Counts
    """Operations of each that met the objective; 0 where they are not judged: (slices,)."""
    buckets: Counts
    """Lowest microsecond of each bucket, ascending: (buckets,)."""
    counts: Counts
    """Times of each slice in each bucket: (slices, buckets)."""

    @classmethod
    def of(cls, pieces: Sequence[SliceStats]) -> Self:
        """The table of slices that were counted one by one."""
        every = [piece.times.occupied() for piece in pieces]
        buckets = np.unique(np.concatenate([np.empty(0, np.int64), *(lowest for lowest, _, _ in every)]))
        counts = np.zeros((len(pieces), len(buckets)), dtype=np.int64)
        for row, (lowest, _, numbers) in zip(counts, every, strict=True):
            row[np.searchsorted(buckets, lowest)] = numbers
        return cls(
            np.array([piece.seconds for piece in pieces], dtype=np.float64),
            np.array([piece.operations for piece in pieces], dtype=np.int64),
            np.array([piece.good for piece in pieces], dtype=np.int64),
            buckets,
            counts,
        )

    def __len__(self) -> int:
        """The number of slices."""
        return len(self.seconds)

    @property
    def pieces(self) -> list[SliceStats]:
        """Each slice with its times."""
        result = []
        every = zip(self.seconds.tolist(), self.operations.tolist(), self.good.tolist(), self.counts, strict=True)
        for seconds, operations, good, row in every:
            used = np.flatnonzero(row)
            times = dict(zip(self.buckets[used].tolist(), row[used].tolist(), strict=True))
            result.append(SliceStats(seconds, operations, SparseHistogram(times), good))
        return result

    def only_good(self) -> Self:
        """The same slices with their good operations alone, and without times."""
        nothing = np.empty(0, np.int64)
        return type(self)(self.seconds, self.good, self.good, nothing, np.empty((len(self), 0), np.int64))

    def part(self, low: int, high: int) -> Self:
        """The slices from one number to before another."""
        rows = slice(low, high)
        return type(self)(self.seconds[rows], self.operations[rows], self.good[rows], self.buckets, self.counts[rows])

    def merged(self, most: int) -> Self:
        """The slices, with adjacent ones added up until there are at most `most`."""
        if len(self) <= most:
            return self
        firsts = np.arange(0, len(self), math.ceil(len(self) / most))
        sums = (self.seconds, self.operations, self.good)
        seconds, operations, good = (np.add.reduceat(column, firsts) for column in sums)
        return type(self)(seconds, operations, good, self.buckets, np.add.reduceat(self.counts, firsts, dtype=np.int64))
