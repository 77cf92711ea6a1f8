"""The bursts of a record: how long so many operations took in each style."""

from dataclasses import dataclass

from loadgen.record import RunRecord

STYLES = ("sync", "threads", "async")


@dataclass(frozen=True, slots=True)
class Burst:
    """One operation, so many times."""

    operation: str
    operations: int
    seconds: dict[str, float]
    """By style, in the order of STYLES."""
    failures: int

    @property
    def quotient(self) -> float | None:
        """How many times faster `gather` was than threads; None where one is missing, or where any operation failed.

        What is refused at once is soon over: that is no speed.
        """
        if self.failures:
            return None
        threads, gather = self.seconds.get("threads"), self.seconds.get("async")
        return threads / gather if threads and gather else None


def find_bursts(record: RunRecord) -> list[Burst]:
    """All bursts, in the order in which they ran; those that were broken off have a number of their own."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    failures: dict[tuple[str, int], int] = {}
    for phase in record.phases:
        for part in phase.operations if phase.style else ():
            key = (part.operation, part.count)
            found.setdefault(key, {})[phase.style] = phase.seconds
            failures[key] = failures.get(key, 0) + part.failures
    return [
        Burst(*key, {style: seconds[style] for style in STYLES if style in seconds}, failures[key])
        for key, seconds in found.items()
    ]
