"""Which searches are checked, and the comparison with the truth, off the clock of every search."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from time import perf_counter

from loadgen.datasets.neighbours import GroundTruth
from loadgen.measure.recall import Check

WAITING_AT_MOST = 10_000
"""Answers that wait to be compared: ten times a second they are, but in a process that never learns the truth."""


class Checks:
    """One for each process. A search hands over its answer; every so manieth is put aside, and looked at later.

    `keep` and `spoil` may be called from any thread; the rest belongs to one.
    """

    def __init__(self) -> None:
        self.changed_at: float | None = None
        """When rows were first inserted or deleted in this run: a search may now find nearer ones than the data has."""
        self._every = 0
        self._turns = count(1)
        self._kept: deque[tuple[float, int, Sequence[str] | None]] = deque(maxlen=WAITING_AT_MOST)
        self._numbers: dict[int, int] = {}
        self._row_id: Callable[[int], str] = str
        self._ground_truth: GroundTruth | None = None

    def begin(self) -> None:
        """Another run begins; until it learns the truth, answers wait."""
        self.changed_at = None
        self._ground_truth = None
        self._kept.clear()

    def learn(self, ground_truth: GroundTruth) -> None:
        """Compare with this from now on."""
        self._ground_truth = ground_truth

    def arm(self, every: int, queries: Sequence[object], row_id: Callable[[int], str]) -> None:
        """Check one in `every` searches (0: none) of these queries, which stay where they are in memory."""
        self._every = every
        self._row_id = row_id
        self._numbers = {id(query): number for number, query in enumerate(queries)}

    def keep(self, query: object, ids: Sequence[str] | None) -> None:
        """Take note of an answer, after the search's clock has stopped; a count in most cases."""
        if not self._every or next(self._turns) % self._every:
            return
        number = self._numbers.get(id(query))
        if number is not None:
            self._kept.append((perf_counter(), number, ids))

    def spoil(self) -> None:
        """Take note that rows are inserted or deleted."""
        if self.changed_at is None:
            self.changed_at = perf_counter()

    def settle(self) -> Iterator[Check]:
        """Compare what was put aside. A query that a user made itself, or beyond those known, is passed over."""
        ground_truth = self._ground_truth
        while ground_truth is not None and self._kept:
            finished, number, ids = self._kept.popleft()
            if number < ground_truth.queries:
                yield Check(finished, number, ground_truth.recall(number, ids or (), self._row_id))
