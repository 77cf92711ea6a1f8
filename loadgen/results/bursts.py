"""The bursts of a record: how long n operations took in each style."""

from collections import Counter
from dataclasses import dataclass

from loadgen.measure.sample import Outcome, share_empty
from loadgen.results.record import RunRecord
from loadgen.results.series import most_empty

STYLES = ("sync", "threads", "async")


@dataclass(frozen=True, slots=True)
class Burst:
    """One operation, executed n times in each style."""

    operation: str
    operations: int
    seconds: dict[str, float]
    """By style, in the order of STYLES."""
    failures: int
    empty: int
    """Answers without a row."""
    is_work: bool
    """False if too many answers of a style were empty."""

    @property
    def quotient(self) -> float | None:
        """How many times faster `gather` was than threads; None where one is missing, or where any operation failed.

        Calls that are refused immediately or return nothing are fast without being comparable.
        """
        if self.failures or not self.is_work:
            return None
        threads, gather = self.seconds.get("threads"), self.seconds.get("async")
        return threads / gather if threads and gather else None


def find_bursts(record: RunRecord) -> list[Burst]:
    """All bursts, in the order in which they ran; an aborted one is a separate entry."""
    result: dict[tuple[str, int], dict[str, float]] = {}
    failures: Counter[tuple[str, int]] = Counter()
    empty: Counter[tuple[str, int]] = Counter()
    idle: set[tuple[str, int]] = set()
    most = most_empty(record)
    for phase in record.phases:
        for part in phase.operations if phase.style else ():
            key = (part.operation, part.count)
            result.setdefault(key, {})[phase.style] = phase.seconds
            failures[key] += part.failures
            empty[key] += part.outcomes.get(Outcome.EMPTY, 0)
            if share_empty(part.outcomes) > most:
                idle.add(key)
    return [
        Burst(
            *key,
            {style: seconds[style] for style in STYLES if style in seconds},
            failures[key],
            empty[key],
            key not in idle,
        )
        for key, seconds in result.items()
    ]
