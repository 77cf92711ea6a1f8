"""Which searches are checked, and the comparison with the truth, off the clock of every search."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from time import perf_counter
from typing import NamedTuple

from loadgen.datasets.neighbours import GroundTruth
from loadgen.measure.recall import Check

WAITING_AT_MOST = 10_000
"""Answers that wait to be compared: ten times a second they are, but in a process that never learns the truth."""


class Query(NamedTuple):
    """Which of the queries made beforehand a search asks."""

    number: int
    top_k: int


class Checks:
    """One for each process. A search hands over its answer; every so manieth is put aside, and looked at later.

    `keep` and `spoil` may be called from any thread; the rest belongs to one.
    """

    def __init__(self) -> None:
        self.changed_at: float | None = None
        """When rows were first inserted or deleted in this run: a search may now find nearer ones than the data has."""
        self._every = 0
        self._turns = count(1)
        self._kept: deque[tuple[float, Query, Sequence[str] | None]] = deque(maxlen=WAITING_AT_MOST)
        self._queries: dict[int, Query] = {}
        """By their place in memory."""
        self._row_id: Callable[[int], str] = str
        self._ground_truths: dict[int, GroundTruth] = {}
        """By the number of neighbours that were asked for."""

    def begin(self) -> None:
        """Another run begins; until it learns the truth, answers wait."""
        self.changed_at = None
        self._ground_truths = {}
        self._kept.clear()

    def learn(self, ground_truths: Iterable[GroundTruth]) -> None:
        """Compare with these from now on, each for the searches that ask for as many neighbours."""
        self._ground_truths = {one.top_k: one for one in ground_truths}

    def arm(self, every: int, queries: Iterable[tuple[int, Sequence[object]]], row_id: Callable[[int], str]) -> None:
        """Check one in `every` searches (0: none) of these queries, which stay where they are in memory.

        They are the same queries, once for each number of neighbours (top_k) that is asked for.
        """
        self._every = every
        self._row_id = row_id
        self._queries = {
            id(query): Query(number, top_k) for top_k, some in queries for number, query in enumerate(some)
        }

    def keep(self, query: object, ids: Sequence[str] | None) -> None:
        """Take note of an answer, after the search's clock has stopped; a count in most cases."""
        if not self._every or next(self._turns) % self._every:
            return
        known = self._queries.get(id(query))
        if known is not None:
            self._kept.append((perf_counter(), known, ids))

    def spoil(self) -> None:
        """Take note that rows are inserted or deleted."""
        if self.changed_at is None:
            self.changed_at = perf_counter()

    def settle(self, until: float = math.inf) -> Iterator[Check]:
        """Compare what was put aside until a moment. Queries made by users, or beyond those known, are passed over."""
        while self._ground_truths and self._kept and self._kept[0][0] < until:
            finished, (number, top_k), ids = self._kept.popleft()
            ground_truth = self._ground_truths.get(top_k)
            if ground_truth is not None and number < ground_truth.queries:
                yield Check(finished, number, ground_truth.recall(number, ids or (), self._row_id))
