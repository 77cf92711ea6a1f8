"""One run as the coordinator knows it, and what it asks of the process that it is in."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loadgen.datasets import GroundTruth
from loadgen.measure.flow import hangs
from loadgen.measure.histograms import percentile
from loadgen.measure.phase import Phase
from loadgen.measure.window import Window
from loadgen.settings.model import Settings

RETURN_WITHIN = 15.0
"""Seconds in which a forked worker that is only silent says something again: one that was killed never does."""
ROUNDING = 0.5
"""Seconds by which Locust may end a timed run early."""

logger = logging.getLogger("loadgen")


@dataclass(slots=True)
class Run:
    """One run, from its start to its end."""

    run_id: str
    settings: Settings
    plan: tuple[Phase, ...] = ()
    """Its phases; empty where Locust's own -u, -r and -t rule."""
    expected: int = 1
    """Agents that were asked for."""
    labels: dict[str, str] = field(default_factory=dict)
    """Name the run in the metrics: `run_id` and `server`."""
    ground_truths: tuple[GroundTruth, ...] = ()
    """The exact neighbours, for each number of them that searches ask for; none where no search is checked."""
    run_time: float = 0.0
    """Seconds that a run without a plan is to last; 0: until somebody ends it."""
    began: float = math.nan
    """perf_counter seconds of the moment from which `run_time` counts."""
    ended: float = math.nan
    completed: int = 0
    """Phases that were measured to their end."""
    broken: str = ""
    """Why it did not go on."""
    faults: list[str] = field(default_factory=list)
    """What was less than the plan asked for, though it went on."""
    are_workers_replaced: bool = True
    """Lost workers may be replaced; those forked by a master are not."""
    deserted: bool = False
    """Workers that it expects were waited for, and did not come."""
    over: bool = False

    @property
    def early(self) -> str:
        """How much of the plan ran, where it was less than all; empty also where there was no plan."""
        lasted = self.ended - self.began
        if self.plan and self.completed < len(self.plan):
            text = f"ended early: {self.completed} of {len(self.plan)} phases"
        elif self.run_time and lasted < self.run_time - ROUNDING:
            text = f"ended early: {lasted:.1f} of {self.run_time:g} s"
        else:
            return ""
        return f"{text} ({self.broken})" if self.broken else text

    @property
    def incomplete(self) -> str:
        """Why less was measured than was asked for; empty where nothing is missing."""
        return "; ".join([self.early or self.broken, *self.faults]).strip("; ")

    def fault(self, words: str) -> None:
        """Note, and log, what was less than the plan asked for."""
        logger.warning("%s", words[:1].upper() + words[1:])
        self.faults.append(words)


def find_grace(run: Run) -> float:
    """Seconds to wait for workers that are not there: for others in their place, or for silent ones to come back."""
    return run.settings.worker_grace if run.are_workers_replaced else min(run.settings.worker_grace, RETURN_WITHIN)


class PhaseDisplay(Protocol):
    """What is shown of a run meanwhile."""

    def begin(self, phase: Phase, plan: Sequence[Phase]) -> None:
        """A phase is next."""

    def open(self, phase: Phase, run_time: float = 0.0) -> None:
        """Its clock runs."""

    def finish(self, window: Window | None) -> None:
        """All of it is counted."""


class Host(Protocol):
    """What the coordinator asks of the process that it is in."""

    def end_run(self, reason: str) -> None:
        """Stop the load: the run cannot go on."""

    def after_phase(self, phase: Phase | None) -> None:
        """A phase has been counted: nothing is measured now."""

    def enter(self, phase: Phase, labels: dict[str, str]) -> None:
        """A phase runs now."""

    def leave(self) -> None:
        """It is over."""

    def find_death(self) -> str:
        """Why the server of this run's own has ended; empty while it runs, or where there is none."""

    def count_in_flight(self) -> int:
        """Operations in flight in this process."""


def log_lacking(window: Window) -> None:
    """Log what the figures of their phase lack; nothing where it lacks nothing of weight."""
    flow, number = window.flow, window.phase.number + 1
    if flow.dropped:
        logger.warning("Phase %d dropped %d arrivals that led to no operation in time", number, flow.dropped)
    known = (longest for stats in window.operation_stats.values() if not math.isnan(longest := stats.percentile(100)))
    longest = max(known, default=0.0)
    oldest = percentile(flow.left, 100)
    if hangs(oldest, longest):
        text = "Phase %d ended while an operation had waited for %.3f s; the longest that ended took %.3f s"
        logger.warning(text, number, oldest, longest)
