"""What the samples of each phase add up to: mergeable histograms, on each worker and, merged, on the master."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

from loadgen.health import Beat, Health
from loadgen.phase import Phase
from loadgen.sample import Mode, Outcome, Sample
from loadgen.slices import SliceTally, count_slices

LOWEST, HIGHEST, DIGITS = 1, 600_000_000, 3
"""Histograms count microseconds from 1 us to 10 minutes, with three digits."""
MICROSECONDS = 1_000_000


def new_histogram() -> HdrHistogram:
    """An empty histogram of microseconds."""
    return HdrHistogram(LOWEST, HIGHEST, DIGITS)


@dataclass(slots=True)
class Tally:
    """All operations of one kind in one phase."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    rows: int = 0
    service: HdrHistogram = field(default_factory=new_histogram)
    """Service times in microseconds of answered operations and of timeouts, which a user has waited for as well."""

    def add(self, sample: Sample) -> None:
        """Count one sample."""
        self.outcomes[sample.outcome] += 1
        self.rows += sample.rows
        if not sample.outcome.is_failure or sample.outcome is Outcome.TIMEOUT:
            self.service.record_value(min(max(LOWEST, round(sample.service_seconds * MICROSECONDS)), HIGHEST))

    def merge(self, other: "Tally") -> None:
        """Add what another tally counted."""
        self.outcomes.update(other.outcomes)
        self.rows += other.rows
        self.service.add(other.service)

    @property
    def operations(self) -> int:
        """All finished operations, failures included."""
        return sum(self.outcomes.values())

    @property
    def failures(self) -> int:
        """Operations without a usable answer."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.is_failure)

    def percentile(self, percent: float) -> float:
        """Seconds that so many per cent of the operations took at most; nan where there is none."""
        if not self.service.get_total_count():
            return math.nan
        return float(self.service.get_value_at_percentile(percent)) / MICROSECONDS


@dataclass(slots=True)
class Window:
    """The time in which finished operations count for a phase, on this process's clock."""

    phase: Phase
    start: float
    end: float = math.inf
    tallies: dict[tuple[Mode, str], Tally] = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    slices: dict[str, list[SliceTally]] = field(default_factory=dict)
    """For each operation of a timed phase, its pieces in the order of time."""
    workers_lost: int = 0
    seconds: float = 0.0
    """Measured length: told by the process that counted, merged as the longest."""
    told_seconds: float = 0.0
    """What the last report said of it."""
    heard: dict[str, float] = field(default_factory=dict)
    """On a master, for each worker: how many seconds of the window its reports have covered so far."""

    def covered(self, now: float) -> float:
        """Seconds of it that have passed; 0 during its warm-up."""
        return max(0.0, min(now, self.end) - self.start)

    def add(self, sample: Sample) -> None:
        """Count one sample that finished in this window."""
        key = (sample.mode, sample.operation)
        if key not in self.tallies:
            self.tallies[key] = Tally()
        self.tallies[key].add(sample)
        if self.phase.seconds:
            self._slice(sample)

    def _slice(self, sample: Sample) -> None:
        if sample.outcome.is_failure and sample.outcome is not Outcome.TIMEOUT:
            return
        pieces = self.slices.get(sample.operation)
        if pieces is None:
            pieces = self.slices[sample.operation] = self.new_slices()
        piece = int((sample.finished - self.start) / self.phase.seconds * len(pieces))
        pieces[min(piece, len(pieces) - 1)].add(sample.response_seconds, not sample.outcome.is_failure)

    def new_slices(self) -> list[SliceTally]:
        """Empty pieces of equal length for the whole phase."""
        number = count_slices(self.phase.seconds)
        return [SliceTally(self.phase.seconds / number) for _ in range(number)]

    def merge_slices(self, message: Mapping[str, Any]) -> None:
        """Add a worker's pieces; those without an operation are not sent."""
        for operation, pieces in message.items():
            mine = self.slices.setdefault(operation, self.new_slices())
            for number, piece in pieces:
                mine[number].merge(SliceTally.from_message(piece))


class Ledger:
    """The windows of a run. It is used on the hub alone, so it has no lock."""

    def __init__(self) -> None:
        self.windows: dict[int, Window] = {}
        self._current: Window | None = None
        self._previous: Window | None = None

    def reset(self) -> None:
        """Forget everything: another run begins."""
        self.windows = {}
        self._current = self._previous = None

    def open(self, phase: Phase, start: float, end: float = math.inf) -> None:
        """Count from `start` to before `end` (perf_counter seconds) for this phase; the phase before stays as it is."""
        window = Window(phase, start, end, seconds=end - start if math.isfinite(end) else 0.0)
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
        """Sink of samples: each counts in the phase in which it finished, or in none."""
        for sample in samples:
            for window in (self._current, self._previous):
                if window is not None and window.start <= sample.finished < window.end:
                    window.add(sample)
                    break

    def beat(self, beat: Beat) -> None:
        """Count one look at this process, for the phase that it lies in."""
        window = self._current
        if window is not None and window.start <= beat.at - beat.wall and beat.at < window.end:
            window.health.add(beat)

    def take_report(self, now: float) -> list[dict[str, Any]]:
        """What was counted since the last report, as plain values; the tallies start again from zero.

        The length of a window is told once it is over: until then a Ctrl-C may still make it shorter.
        """
        report = []
        for window in self.windows.values():
            tallies, window.tallies = window.tallies, {}
            entries = [_entry(mode, operation, tally) for (mode, operation), tally in tallies.items()]
            seconds = window.seconds if now >= window.end else 0.0
            if entries or window.health.cpu or seconds != window.told_seconds:
                window.told_seconds = seconds
                health, window.health = window.health.as_message(), Health()
                slices, window.slices = _told_slices(window.slices), {}
                told = {"phase": window.phase.as_message(), "seconds": seconds, "tallies": entries}
                told["covered"] = window.covered(now)
                report.append(told | {"health": health, "slices": slices})
        return report

    def merge(self, report: Iterable[Mapping[str, Any]], worker: str) -> None:
        """Add the report of a worker, named by its id."""
        for part in report:
            phase = Phase.from_message(part["phase"])
            window = self.windows.setdefault(phase.number, Window(phase, 0.0))
            window.seconds = max(window.seconds, float(part["seconds"]))
            window.heard[worker] = float(part["covered"])
            window.health.merge(part["health"], worker)
            window.merge_slices(part["slices"])
            for entry in part["tallies"]:
                tally = window.tallies.setdefault((Mode(entry["mode"]), entry["operation"]), Tally())
                tally.outcomes.update({Outcome(name): count for name, count in entry["outcomes"].items()})
                tally.rows += entry["rows"]
                tally.service.decode_and_add(entry["service"])


def _entry(mode: Mode, operation: str, tally: Tally) -> dict[str, Any]:
    return {
        "mode": str(mode),
        "operation": operation,
        "outcomes": {str(outcome): count for outcome, count in tally.outcomes.items()},
        "rows": tally.rows,
        "service": tally.service.encode(),
    }


def _told_slices(slices: Mapping[str, Sequence[SliceTally]]) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    return {
        operation: [(number, piece.as_message()) for number, piece in enumerate(pieces) if piece.buckets]
        for operation, pieces in slices.items()
    }
