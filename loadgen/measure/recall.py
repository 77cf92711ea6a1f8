"""Recall summed by query, and whether it differs between two sides; the mean reciprocal rank."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np

TOLERANCE = 0.01
"""Acceptable difference of mean recall between two sides."""
QUERIES_AT_LEAST = 10
"""Distinct queries needed for a meaningful interval."""
NORMAL_95 = 1.96


class Check(NamedTuple):
    """One checked answer."""

    finished: float
    """perf_counter seconds, just after its clock stopped."""
    query: int
    """Number of its query."""
    recall: float
    """0 to 1."""
    operation: str
    """The operation that gave the answer."""
    rank: float | None = None
    """Reciprocal rank of the first right one, 0 to 1; None where answers have no order of relevance to check."""


@dataclass(slots=True)
class Recalls:
    """Recall of the checked answers of one or more phases: number of checks and their sum, by query."""

    by_query: dict[int, tuple[int, float]] = field(default_factory=dict)
    operation: str = ""
    """The operation that gave the answers; empty without checks."""
    changed: bool = False
    """The data changed before or while it was measured: recall is unknown."""
    ranked: int = 0
    """Checks with a reciprocal rank."""
    rank_total: float = 0.0
    """The sum of these."""

    def count(self, check: Check) -> None:
        """Count one check."""
        self.operation = check.operation
        self.add(check.query, check.recall)
        if check.rank is not None:
            self.ranked += 1
            self.rank_total += check.rank

    def add(self, query: int, recall: float, checks: int = 1) -> None:
        """Count checks of one query, with the sum of their recalls."""
        count, total = self.by_query.get(query, (0, 0.0))
        self.by_query[query] = (count + checks, total + recall)

    def merge(self, other: Self) -> None:
        """Add the counts of another instance."""
        self.changed = self.changed or other.changed
        self.operation = self.operation or other.operation
        self.ranked += other.ranked
        self.rank_total += other.rank_total
        for query, (count, total) in other.by_query.items():
            self.add(query, total, count)

    @property
    def checks(self) -> int:
        """Number of searches compared with the ground truth."""
        return sum(count for count, _ in self.by_query.values())

    @property
    def mean(self) -> float | None:
        """Mean recall of all checked searches; None if there were none, or if the data changed."""
        checks = self.checks
        return None if self.changed or not checks else sum(total for _, total in self.by_query.values()) / checks

    @property
    def mean_rank(self) -> float | None:
        """Mean reciprocal rank (MRR) of all checks that have one: 1/n times the sum of 1/rank.

        Voorhees 1999, The TREC-8 Question Answering Track Report. None if no check has one, or if the data changed.
        """
        return None if self.changed or not self.ranked else self.rank_total / self.ranked

    def as_message(self) -> dict[str, Any]:
        """Plain values for msgpack."""
        counts, totals = zip(*self.by_query.values(), strict=True) if self.by_query else ((), ())
        return {
            "queries": [*self.by_query],
            "counts": [*counts],
            "totals": [*totals],
            "operation": self.operation,
            "changed": self.changed,
            "ranked": self.ranked,
            "rank_total": self.rank_total,
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `as_message`."""
        pairs = zip(message["counts"], message["totals"], strict=True)
        by_query = dict(zip(message["queries"], pairs, strict=True))
        ranks = message["ranked"], message["rank_total"]
        return cls(by_query, message["operation"], message["changed"], *ranks)


def differ(one: Recalls, other: Recalls) -> tuple[float, float] | None:
    """The mean recalls of two sides if they differ by more than chance and more than 0.01, else None.

    Recall depends on the query, and an index returns the same rows for it each time. So the sides are compared query by
    query over those that both have answered; they differ if the mean difference exceeds 1.96 standard errors. Different
    queries on each side are thus not a difference. With fewer than 10 common queries, nothing is claimed.
    """
    if one.mean is None or other.mean is None:
        return None
    common = [query for query in one.by_query if query in other.by_query]
    if len(common) < QUERIES_AT_LEAST:
        return None
    sides = np.array([[side.by_query[query] for query in common] for side in (one, other)])
    means = sides[:, :, 1] / sides[:, :, 0]
    gaps = means[0] - means[1]
    gap = abs(float(gaps.mean()))
    error = float(gaps.std(ddof=1)) / math.sqrt(len(gaps))
    if gap <= max(TOLERANCE, NORMAL_95 * error):
        return None
    return float(means[0].mean()), float(means[1].mean())
