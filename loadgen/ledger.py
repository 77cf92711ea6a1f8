"""What the samples of each phase add up to, on each worker and, merged, on the master."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hdrh.histogram import HdrHistogram

from loadgen.errors import ErrorKind, TaskErrors
from loadgen.health import Beat
from loadgen.phase import Phase
from loadgen.sample import Mode, Outcome, Sample
from loadgen.truth import Check
from loadgen.window import Window


class Ledger:
    """The windows of a run. It is used on the hub alone, so it has no lock."""

    def __init__(self) -> None:
        self.windows: dict[int, Window] = {}
        self.outside: dict[tuple[Mode, str], Counter[Outcome]] = {}
        """How the operations ended that no window has counted: of warm-ups, and what a window's end found under way."""
        self.dropped_outside: Counter[Mode] = Counter()
        """Arrivals that were given up in no window: those of warm-ups."""
        self.errors_outside = TaskErrors()
        """Exceptions that tasks raised in no window."""
        self._current: Window | None = None
        self._previous: Window | None = None
        self._changed_at = math.inf

    def reset(self) -> None:
        """Forget everything: another run begins."""
        self.windows, self.outside, self.dropped_outside = {}, {}, Counter()
        self.errors_outside = TaskErrors()
        self._current = self._previous = None
        self._changed_at = math.inf

    def open(self, phase: Phase, start: float, end: float = math.inf, entered: float = -math.inf) -> None:
        """Count from `start` to before `end` (perf_counter seconds) for this phase; the phase before stays as it is.

        `entered` is when this process began to take part in it, where that may be later.
        """
        window = Window(phase, start, end, seconds=end - start if math.isfinite(end) else 0.0)
        window.entered = entered
        window.recalls.changed = self._changed_at < end
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
            if window is not None and window.start <= sample.finished < window.end:
                window.add(sample)
            else:
                self._add_other(sample)

    def _add_other(self, sample: Sample) -> None:
        """Count a sample of the phase before, or one that its own phase's end found under way."""
        before = self._previous
        if before is not None and before.start <= sample.finished < before.end:
            before.add(sample)
            return
        self.outside.setdefault((sample.mode, sample.operation), Counter())[sample.outcome] += 1
        if (window := self._left(sample.scheduled, sample.finished)) is not None:
            window.flow.leave(window.end - sample.scheduled, (sample.mode, sample.operation))

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
            self.dropped_outside[window.phase.mode] += len(due) - len(left)
        return len(due) - len(left)

    def offer(self, arrivals: int, lags: HdrHistogram) -> None:
        """The schedule of the current phase is over: arrivals that were due, and how late each was handed over."""
        if self._current is not None:
            self._current.flow.offered += arrivals
            self._current.health.add_pace(lags)

    def count_error(self, mode: Mode, kind: ErrorKind, at: float) -> None:
        """Count an exception of a task in the phase in which it was raised, or outside of all."""
        for window in (self._current, self._previous):
            if window is not None and window.start <= at < window.end:
                window.errors.add(mode, kind)
                return
        self.errors_outside.add(mode, kind)

    def check(self, check: Check) -> None:
        """Count one checked search in the phase in which it finished."""
        for window in (self._current, self._previous):
            if window is not None and window.start <= check.finished < window.end:
                window.recalls.add(check.query, check.recall)
                break

    def spoil(self, changed_at: float) -> None:
        """Rows are inserted or deleted from this moment on: what is measured then, and after, has no recall."""
        self._changed_at = changed_at
        for window in (self._current, self._previous):
            if window is not None and changed_at < window.end:
                window.recalls.changed = True

    def beat(self, beat: Beat) -> None:
        """Count one look at this process, for the phase that more than half of it lies in."""
        for window in (self._current, self._previous):
            if window is not None and min(beat.at, window.end) - max(beat.at - beat.wall, window.start) > beat.wall / 2:
                window.health.add(beat)
                return

    def take_report(self, now: float) -> dict[str, Any]:
        """What was counted since the last report, as plain values; the tallies start again from zero."""
        outside, self.outside = self.outside, {}
        told = [
            {"mode": str(mode), "operation": operation, "outcomes": {str(key): number for key, number in ends.items()}}
            for (mode, operation), ends in outside.items()
        ]
        dropped, self.dropped_outside = self.dropped_outside, Counter()
        errors, self.errors_outside = self.errors_outside.as_message(), TaskErrors()
        report = {"windows": self._take_windows(now), "outside": told, "dropped_outside": dict(dropped)}
        return report | {"errors_outside": errors}

    def _take_windows(self, now: float) -> list[dict[str, Any]]:
        """The length of a window is told once it is over: until then a Ctrl-C may still make it shorter."""
        report = []
        for window in self.windows.values():
            seconds = window.seconds if now >= window.end else 0.0
            told = window.take()
            if any(told.values()) or seconds != window.told_seconds:
                window.told_seconds = seconds
                report.append(
                    {"phase": window.phase.as_message(), "seconds": seconds, "covered": window.covered(now)} | told
                )
        return report

    def merge(self, report: Mapping[str, Any], worker: str) -> None:
        """Add the report of a worker, named by its id."""
        for part in report["outside"]:
            ends = self.outside.setdefault((Mode(part["mode"]), part["operation"]), Counter())
            ends.update({Outcome(name): number for name, number in part["outcomes"].items()})
        self.dropped_outside.update(report["dropped_outside"])
        self.errors_outside.merge(report["errors_outside"])
        for part in report["windows"]:
            phase = Phase.from_message(part["phase"])
            window = self.windows.setdefault(phase.number, Window(phase, 0.0))
            window.seconds = max(window.seconds, float(part["seconds"]))
            window.heard[worker] = float(part["covered"])
            window.merge(part, worker)
        self._spread_change()

    def _spread_change(self) -> None:
        """What one worker has changed stays so for all, also after it has left."""
        first = min((number for number, window in self.windows.items() if window.recalls.changed), default=math.inf)
        for number, window in self.windows.items():
            window.recalls.changed = number >= first
