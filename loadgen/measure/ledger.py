"""What the samples of each phase add up to, in each process that makes load and, merged, for the whole run."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from hdrh.histogram import HdrHistogram

from loadgen.measure.errors import ErrorKind, TaskErrors
from loadgen.measure.health import Beat
from loadgen.measure.phase import Phase
from loadgen.measure.recall import Check
from loadgen.measure.sample import Outcome, Sample
from loadgen.measure.window import Window


class Counted(Protocol):
    """What was counted in a run so far; of the process itself, or merged from what the agents reported."""

    @property
    def windows(self) -> Mapping[int, Window]:
        """Each phase by its number."""

    @property
    def outside(self) -> Mapping[tuple[str, str], Counter[Outcome]]:
        """How the operations ended that no phase has counted: of warm-ups, and what a phase's end found in flight."""

    @property
    def nested_outside(self) -> Mapping[tuple[str, str], Counter[Outcome]]:
        """The same of those that were part of other operations, which no total counts."""

    @property
    def dropped_outside(self) -> Mapping[str, int]:
        """Arrivals that were dropped in no phase: those of warm-ups."""

    @property
    def errors_outside(self) -> TaskErrors:
        """Exceptions that tasks raised in no phase."""

    @property
    def answered(self) -> int:
        """Operations with a usable answer, in phases and outside of them."""

    @property
    def failed(self) -> int:
        """Operations without one."""


class Ledger:
    """The windows of a run. It is used on the hub alone, so it has no lock."""

    def __init__(self) -> None:
        self.windows: dict[int, Window] = {}
        self.outside: dict[tuple[str, str], Counter[Outcome]] = {}
        """Outcomes of operations that no window counted: of warm-ups, and those in flight at a window's end."""
        self.nested_outside: dict[tuple[str, str], Counter[Outcome]] = {}
        """The same of those that were part of other operations."""
        self.dropped_outside: Counter[str] = Counter()
        """Arrivals that were given up in no window: those of warm-ups."""
        self._replaced: list[Window] = []
        """Of attempts at a phase that was begun again."""
        self.errors_outside = TaskErrors()
        """Exceptions that tasks raised in no window."""
        self._current: Window | None = None
        self._previous: Window | None = None
        self._changed_at = math.inf
        self._since = -math.inf
        """Operations that were due before are of an earlier run."""
        self._sequence = self._confirmed = 0
        self._reported: dict[tuple[int, int], tuple[int, tuple[object, ...]]] = {}
        """For each window its state, and the number of the first report that had it."""

    def reset(self, at: float = -math.inf) -> None:
        """Forget everything: another run begins at this moment. What was due before it does not count any more."""
        self._since = at
        self.windows, self.outside, self.nested_outside, self.dropped_outside = {}, {}, {}, Counter()
        self._replaced, self._current, self._previous = [], None, None
        self.errors_outside = TaskErrors()
        self._changed_at = math.inf
        self._reported = {}

    @property
    def answered(self) -> int:
        """Operations with a usable answer, in phases and outside of them."""
        return sum(window.answered for window in self.windows.values()) + count_outside(self.outside, failed=False)

    @property
    def failed(self) -> int:
        """Operations without one."""
        return sum(window.failed for window in self.windows.values()) + count_outside(self.outside, failed=True)

    def open(self, phase: Phase, start: float, end: float = math.inf, entered: float = -math.inf) -> None:
        """Count from `start` to before `end` (perf_counter seconds) for this phase; the phase before stays as it is.

        `entered` is when this process began to take part in it, where that may be later.
        """
        window = Window(phase, start, end, seconds=end - start if math.isfinite(end) else 0.0)
        window.entered = entered
        window.recalls.changed = self._changed_at < end
        if (earlier := self.windows.get(phase.number)) is not None:
            self._replaced.append(earlier)
        self._previous, self._current = self._current, window
        self.windows[phase.number] = window

    def close(self, end: float) -> None:
        """End the window at `end`, unless it was over before: an open one, or a timed one that is broken off."""
        window = self._current
        if window is not None and end < window.end:
            window.end = max(end, window.start)
            window.seconds = window.end - window.start

    def cut(self, end: float) -> None:
        """Break off a timed phase; an open window waits for its last operations and for `close`."""
        if self._current is not None and math.isfinite(self._current.end):
            self.close(end)

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Sink of samples: each counts in the phase in which it finished, or as one outside of all."""
        window = self._current
        for sample in samples:
            if sample.scheduled < self._since:
                continue
            if window is not None and window.start <= sample.finished < window.end:
                window.add(sample)
            else:
                self._add_other(sample)

    def _add_other(self, sample: Sample) -> None:
        """Count a sample of the previous phase, or one in flight at the end of its phase."""
        before = self._previous
        if before is not None and before.start <= sample.finished < before.end:
            before.add(sample)
            return
        outside = self.nested_outside if sample.nested else self.outside
        outside.setdefault((sample.variant, sample.operation), Counter())[sample.outcome] += 1
        if not sample.nested and (window := self._left(sample.scheduled, sample.finished)) is not None:
            window.flow.leave(window.end - sample.scheduled, (sample.variant, sample.operation))

    def _left(self, due: float, over: float) -> Window | None:
        """The timed phase whose end lay between these two."""
        for window in (self._current, self._previous):
            if window is not None and window.phase.seconds and due < window.end <= over:
                return window
        return None

    def drop(self, due: Sequence[float], at: float) -> int:
        """Arrivals were given up at a moment: each is dropped, in the phase of that moment or outside of all.

        Those that a phase's end gave up are left over by it, not dropped. Returns how many were dropped.
        """
        for window in (self._current, self._previous):
            if window is not None and window.start <= at < window.end:
                window.flow.dropped += len(due)
                return len(due)
        left = [(moment, window) for moment in due if (window := self._left(moment, at)) is not None]
        for moment, window in left:
            window.flow.leave(window.end - moment)
        if (window := self._current) is not None:
            self.dropped_outside[window.phase.variant] += len(due) - len(left)
        return len(due) - len(left)

    def offer(self, arrivals: int, lags: HdrHistogram) -> None:
        """The schedule of the current phase is over: arrivals that were due, and how late each was handed over."""
        if self._current is not None:
            self._current.flow.offered += arrivals
            self._current.health.add_pace(lags)

    def count_error(self, variant: str, kind: ErrorKind, at: float) -> None:
        """Count an exception of a task in the phase in which it was raised, or outside of all."""
        for window in (self._current, self._previous):
            if window is not None and window.start <= at < window.end:
                window.errors.add(variant, kind)
                return
        self.errors_outside.add(variant, kind)

    def check(self, check: Check) -> Phase | None:
        """Count one checked search in the phase in which it finished, and return that phase; None outside of all.

        Any phase of the run may be meant: short ones may have passed since the answer was put aside.
        """
        for windows in (self.windows.values(), self._replaced):
            for window in reversed(windows):
                if window.end <= check.finished:  # so are all before it
                    break
                if window.start <= check.finished:
                    window.recalls.add(check.query, check.recall)
                    return window.phase
        return None

    def spoil(self, changed_at: float) -> None:
        """Rows are inserted or deleted from this moment on: what is measured then, and after, has no recall."""
        if changed_at == self._changed_at:
            return
        self._changed_at = changed_at
        for window in (*self._replaced, *self.windows.values()):
            if changed_at < window.end:
                window.recalls.changed = True

    def beat(self, beat: Beat) -> None:
        """Count one look at this process, for the phase that more than half of it lies in."""
        for window in (self._current, self._previous):
            if window is not None and min(beat.at, window.end) - max(beat.at - beat.wall, window.start) > beat.wall / 2:
                window.health.add(beat)
                return

    def take_report(self, now: float, *, final: bool = False) -> dict[str, Any]:
        """All that was counted so far in the phases that have news, as plain values; `final`: in those of this moment.

        Cumulative: it replaces every earlier report of this process, so a lost or repeated one changes nothing.
        What has not been confirmed is news. Numbers of reports never start again.
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
        found = []
        for key, window in known.items():
            state = (*window.state(), now >= window.end)
            first, reported = self._reported.get(key, (0, ()))
            if reported != state:
                first = self._sequence
                self._reported[key] = (first, state)
            if first > self._confirmed or (final and any(window is one for one in latest)):
                found.append(window)
        return found

    def confirm(self, sequence: int) -> None:
        """The report of this number has arrived: what it said need not be said again."""
        self._confirmed = max(self._confirmed, sequence)

    def _as_message(self, window: Window, now: float) -> dict[str, Any]:
        """The length of a window is reported once it is over: until then a Ctrl-C may still make it shorter."""
        seconds = window.seconds if now >= window.end else 0.0
        return {"seconds": seconds, "covered": window.covered(now)} | window.as_message()


def _outside_as_message(outside: Mapping[tuple[str, str], Mapping[Outcome, int]]) -> list[dict[str, Any]]:
    return [
        {"variant": variant, "operation": operation, "outcomes": {str(key): number for key, number in some.items()}}
        for (variant, operation), some in outside.items()
    ]


def outside_from_message(message: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Counter[Outcome]]:
    """What a report has of the operations outside of phases."""
    return {
        (part["variant"], part["operation"]): Counter({Outcome(n): count for n, count in part["outcomes"].items()})
        for part in message
    }


def count_outside(outside: Mapping[tuple[str, str], Mapping[Outcome, int]], *, failed: bool) -> int:
    """Operations outside of all phases that failed, or those that were answered."""
    return sum(n for ends in outside.values() for outcome, n in ends.items() if outcome.is_failure is failed)
