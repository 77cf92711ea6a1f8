"""Fresh rows for insert operations, prepared in advance as far as possible."""

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from loadgen.datasets.metadata import NO_EXTRA, Extra
from loadgen.datasets.neighbours import Vectors
from loadgen.datasets.rows import ID_SPACE, INSERTED, Row

RANGE = 10**11
"""Row numbers per stream; the first range is reserved for the base rows."""
LANES = 4
WORKERS = ID_SPACE // RANGE // LANES - 1
VECTORS = 1_000
FLOATS = 4_000_000
"""Maximum vectors and floats in the pool (a float in a list takes 32 bytes)."""


class Block(NamedTuple):
    """Consecutive rows generated together: vectors (n, dim) and the cluster of each (n,)."""

    vectors: Vectors
    clusters: npt.NDArray[np.int64]
    extras: Sequence[Extra] = ()
    """What else each row has; empty for nothing."""


class Origin(NamedTuple):
    """The origin of a row."""

    fingerprint: str
    """Of its dataset, or `INSERTED`."""
    cluster: int
    extra: Extra = NO_EXTRA


class RowMaker(Protocol):
    """A dataset that can make more rows like its own."""

    dim: int

    def fresh(self, count: int, stream: int) -> Block:
        """`count` vectors, none of them a row; different for each stream number."""

    def make_row(self, number: int, vector: list[float], origin: Origin) -> Row:
        """The row of a number."""


class InsertStream:
    """Rows that occur neither in another stream nor among the base rows: ids and documents are all new.

    Every stream has a separate range of row numbers, by worker and lane; one process may have a lane for each
    runtime. The vectors repeat, from a pool created here, so that they cost nothing during the load.

    A stream may be shared by threads: `next` on `itertools.count` is one step under the interpreter lock, and
    everything else is read only.
    """

    def __init__(self, dataset: RowMaker, worker: int, lane: int = 0) -> None:
        if not (0 <= worker < WORKERS and 0 <= lane < LANES):
            raise ValueError(f"worker {worker}, lane {lane}: there are {WORKERS} workers with {LANES} lanes each")
        stream = 1 + worker * LANES + lane
        self._dataset = dataset
        self._numbers = count(stream * RANGE)
        size = max(1, min(VECTORS, FLOATS // dataset.dim))
        pool = dataset.fresh(size, stream)
        self._vectors: list[list[float]] = pool.vectors.tolist()
        extras = pool.extras or [NO_EXTRA] * len(self._vectors)
        self._origins = [Origin(INSERTED, *pair) for pair in zip(pool.clusters.tolist(), extras, strict=True)]

    def __iter__(self) -> Self:
        """The stream is an iterator, and never ends."""
        return self

    def __next__(self) -> Row:
        """Give the next row; no two calls get the same one, from any thread."""
        number = next(self._numbers)
        slot = number % len(self._vectors)
        return self._dataset.make_row(number, self._vectors[slot], self._origins[slot])
