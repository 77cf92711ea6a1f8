"""What was not answered within its phase: dropped arrivals, and operations unfinished at its end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loadgen.measure.histograms import HIGHEST, LOWEST, MICROSECONDS, SparseHistogram

HANGING = 2.0
"""Factor over the longest finished operation from which an unfinished one is reported as a stall."""


STALL_SECONDS = 0.1
"""Shorter waits are not stalls, however fast the others: a scheduler's hiccup at the very end of a phase."""


def hangs(oldest: float, longest: float) -> bool:
    """Whether the oldest operation in flight at a phase's end (age in seconds) is a stall that its figures do not show.

    `longest` is the longest finished operation. Among a few operations in flight, one older than most is normal.
    False if nothing was in flight (`oldest` nan) or nothing finished (`longest` 0 or nan).
    """
    return longest > 0 and oldest >= STALL_SECONDS and oldest > HANGING * longest


Kind = tuple[str, str]
"""Variant and name of an operation."""


@dataclass(slots=True)
class Flow:
    """What the figures of a timed phase lack. Some operations due in the warm-up finish in the window.

    In the closed model only `unfinished` is filled: operations in flight when the window ended.
    """

    offered: int = 0
    """Arrivals that were due in the window."""
    dropped: int = 0
    """Dropped in the window: they got no slot in time, or their task sent nothing."""
    left_by_kind: dict[Kind | None, SparseHistogram] = field(default_factory=dict)
    """Unfinished at the window's end: how long they had been due by then, in microseconds.

    The key None is for arrivals that were never sent: their operation is unknown.
    """

    def leave(self, seconds: float, kind: Kind | None = None) -> None:
        """Count an operation that was waiting or in flight at the window's end, with the time since it was due."""
        self._of(kind).record_value(min(max(LOWEST, round(seconds * MICROSECONDS)), HIGHEST))

    def _of(self, kind: Kind | None) -> SparseHistogram:
        return self.left_by_kind.setdefault(kind, SparseHistogram())

    @property
    def left(self) -> SparseHistogram:
        """Everything unfinished, of any kind."""
        return _sum_up(self.left_by_kind.values())

    def left_of(self, kind: Kind) -> SparseHistogram:
        """Everything unfinished that is, or might have become, an operation of this kind."""
        return _sum_up(histogram for key, histogram in self.left_by_kind.items() if key in (kind, None))

    @property
    def unfinished(self) -> int:
        """Operations that were waiting or in flight when the window ended."""
        return sum(histogram.get_total_count() for histogram in self.left_by_kind.values())

    def as_message(self) -> dict[str, Any]:
        """Plain values to send to the master; empty if nothing has happened."""
        if not (self.offered or self.dropped or self.unfinished):
            return {}
        left = [[*(kind or ("", "")), histogram.pack()] for kind, histogram in self.left_by_kind.items()]
        return {"offered": self.offered, "dropped": self.dropped, "left": left}

    def add(self, other: "Flow") -> None:
        """Add the counts of another process."""
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
                self._of((variant, operation) if operation else None).add_packed(histogram)


def _sum_up(histograms: Iterable[SparseHistogram]) -> SparseHistogram:
    total = SparseHistogram()
    for histogram in histograms:
        total.add(histogram)
    return total
