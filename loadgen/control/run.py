"""The coordinator's state of one run, and the interface to its process."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from loadgen.control.fault_schedule import FaultSchedule
from loadgen.control.messages import Prepare, ReadData
from loadgen.control.rate_finder import RateFinder
from loadgen.datasets import GroundTruth, Selectivity
from loadgen.measure.flow import hangs
from loadgen.measure.histograms import percentile
from loadgen.measure.phase import Phase
from loadgen.measure.server_view import ServerView
from loadgen.measure.window import Window
from loadgen.results.record import CollectionRecord
from loadgen.settings.fault_grammar import Action
from loadgen.settings.model import Settings
from loadgen.text.listing import count_of

RETURN_WITHIN = 15.0
"""Seconds within which a silent forked worker speaks again, unless it was killed."""
ROUNDING = 0.5
"""Seconds by which Locust may end a timed run early."""

logger = logging.getLogger("loadgen")


@dataclass(slots=True)
class Run:
    """One run, from its start to its end."""

    run_id: str
    settings: Settings
    plan: tuple[Phase, ...] = ()
    """Its phases; empty if Locust's own -u, -r and -t apply."""
    expected: int = 1
    """Number of expected agents."""
    labels: dict[str, str] = field(default_factory=dict)
    """Name the run in the metrics: `run_id` and `server`."""
    collections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Existing collections as the server describes them, as plain values by name."""
    ground_truths: tuple[GroundTruth, ...] = ()
    """The exact neighbours, for each number of them that searches request; empty if no search is checked."""
    selectivities: Mapping[str, Selectivity] = field(default_factory=dict)
    """Share of the rows that searches may find, by variant."""
    loaded: tuple[CollectionRecord, ...] = ()
    """The collections, as they were when the run began."""
    count_segments: Callable[[], Mapping[str, int | None]] = dict
    """The segments of each of them now. Blocks."""
    look_at_server: Callable[[], ServerView | None] = lambda: None
    """What the server has done since the last call; the first returns None. Blocks."""
    fingerprint: str = ""
    """Of the data; empty if unknown."""
    data: str = ""
    """What every process must read and find equal, as its client describes it; empty if there is nothing."""
    run_time: float = 0.0
    """Duration of a run without a plan, in seconds; 0: until it is ended."""
    began: float = math.nan
    """When `run_time` begins to count (perf_counter seconds)."""
    ended: float = math.nan
    completed: int = 0
    """Phases that were measured to their end."""
    broken: str = ""
    """Why it did not continue."""
    faults: list[str] = field(default_factory=list)
    """Deviations from the plan that did not end the run."""
    drill: FaultSchedule | None = None
    """What happens to the server in each phase; None: nothing."""
    of_users: Mapping[str, object] = field(default_factory=dict)
    """Settings that are others for the users, such as the address of a proxy before the server."""
    are_workers_replaced: bool = True
    """Lost workers may be replaced; those forked by a master are not."""
    deserted: bool = False
    """The wait for missing workers was in vain."""
    over: bool = False
    finder: RateFinder | None = None
    """The search for a rate, which extends the plan step by step."""

    @property
    def preparation(self) -> "tuple[ReadData | Prepare, ...]":
        """The commands that prepare an agent for it, one after the other."""
        settings = {**self.settings.as_message(), **self.of_users}
        prepare = Prepare(settings, collections=self.collections)
        return (ReadData(settings, self.data), prepare) if self.data else (prepare,)

    @property
    def early(self) -> str:
        """How much of the plan ran, if not all; empty also without a plan."""
        lasted = self.ended - self.began
        if self.finder is not None and not self.finder.is_over:
            text = f"ended early: the search for the rate had made {count_of(self.completed, 'step')}"
        elif self.plan and self.completed < len(self.plan):
            text = f"ended early: {self.completed} of {len(self.plan)} phases"
        elif self.run_time and lasted < self.run_time - ROUNDING:
            text = f"ended early: {lasted:.1f} of {self.run_time:g} s"
        else:
            return ""
        return f"{text} ({self.broken})" if self.broken else text

    @property
    def incomplete(self) -> str:
        """Why less was measured than requested; empty if nothing is missing."""
        return "; ".join([self.early or self.broken, *self.faults]).strip("; ")

    def extend_plan(self) -> Phase | None:
        """The phase that follows the plan, and now belongs to it: the next step of a search, if any."""
        phase = self.finder.next_phase(len(self.plan)) if self.finder is not None and not self.over else None
        if phase is not None:
            self.plan = (*self.plan, phase)
        return phase

    def fault(self, words: str) -> None:
        """Note and log a deviation from the plan."""
        logger.warning("%s", words[:1].upper() + words[1:])
        self.faults.append(words)


def find_grace(run: Run) -> float:
    """Seconds to wait for missing workers: for replacements, or for silent ones to return."""
    return run.settings.worker_grace if run.are_workers_replaced else min(run.settings.worker_grace, RETURN_WITHIN)


class PhaseDisplay(Protocol):
    """The display of a run in progress."""

    def begin(self, phase: Phase, plan: Sequence[Phase]) -> None:
        """The next phase begins."""

    def open(self, phase: Phase, run_time: float = 0.0) -> None:
        """Its clock starts."""

    def finish(self, window: Window | None) -> None:
        """It is completely counted."""


class Host(Protocol):
    """What the coordinator needs from its process."""

    def end_run(self, reason: str) -> None:
        """Stop the load: the run cannot continue."""

    def note_abort(self) -> None:
        """A condition of `--abort-when` ends the run."""

    def note_fault(self, action: Action, change: int) -> None:
        """A declared fault begins (1) or ends (-1)."""

    def after_phase(self, phase: Phase | None) -> None:
        """A phase has been counted: nothing is measured now."""

    def enter(self, phase: Phase, labels: dict[str, str]) -> None:
        """A phase runs now."""

    def leave(self) -> None:
        """It is over."""

    def find_death(self) -> str:
        """Why the run's embedded server has ended; empty while it runs, or if there is none."""

    def count_in_flight(self) -> int:
        """Operations in flight in this process."""


def log_lacking(window: Window) -> None:
    """Log what the figures of the phase lack, if it is significant."""
    flow, number = window.flow, window.phase.number + 1
    if flow.dropped:
        logger.warning("Phase %d dropped %d arrivals that led to no operation in time", number, flow.dropped)
    known = (longest for stats in window.operation_stats.values() if not math.isnan(longest := stats.percentile(100)))
    longest = max(known, default=0.0)
    oldest = percentile(flow.left, 100)
    if hangs(oldest, longest):
        text = "Phase %d ended while an operation had waited for %.3f s; the longest that ended took %.3f s"
        logger.warning(text, number, oldest, longest)
