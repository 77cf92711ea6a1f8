"""What a run sends and what is right: the interface of every dataset."""

from collections.abc import Callable, Iterator
from typing import Protocol

from loadgen.datasets.metadata import Metadata
from loadgen.datasets.neighbours import GroundTruth, Vectors
from loadgen.datasets.rows import Row

__all__ = ["Dataset", "Vectors"]


class Dataset(Protocol):
    """Rows that are loaded before the load starts, queries, and fresh rows for inserts. Thread-safe.

    Any process can generate any part, and all processes get the same.
    """

    dim: int
    metadata: Metadata
    """Metadata of the rows, and the values that queries draw for filters."""

    @property
    def size(self) -> int:
        """Number of rows."""

    @property
    def name(self) -> str:
        """`synthetic`, or the name of a file."""

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

    def check(self, tell: Callable[[str], None], /) -> None:
        """Raise SettingsError if a row cannot be loaded. May read all rows; reports progress."""

    def known_neighbours(self, metric: str, top_k: int, queries: int, /) -> GroundTruth | None:
        """The neighbours of the first queries that are known without computing them; None if they are not."""
