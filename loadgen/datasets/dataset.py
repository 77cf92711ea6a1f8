"""What a run sends and what is right: the interface of every dataset."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from loadgen.datasets.rows import Row

Vectors = npt.NDArray[np.float32]


class Dataset(Protocol):
    """Rows that are loaded before the load starts, queries, and fresh rows for inserts. Thread-safe.

    Any process can generate any part, and all processes get the same.
    """

    size: int
    """Number of rows."""
    dim: int

    @property
    def fingerprint(self) -> str:
        """16 hex digits that differ if the data differ."""

    def row_id(self, number: int, /) -> str:
        """The id of a row number."""

    def vectors(self, start: int, stop: int) -> Vectors:
        """Vectors of the rows start ... stop - 1, float32 (stop - start, dim)."""

    def rows(self, start: int, stop: int) -> list[Row]:
        """Rows start ... stop - 1, ready to be loaded."""

    def queries(self) -> Vectors:
        """The distinct queries, float32 (queries, dim)."""

    def fresh_rows(self, worker: int) -> Iterator[Row]:
        """Endless rows that are neither base rows nor given to another worker (numbered from 0).

        Threads may share the iterator. Raises ValueError for too many workers.
        """
