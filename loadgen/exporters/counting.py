"""What one process has done and how it fares: a sink of samples, and the state that a scrape reads.

It is written on the hub alone. A scrape reads from another thread, without a lock: each value that it takes is
complete, only two values may be a sample apart.
"""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from time import perf_counter
from typing import NamedTuple, TypeVar

from loadgen.exporters.buckets import DURATIONS, LAGS, SHARES, Buckets
from loadgen.measure.health import CPU_LIMIT, LAG_LIMIT, Beat, beats_missed, too_late
from loadgen.measure.operation import NAMES_AT_MOST, STAGES_AT_MOST, Operation
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.settings.model import Settings

N = TypeVar("N", int, float)
OPERATIONS = NAMES_AT_MOST
"""Different names of operations since the process began; further ones are counted together as `other`."""
STAGES = 4 * STAGES_AT_MOST
"""Series of stages since the process began, which may serve many runs; further ones are counted as `other`, too."""
VARIANTS = 64
"""Variants since the process began, which may serve many runs; further ones are counted as `other`."""
OTHER = "other"
UNSEEN_SECONDS = 2.0
"""Seconds of a phase without a look at the process after which nobody knows whether it is saturated."""
BEATS = 100
"""Looks at the process that decide whether it is saturated: those of the last 10 s in phases."""


class Role(StrEnum):
    """A process's part in a run. Each thing is told by one part, so that sums over processes are right."""

    LOCAL = "local"
    WORKER = "worker"
    MASTER = "master"

    @property
    def makes_load(self) -> bool:
        """True where operations are called, which are counted there."""
        return self is not Role.MASTER

    @property
    def leads(self) -> bool:
        """True where phases begin and end for all, whose length is counted there."""
        return self is not Role.WORKER


class Kind(NamedTuple):
    """What a variant is, beside its own settings."""

    mode: Mode
    client: str


class Series:
    """All operations of one variant and one name since the process began."""

    __slots__ = ("ok", "others", "response", "rows", "service")

    def __init__(self) -> None:
        self.ok = 0
        self.others = dict.fromkeys((outcome for outcome in Outcome if outcome is not Outcome.OK), 0)
        self.rows = 0
        self.service = Buckets(DURATIONS)
        self.response = Buckets(DURATIONS)

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many ended how; every outcome is there, also with 0."""
        return {Outcome.OK: self.ok} | self.others


class Exporter:
    """One for each process."""

    def __init__(self, role: Role, count_users: Callable[[], int], clock: Callable[[], float] = perf_counter) -> None:
        self.role = role
        self.count_users = count_users
        """Users in this process; those of all its workers for a master."""
        self.series: dict[str, dict[str, Series]] = {}
        self.nested: dict[str, dict[str, Series]] = {}
        """Of operations that were part of others, which all other series leave out."""
        self.stages: dict[tuple[str, str, str], Buckets] = {}
        """By variant, operation and stage, of nested operations as well."""
        self.variants: dict[str, Kind] = {}
        """Every variant of the process's runs, by its name."""
        self.active: dict[str, float] = {}
        """Seconds in which a phase of each variant made load, in the process that leads."""
        self.dropped: dict[str, int] = {}
        self.task_errors: dict[str, int] = {}
        self.offered: dict[str, float] = {}
        self.recall: dict[str, Buckets] = {}
        self.hub_lag, self.loop_lag = Buckets(LAGS), Buckets(LAGS)
        self.in_flight = 0
        self.settings: Settings | None = None
        self.run: Mapping[str, str] = {}
        self.phase: Phase | None = None
        self._beats: deque[Beat] = deque(maxlen=BEATS)
        self._clock = clock
        self._entered = -math.inf

    # Samples

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Sink of samples. Durations count answered operations and timeouts, as the ledger's do."""
        # Outcomes are compared by identity: a call of a Python function would be as dear as all the rest here.
        every = self.series
        for sample in samples:
            if sample.nested:
                series = self._nested_series(sample)
            else:
                variant = every.get(sample.variant)
                series = (variant and variant.get(sample.operation)) or self._series(sample.variant, sample.operation)
            series.rows += sample.rows
            outcome = sample.outcome
            if outcome is Outcome.OK:
                series.ok += 1
            else:
                series.others[outcome] += 1
                if outcome is not Outcome.EMPTY and outcome is not Outcome.TIMEOUT:
                    continue
            for stage, seconds in sample.stages.items():
                self._stage(sample.variant, sample.operation, stage).add(seconds)
            started, finished = sample.started, sample.finished
            seconds = finished - started
            place = bisect_left(DURATIONS, seconds)
            service, response = series.service, series.response
            service.counts[place] += 1
            service.total += seconds
            if sample.scheduled != started:
                seconds = finished - sample.scheduled
                place = bisect_left(DURATIONS, seconds)
            response.counts[place] += 1
            response.total += seconds

    def expect(self, variants: Mapping[str, Kind], operations: Mapping[Mode, Iterable[Operation]]) -> None:
        """Initialise the series of these variants to 0, and of the operations and stages of their modes.

        `rate()` misses increments that precede the first scrape.
        """
        for variant, kind in variants.items():
            if variant not in self.variants and len(self.variants) >= VARIANTS:
                continue
            self.variants[variant] = kind
            for values in (self.active, self.dropped, self.task_errors, self.offered):
                values.setdefault(variant, 0)
            self.recall.setdefault(variant, Buckets(SHARES))
            for one in sorted(operations.get(kind.mode, ()), key=str):
                self._series(variant, one.name)
                for stage in one.stages:
                    self._stage(variant, one.name, stage)

    def _known(self, variant: str) -> str:
        """The variant, or `other` where nobody expected it: after more variants than have series."""
        return variant if variant in self.variants else OTHER

    def _nested_series(self, sample: Sample) -> Series:
        known = self.nested.setdefault(self._known(sample.variant), {})
        name = sample.operation if sample.operation in known or len(known) < OPERATIONS else OTHER
        return known.setdefault(name, Series())

    def _stage(self, variant: str, operation: str, stage: str) -> Buckets:
        key = (self._known(variant), operation, stage)
        if key not in self.stages and len(self.stages) >= STAGES:
            key = (key[0], OTHER, OTHER)
        return self.stages.setdefault(key, Buckets(DURATIONS))

    def _series(self, variant: str, operation: str) -> Series:
        known = self.series.setdefault(self._known(variant), {})
        name = operation if operation in known or len(known) < OPERATIONS else OTHER
        return known.setdefault(name, Series())

    def count_dropped(self, variant: str, number: int = 1) -> None:
        """Count arrivals that found no concurrency slot and were never sent."""
        _add(self.dropped, self._known(variant), number)

    def count_task_error(self, variant: str) -> None:
        """Count an exception that a task raised."""
        _add(self.task_errors, self._known(variant), 1)

    def count_recall(self, variant: str, share: float) -> None:
        """Count one checked search: the part (0 to 1) of the exact neighbours that it found."""
        self.recall.setdefault(self._known(variant), Buckets(SHARES)).add(share)

    def offer(self, variant: str, rate: float) -> None:
        """Show the arrivals per second that are due in this process from now on."""
        self.offered[self._known(variant)] = rate

    def rest(self) -> None:
        """No arrivals are due any more."""
        self.offered = dict.fromkeys(self.offered, 0.0)

    # State

    def begin(self, settings: Settings) -> None:
        """Another run begins here. What was counted goes on: a counter never falls."""
        self.settings = settings

    def enter(self, phase: Phase, run: Mapping[str, str]) -> None:
        """A phase begins; `run` has the run's `run_id` and `server`."""
        self.phase, self.run, self._entered = phase, run, self._clock()

    def leave(self) -> None:
        """The phase is over."""
        self.phase = None

    def beat(self, beat: Beat) -> None:
        """Count one look at this process."""
        self.hub_lag.add(beat.hub_lag)
        self.loop_lag.add(beat.loop_lag)
        self.in_flight = beat.in_flight
        if self.phase is not None:
            self._beats.append(beat)
        if self.role.leads and self.phase is not None and (self.phase.is_open or self.count_users()):
            _add(self.active, self._known(self.phase.variant), beat.wall)

    @property
    def saturated(self) -> float:
        """1 where this process, and not the server, was the limit in the last 10 s: CPU, or lag at p99; else 0.

        Judged is a phase alone: loading data may use what it finds. The seconds before it are those of other phases.
        nan where nobody has looked at the process lately: that is no health.
        """
        beats, phase = list(self._beats), self.phase
        if phase is None:
            return 0.0
        if self._clock() - max(self._entered, beats[-1].at if beats else -math.inf) > UNSEEN_SECONDS:
            return math.nan
        return float(bool(beats) and self._is_limit(beats))

    @staticmethod
    def _is_limit(beats: Sequence[Beat]) -> bool:
        cpu = sum(beat.cpu for beat in beats) / max(sum(beat.wall for beat in beats), 1e-9)
        hub, loop, pace = zip(*((beat.hub_lag, beat.loop_lag, beat.pace_lag) for beat in beats), strict=True)
        missed = sum(map(beats_missed, hub))
        return cpu >= CPU_LIMIT or too_late(_p99(hub), missed) or any(too_late(_p99(x), _late(x)) for x in (loop, pace))


def _add(values: dict[str, N], key: str, number: N) -> None:
    values[key] = values[key] + number if key in values else number


def _p99(lags: Sequence[float]) -> float:
    return sorted(lags)[-(-99 * len(lags) // 100) - 1]


def _late(lags: Sequence[float]) -> int:
    return sum(lag >= LAG_LIMIT for lag in lags)
