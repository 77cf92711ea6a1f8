"""The counts of each phase, in each process that generates load and, merged, for the whole run."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from loadgen.measure.errors import ErrorKind, TaskErrors
from loadgen.measure.health import Beat
from loadgen.measure.histograms import SparseHistogram
from loadgen.measure.objective import NO_OBJECTIVE
from loadgen.measure.outcome_course import add_dropped
from loadgen.measure.phase import Phase
from loadgen.measure.recall import Check
from loadgen.measure.sample import Outcome, Sample
from loadgen.measure.window import Window


class RunCounts(Protocol):
    """What was counted in a run so far, by this process or merged from the agents' reports."""

    @property
    def windows(self) -> Mapping[int, Window]:
        """Each phase by its number."""

    @property
    def outside(self) -> Mapping[tuple[str, str], Counter[Outcome]]:
        """Outcomes of operations outside of all phases: from warm-ups, or in flight at a phase's end."""

    @property
    def nested_outside(self) -> Mapping[tuple[str, str], Counter[Outcome]]:
        """The same for nested operations, which totals exclude."""

    @property
    def dropped_outside(self) -> Mapping[str, int]:
        """Arrivals dropped outside of all phases, in warm-ups."""

    @property
    def errors_outside(self) -> TaskErrors:
        """Exceptions raised by tasks outside of all phases."""

    @property
    def answered(self) -> int:
        """Operations with a usable answer, in phases and outside of them."""

    @property
    def failed(self) -> int:
        """Operations without one."""


class Ledger:
    """The windows of a run. Used only on the hub, so it has no lock."""

    def __init__(self) -> None:
        self.objective = NO_OBJECTIVE
        """What operations of the following phases must meet to be good."""
        self.is_traced = False
        """Operations of the following phases may be sampled."""
        self.windows: dict[int, Window] = {}
        self.outside: dict[tuple[str, str], Counter[Outcome]] = {}
        """Outcomes of operations that no window counted: from warm-ups, or in flight at a window's end."""
        self.nested_outside: dict[tuple[str, str], Counter[Outcome]] = {}
        """The same for nested operations."""
        self.dropped_outside: Counter[str] = Counter()
        """Arrivals dropped outside of all windows, in warm-ups."""
        self._replaced: list[Window] = []
        """Windows of earlier attempts at a repeated phase."""
        self.errors_outside = TaskErrors()
        """Exceptions raised by tasks outside of all windows."""
        self._current: Window | None = None
        self._previous: Window | None = None
        self._changed_at = math.inf
        self._since = -math.inf
        """Operations due before this moment belong to an earlier run."""
        self._sequence = self._confirmed = self._dropped_before = 0
        self._reported: dict[tuple[int, int], tuple[int, tuple[object, ...]]] = {}
        """For each window its state, and the number of the first report with that state."""
        self._settled: dict[tuple[int, int], dict[tuple[str, int], int]] = {}
        """For each window its slices that no longer change, and the number of the first report with them."""

    def reset(self, at: float = -math.inf) -> None:
        """Reset for another run that begins at this moment. Operations due earlier no longer count."""
        self._since = at
        self.windows, self.outside, self.nested_outside, self.dropped_outside = {}, {}, {}, Counter()
        self._replaced, self._current, self._previous = [], None, None
        self.errors_outside = TaskErrors()
        self._changed_at = math.inf
        self._reported, self._settled = {}, {}

    @property
    def answered(self) -> int:
        """Operations with a usable answer, in phases and outside of them."""
        return sum(window.answered for window in self.windows.values()) + count_outside(self.outside, failed=False)

    @property
    def failed(self) -> int:
        """Operations without one."""
        return sum(window.failed for window in self.windows.values()) + count_outside(self.outside, failed=True)

    def open(self, phase: Phase, start: float, end: float = math.inf, entered: float = -math.inf) -> None:
        """Count samples in [`start`, `end`) (perf_counter seconds) for this phase; the previous phase is unchanged.

        `entered` is when this process began to take part, if later.
        """
        window = Window(phase, start, end, seconds=end - start if math.isfinite(end) else 0.0)
        window.entered, window.objective, window.is_traced = entered, self.objective, self.is_traced
        window.recalls.changed = self._changed_at < end
        if (earlier := self.windows.get(phase.number)) is not None:
            self._replaced.append(earlier)
        if self._previous is not None:
            self._previous.settle()
        self._previous, self._current = self._current, window
        self._dropped_before = self.dropped_outside[phase.variant]
        self.windows[phase.number] = window

    def close(self, end: float) -> None:
        """End the window at `end` unless it is already over: an open-ended one, or an interrupted timed one."""
        window = self._current
        if window is not None and end < window.end:
            window.end = max(end, window.start)
            window.seconds = window.end - window.start

    def cut(self, end: float) -> None:
        """Interrupt a timed phase; an open-ended window waits for its last operations and for `close`."""
        if self._current is not None and math.isfinite(self._current.end):
            self.close(end)

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Sink of samples: each counts in the phase in which it finished, or outside of all phases."""
        window = self._current
        if window is not None and samples and window.contains(samples, self._since):
            window.add(samples)
            return
        for sample in samples:
            if sample.scheduled < self._since:
                continue
            if window is not None and window.start <= sample.finished < window.end:
                window.add((sample,))
            else:
                self._add_other(sample)

    def _add_other(self, sample: Sample) -> None:
        """Count a sample of the previous phase, or one in flight at the end of its phase."""
        before = self._previous
        if before is not None and before.start <= sample.finished < before.end:
            before.add((sample,))
            return
        outside = self.nested_outside if sample.nested else self.outside
        outside.setdefault((sample.variant, sample.operation), Counter())[sample.outcome] += 1
        if not sample.nested and (window := self._left(sample.scheduled, sample.finished)) is not None:
            window.flow.leave(window.end - sample.scheduled, (sample.variant, sample.operation))

    def _left(self, due: float, over: float) -> Window | None:
        """The timed phase that ended between these two moments."""
        for window in (self._current, self._previous):
            if window is not None and window.phase.seconds and due < window.end <= over:
                return window
        return None

    def drop(self, due: Sequence[float], at: float) -> int:
        """Count arrivals dropped at a moment, in the phase of that moment or outside of all phases.

        Arrivals discarded by the end of a phase count as unfinished, not dropped. Returns the number dropped.
        """
        for window in (self._current, self._previous):
            if window is not None and window.start <= at < window.end:
                window.flow.dropped += len(due)
                if window.phase.is_drill:
                    add_dropped(window.outcome_courses, len(due), at - window.start, window.phase.seconds)
                return len(due)
        left = [(moment, window) for moment in due if (window := self._left(moment, at)) is not None]
        for moment, window in left:
            window.flow.leave(window.end - moment)
        if (window := self._current) is not None:
            self.dropped_outside[window.phase.variant] += len(due) - len(left)
        return len(due) - len(left)

    def count_dropped(self) -> int:
        """Arrivals dropped in the current phase, its warm-up included."""
        window = self._current
        if window is None:
            return 0
        return window.flow.dropped + self.dropped_outside[window.phase.variant] - self._dropped_before

    def offer(self, arrivals: int, lags: SparseHistogram) -> None:
        """The schedule of the current phase is over: number of arrivals due, and the delay of each."""
        if self._current is not None:
            self._current.flow.offered += arrivals
            self._current.health.add_pace(lags)

    def count_error(self, variant: str, kind: ErrorKind, at: float) -> None:
        """Count an exception of a task in the phase in which it was raised, or outside of all phases."""
        for window in (self._current, self._previous):
            if window is not None and window.start <= at < window.end:
                window.errors.add(variant, kind)
                return
        self.errors_outside.add(variant, kind)

    def check(self, check: Check) -> Phase | None:
        """Count a checked search in the phase in which it finished, and return that phase; None outside of all phases.

        It may be any phase of the run: short ones may have passed since the answer was queued.
        """
        for windows in (self.windows.values(), self._replaced):
            for window in reversed(windows):
                if window.end <= check.finished:  # and so do all earlier ones
                    break
                if window.start <= check.finished:
                    window.recalls.count(check)
                    return window.phase
        return None

    def spoil(self, changed_at: float) -> None:
        """Rows are inserted or deleted from this moment on: phases measured from then on have no recall."""
        if changed_at == self._changed_at:
            return
        self._changed_at = changed_at
        for window in (*self._replaced, *self.windows.values()):
            if changed_at < window.end:
                window.recalls.changed = True

    def beat(self, beat: Beat) -> None:
        """Count a beat of this process, in the phase that contains more than half of it."""
        for window in (self._current, self._previous):
            if window is not None and min(beat.at, window.end) - max(beat.at - beat.wall, window.start) > beat.wall / 2:
                window.health.add(beat)
                return

    def take_report(self, now: float, *, final: bool = False) -> dict[str, Any]:
        """All counts so far of the phases with unconfirmed changes, as plain values; `final`: those of this moment.

        Cumulative: it replaces every earlier report of this process, so a lost or repeated one changes nothing.
        Report numbers never restart.
        """
        self._sequence += 1
        return {
            "sequence": self._sequence,
            "windows": [self._as_message(window, now) for window in self._with_news(now, final=final)],
            "outside": _outside_as_message(self.outside),
            "nested_outside": _outside_as_message(self.nested_outside),
            "dropped_outside": dict(self.dropped_outside),
            "errors_outside": self.errors_outside.as_message(),
        }

    def _with_news(self, now: float, *, final: bool) -> list[Window]:
        latest = [window for window in (self._previous, self._current) if window is not None]
        every = (*latest, *self._replaced, *self.windows.values())
        known = {(window.phase.number, window.phase.attempt): window for window in every}
        result = []
        for key, window in known.items():
            state = (*window.state(), now >= window.end)
            first, reported = self._reported.get(key, (0, ()))
            if reported != state:
                first = self._sequence
                self._reported[key] = (first, state)
            if first > self._confirmed or (final and any(window is one for one in latest)):
                result.append(window)
        return result

    def confirm(self, sequence: int) -> None:
        """The report with this number has arrived: its contents need not be sent again."""
        self._confirmed = max(self._confirmed, sequence)

    def _as_message(self, window: Window, now: float) -> dict[str, Any]:
        """The length of a window is reported once it is over: until then a Ctrl-C may still make it shorter."""
        seconds = window.seconds if now >= window.end else 0.0
        return {"seconds": seconds, "covered": window.covered(now)} | window.as_message(self._find_known(window))

    def _find_known(self, window: Window) -> set[tuple[str, int]]:
        """The slices that have not changed since a report that has arrived."""
        reported = self._settled.setdefault((window.phase.number, window.phase.attempt), {})
        settled = window.find_settled()
        for one in reported.keys() - settled:
            del reported[one]
        for one in settled:
            reported.setdefault(one, self._sequence)
        return {one for one, first in reported.items() if first <= self._confirmed}


def _outside_as_message(outside: Mapping[tuple[str, str], Mapping[Outcome, int]]) -> list[dict[str, Any]]:
    return [
        {"variant": variant, "operation": operation, "outcomes": {str(key): number for key, number in some.items()}}
        for (variant, operation), some in outside.items()
    ]


def outside_from_message(message: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Counter[Outcome]]:
    """Read the operations outside of phases from a report."""
    return {
        (part["variant"], part["operation"]): Counter({Outcome(n): count for n, count in part["outcomes"].items()})
        for part in message
    }


def count_outside(outside: Mapping[tuple[str, str], Mapping[Outcome, int]], *, failed: bool) -> int:
    """Number of failed, or of answered, operations outside of all phases."""
    return sum(n for ends in outside.values() for outcome, n in ends.items() if outcome.is_failure is failed)
