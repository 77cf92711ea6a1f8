"""What a record says on a requirement: values, and where they were measured."""

from typing import NamedTuple

from loadgen.results.record import Comparison, PhaseRecord
from loadgen.text.listing import count_of

NOTHING = "nothing measured"


class Judgement(NamedTuple):
    """The verdict on one requirement."""

    text: str
    met: bool
    measured: str
    """The worst value with its unit, or why there is none."""
    where: str
    """The phase it was measured in, such as `async, 32 users`."""

    def __str__(self) -> str:
        """One line, such as: `met: search async p99 < 50 ms: 41.2 ms (async, 32 users)`."""
        return f"{'met' if self.met else 'MISSED'}: {self.text}: {self.measured} ({self.where})"


class Reading(NamedTuple):
    """The value of one phase, comparison or sum; without a value there is nothing to judge."""

    where: str
    value: float | None
    shown: str = NOTHING


def level_of(part: PhaseRecord | Comparison) -> str:
    """Its load level in words."""
    if part.rate is not None:
        return f"{part.rate:g}/s"
    return count_of(part.concurrency or 0, "user")


def place_of(phase: PhaseRecord) -> str:
    """Variant and load level of a phase, such as `async, 32 users`."""
    return f"{phase.variant}, {level_of(phase)}"
