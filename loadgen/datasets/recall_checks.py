"""Selects searches to check, and compares them with the ground truth outside of the measured time."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

from loadgen.datasets.neighbours import GroundTruth
from loadgen.measure.recall import Check

WAITING_AT_MOST = 10_000
"""Maximum answers queued for checking. They are checked ten times a second, except in a process that never gets the
ground truth."""


class GroundTruthKey(NamedTuple):
    """Which ground truth a search is compared with."""

    top_k: int
    narrowing: str = ""
    """What narrows it, by `name_narrowing`."""


class Judge(Protocol):
    """Knows the right answers to some queries. A `GroundTruth` is one."""

    @property
    def queries(self) -> int:
        """Number of queries whose answers are known, from the first on."""

    def recall(self, query: int, result: Sequence[Any], row_id: Callable[[int], str], /) -> float | None:
        """Share of the right answers that were returned, 0 to 1; None if none are known for this query."""


@runtime_checkable
class RanksAnswers(Protocol):
    """A judge that also knows the rank of the first right answer."""

    def reciprocal_rank(self, query: int, result: Sequence[Any], /) -> float | None:
        """1 / the rank of the first right one, 0 without any; None if none are known for this query."""


@runtime_checkable
class HasJudge(Protocol):
    """A dataset that knows the right answers to its queries without computing them."""

    judge: Judge


class Query(NamedTuple):
    """The number of a prepared query."""

    number: int
    key: GroundTruthKey


class Checks:
    """One per process. Every n-th answer of a search is queued for checking.

    `keep` and `spoil` may be called from any thread, everything else from one.
    """

    def __init__(self) -> None:
        self.changed_at: float | None = None
        """When rows were first inserted or deleted in this run: a search may then find nearer ones."""
        self._every = 0
        self._turns = count(1)
        self._kept: deque[tuple[float, str, Query, Sequence[Any] | None]] = deque(maxlen=WAITING_AT_MOST)
        self._queries: dict[int, Query] = {}
        """By their address in memory."""
        self._row_id: Callable[[int], str] = str
        self._ground_truths: dict[GroundTruthKey, Judge] = {}
        self._judges: Mapping[GroundTruthKey, Judge] = {}

    def begin(self) -> None:
        """Reset for another run; until it gets the ground truth, answers are queued."""
        self.changed_at = None
        self._ground_truths = {}
        self._kept.clear()

    def learn(self, ground_truths: Iterable[GroundTruth]) -> None:
        """Compare with these from now on, each for the searches that request as many neighbours of the same rows."""
        self._ground_truths = {GroundTruthKey(one.top_k, one.narrowing): one for one in ground_truths}

    def arm(
        self,
        every: int,
        queries: Iterable[tuple[GroundTruthKey, Sequence[object]]],
        row_id: Callable[[int], str],
        judges: Mapping[GroundTruthKey, Judge] = MappingProxyType({}),
    ) -> None:
        """Check one in `every` searches (0: none) of these queries, which keep their addresses in memory.

        They are the same queries, once for each requested number of neighbours (top_k) and each narrowing.
        `judges` know the right answers from the start.
        """
        self._every = every
        self._judges = judges
        self._row_id = row_id
        self._queries = {id(query): Query(number, key) for key, some in queries for number, query in enumerate(some)}

    def keep(self, operation: str, query: object, ids: Sequence[Any] | None) -> None:
        """Note an answer of an operation, after its clock has stopped; usually this only counts."""
        if not self._every or next(self._turns) % self._every:
            return
        known = self._queries.get(id(query))
        if known is not None:
            self._kept.append((perf_counter(), operation, known, ids))

    def spoil(self) -> None:
        """Note that rows are inserted or deleted."""
        if self.changed_at is None:
            self.changed_at = perf_counter()

    def settle(self, until: float = math.inf) -> Iterator[Check]:
        """Compare the answers queued until a moment. Queries of users, or without known neighbours, are skipped."""
        judges = {**self._ground_truths, **self._judges}
        while judges and self._kept and self._kept[0][0] < until:
            finished, operation, (number, key), ids = self._kept.popleft()
            judge = judges.get(key)
            if judge is None or number >= judge.queries:
                continue
            recall = judge.recall(number, ids or (), self._row_id)
            if recall is not None:
                rank = judge.reciprocal_rank(number, ids or ()) if isinstance(judge, RanksAnswers) else None
                yield Check(finished, number, recall, operation, rank)
