"""What the samples of each phase add up to, on each worker and, merged, on the master."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hdrh.histogram import HdrHistogram

from loadgen.flow import Flow
from loadgen.health import Beat, Health
from loadgen.phase import Phase
from loadgen.sample import Mode, Outcome, Sample
from loadgen.slices import SliceTally, add_times, count_slices, tell_slices
from loadgen.tally import MICROSECONDS, Tally, new_histogram
from loadgen.truth import Check, Recalls

__all__ = ["MICROSECONDS", "Ledger", "Tally", "Window", "new_histogram"]

AT_ONCE = 256
"""Samples that are added up at once: many together cost a fifth of one by one."""


@dataclass(slots=True)
class Window:
    """The time in which finished operations count for a phase, on this process's clock."""

    phase: Phase
    start: float
    end: float = math.inf
    health: Health = field(default_factory=Health)
    flow: Flow = field(default_factory=Flow)
    recalls: Recalls = field(default_factory=Recalls)
    """What the checked searches found."""
    workers_lost: int = 0
    connections: int = 0
    """Open ones of its mode, in all processes; told to the one who leads."""
    data: tuple[str, ...] = ()
    """Fingerprints of the data that these connections see: one where all see the same."""
    seconds: float = 0.0
    """Measured length: told by the process that counted, merged as the longest."""
    told_seconds: float = 0.0
    """What the last report said of it."""
    told_changed: bool = False
    """A report has said that the data changed."""
    heard: dict[str, float] = field(default_factory=dict)
    """On a master, for each worker: how many seconds of the window its reports have covered so far."""

    _pending: list[Sample] = field(default_factory=list)
    _tallies: dict[tuple[Mode, str], Tally] = field(default_factory=dict)
    _slices: dict[str, list[SliceTally]] = field(default_factory=dict)

    @property
    def tallies(self) -> dict[tuple[Mode, str], Tally]:
        """All operations by mode and name."""
        self._add_up()
        return self._tallies

    @property
    def slices(self) -> dict[str, list[SliceTally]]:
        """For each operation of a timed phase, its pieces in the order of time."""
        self._add_up()
        return self._slices

    def covered(self, now: float) -> float:
        """Seconds of it that have passed; 0 during its warm-up."""
        return max(0.0, min(now, self.end) - self.start)

    def add(self, sample: Sample) -> None:
        """Count one sample that finished in this window."""
        self._pending.append(sample)
        if len(self._pending) >= AT_ONCE:
            self._add_up()

    def _add_up(self) -> None:
        samples, self._pending = self._pending, []
        for (mode, operation), group in _by_kind(samples).items():
            self._tallies.setdefault((mode, operation), Tally()).add_all(group)
            if self.phase.seconds:
                self._slice(operation, group)

    def _slice(self, operation: str, samples: Sequence[Sample]) -> None:
        """Answered operations, and timeouts, whose times count and which are no throughput."""
        answered = [one for one in samples if one.outcome is Outcome.OK or one.outcome is Outcome.EMPTY]
        timeouts = [one for one in samples if one.outcome is Outcome.TIMEOUT]
        for some, is_answer in ((answered, True), (timeouts, False)):
            if some:
                pieces = self._pieces(operation)
                finished = np.array([sample.finished for sample in some])
                scheduled = np.array([sample.scheduled for sample in some])
                add_times(pieces, (finished - self.start) / self.phase.seconds, finished - scheduled, is_answer)

    def _pieces(self, operation: str) -> list[SliceTally]:
        if operation not in self._slices:
            self._slices[operation] = self.new_slices()
        return self._slices[operation]

    def new_slices(self) -> list[SliceTally]:
        """Empty pieces of equal length for the whole phase."""
        number = count_slices(self.phase.seconds)
        return [SliceTally(self.phase.seconds / number) for _ in range(number)]

    def take(self) -> dict[str, Any]:
        """What was counted since the last time, as plain values; all but the length starts again from zero."""
        self._add_up()
        told = {
            "tallies": [
                {"mode": str(mode), "operation": operation} | tally.as_message()
                for (mode, operation), tally in self._tallies.items()
            ],
            "slices": tell_slices(self._slices),
            "health": self.health.as_message(),
            "flow": self.flow.as_message(),
            "recalls": self._take_recalls(),
        }
        self._tallies, self._slices = {}, {}
        self.health = Health() if told["health"] else self.health
        self.flow = Flow() if told["flow"] else self.flow
        return told

    def _take_recalls(self) -> dict[str, Any]:
        """That the data changed is told once, also by a worker that has checked no search."""
        found, self.recalls = self.recalls, Recalls(changed=self.recalls.changed)
        is_new = found.changed and not self.told_changed
        self.told_changed = found.changed
        return found.as_message() if found.by_query or is_new else {}

    def merge(self, message: Mapping[str, Any], worker: str) -> None:
        """Add what a worker's `take` told."""
        for entry in message["tallies"]:
            key = (Mode(entry["mode"]), entry["operation"])
            self._tallies.setdefault(key, Tally()).merge(Tally.from_message(entry))
        for operation, pieces in message["slices"].items():
            mine = self._pieces(operation)
            for number, piece in pieces:
                mine[number].merge(SliceTally.from_message(piece))
        self.health.merge(message["health"], worker)
        self.flow.merge(message["flow"])
        if message["recalls"]:
            self.recalls.merge(Recalls.from_message(message["recalls"]))


class Ledger:
    """The windows of a run. It is used on the hub alone, so it has no lock."""

    def __init__(self) -> None:
        self.windows: dict[int, Window] = {}
        self.outside: dict[tuple[Mode, str], Counter[Outcome]] = {}
        """How the operations ended that no window has counted: of warm-ups, and what a window's end found under way."""
        self._current: Window | None = None
        self._previous: Window | None = None
        self._changed_at = math.inf

    def reset(self) -> None:
        """Forget everything: another run begins."""
        self.windows, self.outside = {}, {}
        self._current = self._previous = None
        self._changed_at = math.inf

    def open(self, phase: Phase, start: float, end: float = math.inf) -> None:
        """Count from `start` to before `end` (perf_counter seconds) for this phase; the phase before stays as it is."""
        window = Window(phase, start, end, seconds=end - start if math.isfinite(end) else 0.0)
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

    def drop(self, due: Sequence[float], at: float) -> None:
        """Arrivals were given up at a moment: each counts in the phase of that moment, or as left over by its own."""
        for window in (self._current, self._previous):
            if window is not None and window.start <= at < window.end:
                window.flow.dropped += len(due)
                return
        for moment in due:
            if (window := self._left(moment, at)) is not None:
                window.flow.leave(window.end - moment)

    def offer(self, arrivals: int, lags: HdrHistogram) -> None:
        """The schedule of the current phase is over: arrivals that were due, and how late each was handed over."""
        if self._current is not None:
            self._current.flow.offered += arrivals
            self._current.health.add_pace(lags)

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
        return {"windows": self._take_windows(now), "outside": told}

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


def _by_kind(samples: Sequence[Sample]) -> dict[tuple[Mode, str], list[Sample]]:
    groups: dict[tuple[Mode, str], list[Sample]] = {}
    rest = list(samples)
    while rest:
        mode, operation = rest[0].mode, rest[0].operation
        groups[mode, operation] = [one for one in rest if one.mode is mode and one.operation == operation]
        rest = [one for one in rest if one.mode is not mode or one.operation != operation]
    return groups
