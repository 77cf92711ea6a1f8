"""The exact nearest neighbours of some queries, by brute force over all rows, block by block."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

TIE = 1e-6
"""Scores within this distance tie, relative to scores above 1: float32 can hardly distinguish them, and a server may
order them freely."""
QUERIES_AT_MOST = 1_000
NEIGHBOURS_AT_MOST = 500_000
"""Neighbours of all checked queries together: with top_k 16,384 that leaves 30 queries."""
FLOATS_IN_BLOCK = 2_000_000
ROWS_IN_BLOCK = 1_000
TELL_SECONDS = 2.0
SAMPLED = 10
"""Queries of which known neighbours are compared with computed ones."""

Vectors = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


class VectorSource(Protocol):
    """Rows of which any part can be generated: a `Dataset`."""

    dim: int

    @property
    def size(self) -> int:
        """Number of rows."""

    def vectors(self, start: int, stop: int) -> Vectors:
        """Vectors of the rows start ... stop - 1, (stop - start, dim)."""


class MatchingRows:
    """Rows of which each query may find some: those that match its filter."""

    def __init__(self, rows: VectorSource, matches: Callable[[int, int], npt.NDArray[np.bool_]]) -> None:
        """`matches` tells of the rows start ... stop - 1 whether each query may find them, (queries, rows)."""
        self.size, self.dim, self.vectors = rows.size, rows.dim, rows.vectors
        self.matches = matches


def count_checked(queries: int, top_k: int) -> int:
    """Number of queries, from the first on, whose neighbours are computed."""
    return min(queries, QUERIES_AT_MOST, max(1, NEIGHBOURS_AT_MOST // top_k))


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """The neighbours of the first queries: pairs of a query and a row, both numbers, by query.

    A query has `top_k` neighbours, and more where further rows tie with the last of them; fewer if fewer rows match
    its filter.
    """

    top_k: int
    owners: Numbers
    """(pairs,): number of the query; ascending."""
    rows: Numbers
    """(pairs,): number of the row."""
    narrowing: str = ""
    """What narrows the searches, by `name_narrowing`: only rows that match are neighbours."""
    _sets: dict[int, frozenset[str]] = field(default_factory=dict, compare=False)

    @property
    def queries(self) -> int:
        """Number of queries with known neighbours."""
        return int(self.owners[-1]) + 1 if len(self.owners) else 0

    def rows_of(self, query: int) -> Numbers:
        """Numbers of the rows that count as neighbours of a query."""
        start, stop = np.searchsorted(self.owners, (query, query + 1))
        return self.rows[start:stop]

    def recall(self, query: int, ids: Collection[str], row_id: Callable[[int], str]) -> float | None:
        """Share (0 to 1) of the `top_k` neighbours among the first `top_k` ids; any of the tied rows is accepted.

        Of fewer neighbours if fewer rows match; None if none does.
        """
        right = self._sets.get(query)
        if right is None:
            right = self._sets[query] = frozenset(row_id(int(row)) for row in self.rows_of(query))
        known = min(len(right), self.top_k)
        return min(len(right.intersection(list(ids)[: self.top_k])), known) / known if known else None

    def as_message(self) -> dict[str, Any]:
        """Plain values to send to workers, 4 bytes per number."""
        packed = {name: getattr(self, name).astype("<u4").tobytes() for name in ("owners", "rows")}
        return {"top_k": self.top_k, "narrowing": self.narrowing} | packed

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`."""
        owners, rows = (np.frombuffer(message[name], "<u4").astype(np.int64) for name in ("owners", "rows"))
        return cls(message["top_k"], owners, rows, message.get("narrowing", ""))


def find_neighbours(
    rows: VectorSource, queries: Vectors, metric: str, top_k: int, tell: Callable[[str], None] = lambda _line: None
) -> GroundTruth:
    """The `top_k` nearest rows of each query (queries, dim), with all that tie with the last one.

    Of `MatchingRows` only those that match; there may be fewer.
    `metric` is COSINE or IP (more is nearer) or L2. Needs one block of rows and its scores, 2,000,000 floats each at
    most for up to 2,000 queries. Takes 2 x rows x queries x dim floating-point operations; reports progress.
    """
    width = max(1, min(ROWS_IN_BLOCK, FLOATS_IN_BLOCK // rows.dim))
    top_k = min(top_k, rows.size)
    best: npt.NDArray[np.float32] = np.full((len(queries), top_k), -np.inf, dtype=np.float32)
    owners, numbers = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    scores = np.empty(0, dtype=np.float32)
    started = reported = perf_counter()
    for start in range(0, rows.size, width):
        block = rows.vectors(start, min(start + width, rows.size))
        nearness = _nearness(block, queries, metric)
        mask = rows.matches(start, start + len(block)) if isinstance(rows, MatchingRows) else None
        if mask is not None:
            nearness[~mask] = -np.inf
        best = np.partition(np.hstack([best, nearness]), -top_k, axis=1)[:, -top_k:]
        # A score below the current k-th best, less a tie, can be discarded for good.
        worst = best[:, 0] - np.float32(TIE) * np.maximum(np.float32(1), np.abs(best[:, 0]))
        near = nearness >= worst[:, None]
        query, place = np.nonzero(near if mask is None else near & mask)
        stay = scores >= worst[owners]
        owners = np.concatenate([owners[stay], query])
        numbers = np.concatenate([numbers[stay], place + start])
        scores = np.concatenate([scores[stay], nearness[query, place]])
        if perf_counter() - reported > TELL_SECONDS:
            reported = perf_counter()
            done = start + len(block)
            left = (reported - started) * (rows.size - done) / done
            tell(f"exact neighbours: {done:,} of {rows.size:,} rows looked at, {left:.0f} s to go")
    order = np.lexsort((numbers, owners))
    return GroundTruth(top_k, owners[order], numbers[order])


def agrees(
    known: GroundTruth,
    rows: VectorSource,
    queries: Vectors,
    metric: str,
    tell: Callable[[str], None] = lambda _line: None,
) -> bool:
    """Whether known neighbours are the exact ones of some queries, of which they are computed: if not, it is reported.

    Files do not always state the metric of their neighbours, or whether the rows are in the same order.
    """
    chosen = np.unique(np.linspace(0, len(queries) - 1, min(SAMPLED, len(queries))).astype(int))
    exact = find_neighbours(rows, queries[chosen], metric, known.top_k, tell)
    for number, query in enumerate(chosen):
        nearest = [str(row) for row in known.rows_of(int(query))]
        share = exact.recall(number, nearest, str)
        if share is not None and share < 1:
            tell(
                f"the neighbours in the dataset are not used: for query {query} they contain "
                f"{share:.0%} of the nearest {known.top_k} by {metric}"
            )
            return False
    return True


def _nearness(block: Vectors, queries: Vectors, metric: str) -> npt.NDArray[np.float32]:
    """How near each row is to each query, (queries, rows): the score, or the negated squared distance."""
    if metric == "COSINE":
        products = queries @ block.T
        lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(block, axis=1)
        return np.asarray(products / lengths, dtype=np.float32)
    if metric == "IP":
        return queries @ block.T
    if metric == "L2":
        squares = np.einsum("ij,ij->i", queries, queries)[:, None] + np.einsum("ij,ij->i", block, block)
        return np.asarray(2 * (queries @ block.T) - squares, dtype=np.float32)
    raise ValueError(f"{metric} is no metric: COSINE, IP or L2")
