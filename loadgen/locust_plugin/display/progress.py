"""The current activity of the master or single process: loading or phase, figures so far, and time left."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from time import perf_counter

from loadgen.measure.ledger import RunCounts
from loadgen.measure.phase import Phase
from loadgen.measure.sample import count_failures
from loadgen.measure.window import Window
from loadgen.milvus.store import LoadingLine
from loadgen.results.figures import throughput
from loadgen.text.listing import count_of

MEASURE_SECONDS = 0.9

logger = logging.getLogger("loadgen")


@dataclass(frozen=True, slots=True)
class Now:
    """A snapshot. Times are seconds; nan if unknown."""

    doing: str
    done: float = 0.0
    whole: float = 0.0
    """0 if the end is unknown."""
    counts: str = "seconds"
    """The unit of `done` and `whole`: seconds, rows or operations."""
    figures: "Figures | None" = None
    left: float = math.nan
    """Until all is done: the rows, or the phases and the pauses between them."""

    @property
    def share(self) -> float:
        """From 0 to 1; nan if the end is unknown."""
        return min(1.0, self.done / self.whole) if self.whole else math.nan


@dataclass(frozen=True, slots=True)
class Figures:
    """Current figures. `rate` is per second; the percentiles are of the most frequent operation."""

    rate: float
    unit: str
    p50: float = math.nan
    p99: float = math.nan
    failures: int = 0

    def __str__(self) -> str:
        """Such as: `1,204.0 operations/s, p50 6.10 ms, p99 12.20 ms, 3 failures`."""
        parts = [f"{self.rate:,.{0 if self.unit == 'rows' else 1}f} {self.unit}/s"]
        if not math.isnan(self.p50):
            parts += [f"p50 {self.p50 * 1000:,.2f} ms", f"p99 {self.p99 * 1000:,.2f} ms"]
        if self.failures:
            parts.append(count_of(self.failures, "failure"))
        return ", ".join(parts)


def measure(window: Window, seconds: float) -> Figures:
    """The figures of a window after the given seconds of counting."""
    operation_stats = list(window.operation_stats.values())
    failures = sum(count_failures(stats.totals) for stats in operation_stats)
    rate = sum(throughput(stats.totals, seconds) for stats in operation_stats)
    if not operation_stats:
        return Figures(rate, "operations")
    most = max(operation_stats, key=lambda stats: stats.totals.total())
    return Figures(rate, "operations", most.percentile(50), most.percentile(99), failures)


class Progress:
    """Notified of starts and ends; read by the display and the web page. Used only on the hub.

    Only `tell` may be called from another thread: it sets one value and logs.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._ledger: RunCounts | None = None
        self._preparing: str = ""
        self._phase: Phase | None = None
        self._plan: Sequence[Phase] = ()
        self._began = self._opened = 0.0
        self._overheads: list[float] = []
        self._run_time = 0.0
        self._measured: tuple[float, Figures | None] = (-math.inf, None)

    def follow(self, ledger: RunCounts) -> None:
        """Set the source of the figures."""
        self._ledger = ledger

    def begin_preparing(self) -> None:
        """An activity starts, without figures yet."""
        self._preparing = "preparing"

    def tell(self, line: str) -> None:
        """A line on the preparation. Loading progress is shown, but not logged each time: see `Display`."""
        self._preparing = line
        if not isinstance(line, LoadingLine):
            logger.info(line)

    def end_preparing(self) -> None:
        """The collection is ready, or failed. A start from the page prepares after its first phase has begun."""
        self._preparing = ""
        self._began = self._clock()

    def rest(self) -> None:
        """No activity."""
        self._preparing, self._phase = "", None

    def begin(self, phase: Phase, plan: Sequence[Phase]) -> None:
        """A phase of a plan is next; its users are starting."""
        if not phase.number:
            self._overheads = []
        self._preparing, self._phase, self._plan = "", phase, plan
        self._began, self._opened = self._clock(), 0.0
        self._measured = (-math.inf, None)

    def open(self, phase: Phase, run_time: float = 0.0) -> None:
        """Its clock starts, with the warm-up. `run_time` limits a phase without a length; 0: no limit."""
        now = self._phase
        if now is None or (now.number, now.attempt) != (phase.number, phase.attempt):
            self.begin(phase, (phase,))
        self._opened, self._run_time = self._clock(), run_time

    def finish(self, window: Window | None) -> None:
        """All of the phase is counted: log it in one line."""
        phase, self._phase = self._phase, None
        if phase is None:
            return
        self._overheads.append(self._clock() - self._began - phase.warmup_seconds - phase.seconds)
        if window is not None and window.seconds > 0:
            logger.info("Phase %d: %s", phase.number + 1, measure(window, window.seconds))

    def look(self) -> Now | None:
        """The current activity, or None."""
        line = self._preparing
        if self._phase is not None and not line:
            return self._look_at_phase(self._phase)
        if isinstance(line, LoadingLine):
            left = (line.rows - line.loaded) / line.rate if line.rate > 0 else math.nan
            doing = f"loading ({line.trouble})" if line.trouble else "loading"
            return Now(doing, line.loaded, line.rows, "rows", Figures(line.rate, "rows"), left)
        return Now(line) if line else None

    def counted_seconds(self, window: Window) -> float | None:
        """Seconds of counting in the current window; None for any other.

        On a master, the average over the workers' reports, which arrive at different times.
        """
        if self._phase is None or self._phase.number != window.phase.number or not self._opened:
            return None
        if window.heard:
            return fmean(window.heard.values())
        seconds = self._clock() - self._opened - self._phase.warmup_seconds
        return max(0.0, min(seconds, self._phase.seconds or seconds))

    def _look_at_phase(self, phase: Phase) -> Now:
        name = f"phase {phase.number + 1} of {len(self._plan)}: {phase.label}" if self._plan[1:] else phase.label
        if not self._opened:
            return Now(f"{name}, users are starting", left=self._left(phase, 0.0))
        passed = self._clock() - self._opened
        counted = passed - phase.warmup_seconds
        left = self._left(phase, passed)
        if counted < 0:
            return Now(f"{name}, warm-up", passed, phase.warmup_seconds + phase.seconds, left=left)
        figures = self._figures(phase)
        if phase.operations:
            done = self._operations(phase)
            return Now(name, done, phase.operations, "operations", figures, left)
        whole = phase.warmup_seconds + phase.seconds if phase.seconds else self._run_time
        return Now(name, passed, whole, figures=figures, left=left)

    def _figures(self, phase: Phase) -> Figures | None:
        """The figures of the window, once a second (a p99 takes some 2 ms); None before anything was counted."""
        at, figures = self._measured
        if self._clock() - at >= MEASURE_SECONDS:
            figures = self._measure(phase)
            self._measured = (self._clock(), figures)
        return figures

    def _measure(self, phase: Phase) -> Figures | None:
        window = self._ledger.windows.get(phase.number) if self._ledger else None
        seconds = None if window is None else self.counted_seconds(window)
        return measure(window, seconds) if window is not None and seconds and window.operation_stats else None

    def _operations(self, phase: Phase) -> int:
        window = self._ledger.windows.get(phase.number) if self._ledger else None
        return sum(stats.totals.total() for stats in window.operation_stats.values()) if window else 0

    def _left(self, phase: Phase, passed: float) -> float:
        """Seconds until the last phase is over; nan if one has no length."""
        if self._run_time and not phase.seconds:
            return max(0.0, self._run_time - passed)
        coming = [one for one in self._plan if one.number >= phase.number]
        if not all(one.seconds for one in coming):
            return math.nan
        between = fmean(self._overheads) if self._overheads else 0.0
        planned = sum(one.warmup_seconds + one.seconds + between for one in coming[1:])
        return planned + max(0.0, phase.warmup_seconds + phase.seconds - passed)
