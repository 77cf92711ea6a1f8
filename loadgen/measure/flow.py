"""What was not answered in its phase: arrivals that were dropped, operations left over at its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

from loadgen.measure.histograms import HIGHEST, LOWEST, MICROSECONDS, new_histogram, sum_up

HANGING = 2.0
"""Factor over the longest finished operation from which an unfinished one is reported as a stall."""


STALL_SECONDS = 0.1
"""What waits shorter is no stall, however quick the others were: a scheduler's hiccup at the very end of a phase."""


def hangs(oldest: float, longest: float) -> bool:
    """Whether what a phase's end found under way for `oldest` seconds is not in its figures, whose longest is given.

    That of a few operations under way one has been so for longer than most is usual. Nothing is said where nothing
    was under way (`oldest` nan) or nothing ended (`longest` 0 or nan).
    """
    return longest > 0 and oldest >= STALL_SECONDS and oldest > HANGING * longest


Kind = tuple[str, str]
"""Variant and name of an operation."""


@dataclass(slots=True)
class Flow:
    """What a timed phase's figures lack. Of what was due in the warm-up, some ends in the window.

    In the closed model only `unfinished` is filled: operations in flight when the window ended.
    """

    offered: int = 0
    """Arrivals that were due in the window."""
    dropped: int = 0
    """Given up in it: they found no place in flight in time, or their task sent nothing."""
    left_by_kind: dict[Kind | None, HdrHistogram] = field(default_factory=dict)
    """Due before the window's end and not over then: how long they had been due, in microseconds.

    None is for arrivals that were never sent: their operation is unknown.
    """

    def leave(self, seconds: float, kind: Kind | None = None) -> None:
        """Count an operation that the window's end found waiting or in flight, so long after it was due."""
        self._of(kind).record_value(min(max(LOWEST, round(seconds * MICROSECONDS)), HIGHEST))

    def _of(self, kind: Kind | None) -> HdrHistogram:
        return self.left_by_kind.setdefault(kind, new_histogram())

    @property
    def left(self) -> HdrHistogram:
        """All that was left over, whatever it was."""
        return sum_up(self.left_by_kind.values())

    def left_of(self, kind: Kind) -> HdrHistogram:
        """What was left over and is, or may have become, an operation of this kind."""
        return sum_up(histogram for key, histogram in self.left_by_kind.items() if key in (kind, None))

    @property
    def unfinished(self) -> int:
        """Operations that were waiting or in flight when the window ended."""
        return sum(histogram.get_total_count() for histogram in self.left_by_kind.values())

    def as_message(self) -> dict[str, Any]:
        """Plain values for the way to the master; empty where nothing has happened."""
        if not (self.offered or self.dropped or self.unfinished):
            return {}
        left = [[*(kind or ("", "")), histogram.encode()] for kind, histogram in self.left_by_kind.items()]
        return {"offered": self.offered, "dropped": self.dropped, "left": left}

    def add(self, other: "Flow") -> None:
        """Add what another process has counted."""
        self.offered += other.offered
        self.dropped += other.dropped
        for kind, histogram in other.left_by_kind.items():
            self._of(kind).add(histogram)

    def merge(self, message: Mapping[str, Any]) -> None:
        """Add the `as_message` of a worker."""
        if message:
            self.offered += message["offered"]
            self.dropped += message["dropped"]
            for variant, operation, histogram in message["left"]:
                self._of((variant, operation) if operation else None).decode_and_add(histogram)
