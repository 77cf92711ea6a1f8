"""What was not answered in its phase: arrivals that were dropped, operations left over at its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

from loadgen.tally import HIGHEST, LOWEST, MICROSECONDS, new_histogram

HANGING = 2.0
"""How many times as long as every operation that ended: what waits longer at a phase's end is a stall of its own."""


def hangs(oldest: float, longest: float) -> bool:
    """Whether what a phase's end found under way for `oldest` seconds is not in its figures, whose longest is given.

    That of a few operations under way one has been so for longer than most is usual; nan is nothing under way.
    """
    return oldest > HANGING * longest


@dataclass(slots=True)
class Flow:
    """What a timed phase's figures lack. Of what was due in the warm-up, some ends in the window.

    Only `left` has anything of users who wait for their answer: what was under way when the window ended.
    """

    offered: int = 0
    """Arrivals that were due in the window."""
    dropped: int = 0
    """Given up in it: they found no place in flight in time, or their task sent nothing."""
    left: HdrHistogram = field(default_factory=new_histogram)
    """Due before the window's end and not over then: how long they had been due, in microseconds."""

    def leave(self, seconds: float) -> None:
        """Count an operation that the window's end found waiting or in flight, so long after it was due."""
        self.left.record_value(min(max(LOWEST, round(seconds * MICROSECONDS)), HIGHEST))

    @property
    def unfinished(self) -> int:
        """Operations that were waiting or in flight when the window ended."""
        return int(self.left.get_total_count())

    def as_message(self) -> dict[str, Any]:
        """Plain values for the way to the master; empty where nothing has happened."""
        if not (self.offered or self.dropped or self.unfinished):
            return {}
        return {"offered": self.offered, "dropped": self.dropped, "left": self.left.encode()}

    def merge(self, message: Mapping[str, Any]) -> None:
        """Add what a worker's `as_message` told."""
        if message:
            self.offered += message["offered"]
            self.dropped += message["dropped"]
            self.left.decode_and_add(message["left"])
