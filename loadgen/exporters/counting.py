"""Counters and health of one process: a sink of samples, and the state that a scrape reads.

Only the hub writes it. A scrape reads from another thread, without a lock: each value is consistent, but two values may
be a sample apart.
"""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter

from loadgen.exporters.buckets import DURATIONS, LAGS, Buckets
from loadgen.exporters.role import Role
from loadgen.exporters.series import (
    OTHER,
    FaultSeries,
    OperationSeries,
    VariantLabels,
    VariantSeries,
    describe_variants,
)
from loadgen.measure.health import CPU_LIMIT, Beat, beats_missed
from loadgen.measure.lag import LAG_LIMIT, too_late
from loadgen.measure.objective import NO_OBJECTIVE, Objective, judge
from loadgen.measure.operation import NAMES_AT_MOST, Operation
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.settings.model import Settings

VARIANTS = 64
"""Maximum variants over the life of a process, which may serve many runs; further ones are counted as `other`."""
OPERATIONS = NAMES_AT_MOST
"""Maximum operation names per variant over the life of a process; further ones are counted as `other`."""
SERIES = 512
"""Maximum pairs of variant and operation; further ones are counted as the `other` of their variant."""
STAGES = 512
"""The same for triples of variant, operation and stage."""
ITEMS = 512
"""The same for triples of variant, operation and item."""
UNKNOWN = (OTHER, OTHER, OTHER)
"""Labels of all variants without separate series."""
UNSEEN_SECONDS = 2.0
"""Seconds of a phase without a health sample after which saturation is unknown."""
BEATS = 100
"""Health samples that decide on saturation: those of the last 10 s in phases."""


class Exporter:
    """The metrics of one process."""

    def __init__(self, role: Role, count_users: Callable[[], int], clock: Callable[[], float] = perf_counter) -> None:
        self.role = role
        self.count_users = count_users
        """Users in this process; for a master, of all its workers."""
        self.every: dict[tuple[str, str, str], VariantSeries] = {}
        """All variants since the process began, by their labels."""
        self._variants: dict[str, VariantSeries] = {}
        """The variants of the latest run, by name."""
        self._pairs = self._stages = self._items = 0
        self._objective = NO_OBJECTIVE
        self.hub_lag, self.loop_lag = Buckets(LAGS), Buckets(LAGS)
        self.core_wait = 0.0
        """Seconds, since the process began."""
        self.held: dict[str, float] = {}
        """Seconds for which each stage held the event loop; bounded, as the names of stages are."""
        self.in_flight = 0
        self.aborted = 0
        """Runs that a condition of `--abort-when` has ended, since the process began."""
        self.faults: dict[str, FaultSeries] = {}
        """Declared faults since the process began, by action."""
        self.settings: Settings | None = None
        self.infos: tuple[Mapping[str, str], ...] = ()
        """Labels that describe each variant of the latest run."""
        self.run: Mapping[str, str] = {}
        self.run_id = ""
        """Of the latest run that this process was prepared for."""
        self.phase: Phase | None = None
        self._beats: deque[Beat] = deque(maxlen=BEATS)
        self._clock = clock
        self._entered = -math.inf

    def count_fault(self, action: str, change: int) -> None:
        """A fault begins (1) or ends (-1)."""
        series = self.faults.setdefault(action, FaultSeries())
        series.active += change
        series.begun += max(0, change)

    # Samples

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Sink of samples. Durations count answered operations and timeouts, as the ledger's do."""
        # Outcomes are compared by identity: a Python call would cost as much as all the rest here.
        variants = self._variants
        for sample in samples:
            variant = variants.get(sample.variant) or self._variant(sample.variant)
            known = variant.nested if sample.nested else variant.operations
            series = known.get(sample.operation) or self._series(known, sample.operation)
            series.rows += sample.rows
            outcome = sample.outcome
            if outcome is Outcome.OK:
                series.ok += 1
            else:
                series.others[outcome] += 1
                if outcome is not Outcome.EMPTY and outcome is not Outcome.TIMEOUT:
                    continue
            if sample.stages or sample.items:
                self._count_parts(variant, series, sample)
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
        if self._objective:
            self._judge(samples)

    def _count_parts(self, variant: VariantSeries, series: OperationSeries, sample: Sample) -> None:
        known = series.stages
        for stage, took in sample.stages.items():
            buckets = known.get(stage)
            if buckets is None:
                buckets = self._stage(variant, sample.operation, stage)
                # `other` has stages of many operations, and stages that are `other` would grow without end.
                name = sample.operation
                is_own = name != OTHER and series in (variant.operations.get(name), variant.nested.get(name))
                if is_own and (name, stage) in variant.stages:
                    known[stage] = buckets
            if type(took) is float:
                buckets.counts[bisect_left(DURATIONS, took)] += 1
                buckets.total += took
                continue
            for each in took if isinstance(took, tuple) else (took,):
                buckets.add(each)
        for item, number in sample.items.items():
            self._count_items(series, item, number)

    def _judge(self, samples: Sequence[Sample]) -> None:
        """Count the good ones of these operations; nested ones are excluded."""
        groups: dict[tuple[str, str], list[Sample]] = {}
        for sample in samples:
            if not sample.nested:
                groups.setdefault((sample.variant, sample.operation), []).append(sample)
        for (variant, operation), some in groups.items():
            if conditions := self._objective.of(operation):
                series = self._series(self._variant(variant).operations, operation)
                series.good = (series.good or 0) + int(judge(some, conditions).sum())

    def expect(
        self,
        variants: Mapping[str, VariantLabels],
        operations: Mapping[Mode, Iterable[Operation]],
        objective: Objective = NO_OBJECTIVE,
    ) -> None:
        """Initialise the series of these variants, and of the operations, stages and items of their modes, to 0.

        Operations are judged by the objective from now on.

        `rate()` misses increments before the first scrape. If an earlier run used a name for a variant with another
        mode or client, it now means the new one; the earlier series keep their values.
        """
        self._objective = objective
        for name, own in variants.items():
            labels = (name, own.mode.value, own.client)
            if labels not in self.every and len(self.every) - (UNKNOWN in self.every) >= VARIANTS:
                self._variants.pop(name, None)
                continue
            variant = self._variants[name] = self.every.setdefault(labels, VariantSeries(*labels))
            for one in sorted(operations.get(own.mode, ()), key=str):
                series = self._series(variant.operations, one.name)
                if objective.of(one.name):
                    series.good = series.good or 0
                for item in one.items:
                    self._count_items(series, item, 0)
                for stage in one.all_stages:
                    self._stage(variant, one.name, stage)

    def _variant(self, name: str) -> VariantSeries:
        """The variant of this name; `other`, without mode and client, if it is unexpected."""
        known = self._variants.get(name) or self.every.get(UNKNOWN)
        return known or self.every.setdefault(UNKNOWN, VariantSeries(*UNKNOWN))

    def labels_of(self, name: str) -> tuple[str, str, str]:
        """Name, mode and client of a variant."""
        result = self._variants.get(name)
        return result.labels if result else (name, OTHER, OTHER)

    def _series(self, known: dict[str, OperationSeries], operation: str) -> OperationSeries:
        has_room = len(known) < OPERATIONS and self._pairs < SERIES
        name = operation if has_room or operation in known else OTHER
        if name not in known:
            known[name] = OperationSeries()
            self._pairs += 1
        return known[name]

    def _count_items(self, series: OperationSeries, item: str, number: int) -> None:
        if item not in series.items:
            item = item if self._items < ITEMS else OTHER
            self._items += item not in series.items
        series.items[item] = series.items.get(item, 0) + number

    def _stage(self, variant: VariantSeries, operation: str, stage: str) -> Buckets:
        key, known = (operation, stage), variant.stages
        if key not in known:
            key = key if self._stages < STAGES else (OTHER, OTHER)
            if key not in known:
                known[key] = Buckets(DURATIONS)
                self._stages += 1
        return known[key]

    def count_dropped(self, variant: str, number: int = 1) -> None:
        """Count arrivals that got no concurrency slot and were never sent."""
        self._variant(variant).dropped += number

    def count_task_error(self, variant: str) -> None:
        """Count an exception that a task raised."""
        self._variant(variant).task_errors += 1

    def count_recall(self, variant: str, share: float, rank: float | None = None) -> None:
        """Count one checked search: the share (0 to 1) of the right answers in its own, and its reciprocal rank."""
        self._variant(variant).recall.add(share)
        if rank is not None:
            self._variant(variant).rank.add(rank)

    def offer(self, variant: str, rate: float) -> None:
        """Set the current arrivals per second of this process."""
        self._variant(variant).offered = rate

    def rest(self) -> None:
        """Set the arrivals per second to 0."""
        for variant in self.every.values():
            variant.offered = 0.0

    # State

    def begin(self, settings: Settings) -> None:
        """Start a new run; its id is known from its first phase on. Counters continue: they never decrease.

        Raises SettingsError if a variant is wrong.
        """
        infos = tuple(describe_variants(settings))
        self.settings, self.infos, self.run = settings, infos, {}

    def enter(self, phase: Phase, run: Mapping[str, str]) -> None:
        """A phase begins; `run` has the run's `run_id` and `server`."""
        self.phase, self.run, self._entered = phase, run, self._clock()

    def leave(self) -> None:
        """The phase is over."""
        self.phase = None

    def beat(self, beat: Beat) -> None:
        """Count one health sample of this process."""
        self.hub_lag.add(beat.hub_lag)
        self.loop_lag.add(beat.loop_lag)
        self.core_wait += 0.0 if math.isnan(beat.core_wait) else beat.core_wait
        for stage, seconds in beat.held.items():
            self.held[stage] = self.held.get(stage, 0.0) + seconds
        self.in_flight = beat.in_flight
        if self.phase is not None:
            self._beats.append(beat)
        if self.role.leads and self.phase is not None and (self.phase.is_open or self.count_users()):
            self._variant(self.phase.variant).active += beat.wall

    @property
    def saturated(self) -> float:
        """1 if this process, not the server, was the limit in the last 10 s: CPU, or lag at p99; else 0.

        Only phases count: loading may use all resources. At the start of a phase, the window reaches back into earlier
        phases. nan without a recent sample: unknown is not healthy.
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


def _p99(lags: Sequence[float]) -> float:
    return sorted(lags)[-(-99 * len(lags) // 100) - 1]


def _late(lags: Sequence[float]) -> int:
    return sum(lag >= LAG_LIMIT for lag in lags)
