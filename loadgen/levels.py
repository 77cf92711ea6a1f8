"""The timed phases of a run, level by level: both modes at one concurrency, and how they compare."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from loadgen.compare import Comparison, SlicedPhase, compare_phases
from loadgen.ledger import Tally, Window
from loadgen.sample import Mode


@dataclass(frozen=True, slots=True)
class Level:
    """One operation at one concurrency, in all rounds; `comparison` is None where only one mode ran."""

    concurrency: int
    operation: str
    windows: tuple[Window, ...]
    comparison: Comparison | None

    def tally(self, mode: Mode) -> Tally | None:
        """What a mode did in all rounds; None where it did nothing."""
        found = [window.tallies[mode, self.operation] for window in self.of(mode) if self._has(window, mode)]
        if not found:
            return None
        total = Tally()
        for tally in found:
            total.merge(tally)
        return total

    def throughput(self, mode: Mode) -> float:
        """Answered operations per second, over all rounds of a mode; 0 where none was answered."""
        tally, seconds = self.tally(mode), sum(window.seconds for window in self.of(mode))
        return (tally.operations - tally.failures) / seconds if tally and seconds else 0.0

    def of(self, mode: Mode) -> list[Window]:
        """The rounds of one mode."""
        return [window for window in self.windows if window.phase.mode is mode]

    def _has(self, window: Window, mode: Mode) -> bool:
        return (mode, self.operation) in window.tallies


def find_levels(windows: Iterable[Window], seed: int) -> list[Level]:
    """All levels of the timed windows that were measured, in their order; the comparison draws from `seed`."""
    rng = np.random.default_rng(seed)
    timed = [window for window in windows if not window.phase.operations and window.seconds > 0]
    timed.sort(key=lambda window: window.phase.number)
    levels: list[Level] = []
    for concurrency in dict.fromkeys(window.phase.concurrency for window in timed):
        of_level = tuple(window for window in timed if window.phase.concurrency == concurrency)
        operations = sorted({operation for window in of_level for _, operation in window.tallies})
        levels += [Level(concurrency, name, of_level, _compare(of_level, name, rng)) for name in operations]
    return levels


def _compare(windows: Sequence[Window], operation: str, rng: np.random.Generator) -> Comparison | None:
    if {window.phase.mode for window in windows} != set(Mode):
        return None
    phases = [SlicedPhase(w.phase.mode, tuple(w.slices.get(operation) or w.new_slices())) for w in windows]
    reasons = [f"phase {w.phase.number + 1}: {limit}" for w in windows for limit in w.health.limits()]
    reasons += [f"phase {w.phase.number + 1} lost {w.workers_lost} workers" for w in windows if w.workers_lost]
    reasons += [f"phase {w.phase.number + 1} was broken off" for w in windows if w.seconds < w.phase.seconds]
    return compare_phases(phases, rng, reasons)
