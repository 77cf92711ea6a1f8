"""The result of one phase: finalised once from its counts, then read by everything downstream.

Record, table, verdict, page and requirements read it; none of them computes a throughput of its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from hdrh.histogram import HdrHistogram

from loadgen.measure.course import Course
from loadgen.measure.errors import TaskErrors
from loadgen.measure.histograms import MICROSECONDS, count_above, mean, percentile
from loadgen.measure.operation_stats import OperationStats
from loadgen.measure.packing import encode_histogram
from loadgen.measure.phase import Phase
from loadgen.measure.recall import Recalls
from loadgen.measure.sample import Outcome
from loadgen.measure.slice_table import SliceTable
from loadgen.measure.slices import SliceStats, count_slices, cut_slices
from loadgen.measure.tracing import Traces
from loadgen.measure.window import Window
from loadgen.results.bootstrap import SlicedPhase
from loadgen.results.fault_results import record_faults
from loadgen.results.figures import per_second, throughput
from loadgen.results.record import (
    CourseRecord,
    Durations,
    Generator,
    OperationRecord,
    PhaseRecord,
    ScheduledRate,
    Slices,
    TaskErrorRecord,
    TraceRecord,
    TracesRecord,
)
from loadgen.results.server_work import record_server

ROUNDING = 1e-6
"""Seconds of tolerance: with float rounding, a window from 16,384.0 to 16,386.1 is slightly shorter than 2.1."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Operations of one kind that the end of a phase cut off after they had waited longer than its p99."""

    count: int
    oldest: float
    """Seconds that the longest of them had been due."""


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """One phase, finalised: its record, and what else a comparison needs."""

    phase: Phase
    record: PhaseRecord
    limits: tuple[str, ...]
    """Why the load generator was at its limit, each with a hint.

    A request that is refused immediately costs CPU and is followed by the next: if most were, CPU was no limit.
    """
    gaps: tuple[str, ...]
    """What is unknown about the load generator, and so cannot be ruled out."""
    connections: int
    """Open connections of its variant in all processes; 0 if no process answered."""
    data: tuple[str, ...]
    """Fingerprints of the data that these connections saw."""
    recalls: Recalls
    parts: Mapping[str, OperationRecord]
    """Operations of the phase's own variant; strays of other variants are only in the record."""
    unfinished: Mapping[str, Unfinished]
    """By operation; operations without any are omitted."""

    @property
    def number(self) -> int:
        """As messages count phases, from 1."""
        return self.phase.number + 1

    @property
    def was_broken_off(self) -> bool:
        """True where it was shorter than planned."""
        return self.record.seconds < self.phase.seconds - ROUNDING

    def operation(self, name: str) -> OperationRecord | None:
        """One operation; None if it never ended."""
        return self.parts.get(name)

    def sliced(self, operation: str) -> SlicedPhase:
        """One operation as the bootstrap takes it; where none ended, its slices are empty."""
        part = self.operation(operation)
        if part is not None and part.slices is not None:
            return SlicedPhase(self.phase.variant, part.slices.table)
        number = count_slices(self.phase.seconds)
        planned = [SliceStats(self.phase.seconds / number) for _ in range(number)]
        return SlicedPhase(self.phase.variant, SliceTable.of(cut_slices(planned, self.record.seconds)))

    @property
    def was_refused(self) -> bool:
        """True if most operations failed immediately. Timeouts do not count: the generator may have caused them."""
        return _was_refused(part.totals for part in self.record.operations)


def _was_refused(outcomes: Iterable[Mapping[Outcome, int]]) -> bool:
    every = [(kind, number) for one in outcomes for kind, number in one.items()]
    failed = sum(number for kind, number in every if kind.is_failure and kind is not Outcome.TIMEOUT)
    return 2 * failed > sum(number for _, number in every)


class PhaseResults:
    """The results of a run: each phase is finalised once, and again only if counts arrive late."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[tuple[object, ...], PhaseResult]] = {}

    def take(self, windows: Iterable[Window]) -> tuple[PhaseResult, ...]:
        """The results of all measured windows, in the order of their phases."""
        measured = sorted((one for one in windows if one.seconds > 0), key=lambda one: one.phase.number)
        return tuple(self._of(window) for window in measured)

    def _of(self, window: Window) -> PhaseResult:
        state = (window.phase, *window.state(), *window.marks())
        known = self._made.get(window.phase.number)
        if known is None or known[0] != state:
            known = self._made[window.phase.number] = (state, finalise(window))
        return known[1]


def finalise(window: Window) -> PhaseResult:
    """The result of a phase that is over."""
    recalls = Recalls()
    recalls.merge(window.recalls)
    limits = tuple(window.health.limits())
    refused = _was_refused(stats.totals for stats in window.operation_stats.values())
    record = _record(window, recalls, saturated=bool(limits) and not refused)
    keys = sorted(window.operation_stats)
    return PhaseResult(
        phase=window.phase,
        record=record,
        parts={
            name: part
            for (variant, name), part in zip(keys, record.operations, strict=True)
            if variant == window.phase.variant
        },
        limits=limits,
        gaps=tuple(window.gaps()),
        connections=window.connections,
        data=window.data,
        recalls=recalls,
        unfinished=dict(_find_unfinished(window)),
    )


def _find_unfinished(window: Window) -> Iterable[tuple[str, Unfinished]]:
    for (variant, operation), stats in window.operation_stats.items():
        if variant == window.phase.variant and window.flow.unfinished:
            left = window.flow.left_of((variant, operation))
            if count := count_above(left, stats.percentile(99)):
                yield operation, Unfinished(count, percentile(left, 100))


def _record(window: Window, recalls: Recalls, *, saturated: bool) -> PhaseRecord:
    phase = window.phase
    return PhaseRecord(
        variant=phase.variant,
        mode=phase.mode,
        style=phase.style,
        started_at=datetime.fromtimestamp(phase.started_at, UTC) if phase.started_at else None,
        model=phase.model,
        concurrency=None if phase.is_open else phase.concurrency,
        workers=phase.workers or None,
        rate=phase.rate or None,
        scheduled=tuple(ScheduledRate(operation=name, points=points) for name, points in phase.curves),
        seconds=window.seconds,
        offered=window.flow.offered if phase.is_open else None,
        dropped=window.flow.dropped,
        unfinished=window.flow.unfinished,
        longest_unfinished_seconds=percentile(window.flow.left, 100),
        workers_lost=window.workers_lost,
        users_gone=window.users_gone,
        operations=tuple(
            _operation(name, stats, window, recalls) for (_, name), stats in sorted(window.operation_stats.items())
        ),
        task_errors=record_errors(window.errors),
        generator=_generator(window, saturated=saturated),
        server=None if window.server is None else record_server(window.server),
        traces=_traces(window.traces),
        faults=record_faults(window),
    )


def _generator(window: Window, *, saturated: bool) -> Generator:
    health = window.health
    return Generator(
        cpu_ratio=health.cpu_ratio,
        core_wait_ratio=health.core_wait_ratio,
        loop_held_ratios=health.held_ratios,
        cores_used=health.cores_used,
        memory_bytes=health.usage.memory,
        sent_bytes_per_second=health.usage.sent,
        received_bytes_per_second=health.usage.received,
        loop_lag_p99_seconds=health.loop.p99,
        loop_lag_max_seconds=health.loop.longest,
        loop_late_beats=health.loop.late,
        hub_lag_p99_seconds=health.hub.p99,
        hub_lag_max_seconds=health.hub.longest,
        hub_late_beats=health.hub.late,
        pace_lag_p99_seconds=health.pace.p99,
        pace_lag_max_seconds=health.pace.longest,
        late_arrivals=health.pace.late,
        in_flight_mean=health.in_flight_mean,
        in_flight_max=health.in_flight_most,
        watched_share=None if window.phase.operations else health.watched_share(window.expected),
        saturated=saturated,
    )


def _traces(traces: Traces) -> TracesRecord | None:
    if not traces.sampled:
        return None
    slowest = (
        TraceRecord(
            operation=one.operation,
            trace_id=one.trace_id,
            started_at=datetime.fromtimestamp(one.began, UTC),
            response_seconds=one.seconds,
            outcome=one.outcome,
        )
        for one in traces.slowest
    )
    return TracesRecord(sampled=traces.sampled, slowest=tuple(slowest))


def record_errors(errors: TaskErrors) -> tuple[TaskErrorRecord, ...]:
    """Task exceptions in the form of the record."""
    return tuple(
        TaskErrorRecord(variant=variant, error=kind.name, place=kind.place, count=number)
        for variant, kind, number in errors
    )


def _operation(name: str, stats: OperationStats, window: Window, recalls: Recalls) -> OperationRecord:
    checked = recalls if name == recalls.operation else Recalls()
    return OperationRecord(
        operation=name,
        outcomes=dict(stats.outcomes),
        throughput=throughput(stats.outcomes, window.seconds),
        good=stats.good,
        goodput=None if stats.good is None else per_second(stats.good, window.seconds),
        service_seconds=_durations(stats.service),
        response_seconds=_durations(stats.response),
        nested=dict(stats.nested),
        stages={stage: _durations(stats.stage(stage)) for stage in sorted(stats.stages)},
        repeated_stages=tuple(sorted(stats.repeated)),
        items=dict(sorted(stats.items.items())),
        recall=checked.mean,
        recall_checks=0 if checked.mean is None else checked.checks,
        mrr=checked.mean_rank,
        slices=_slices(name, window, is_judged=stats.good is not None),
        course=_course(window.courses.get(name), window.seconds),
    )


def _course(course: Course | None, seconds: float) -> CourseRecord | None:
    if course is None:
        return None
    complete = course.complete(seconds)
    return CourseRecord(seconds=complete.seconds, answered=tuple(complete.answered))


def _slices(name: str, window: Window, *, is_judged: bool) -> Slices | None:
    if not window.phase.seconds:
        return None
    pieces = cut_slices(window.slices.get(name) or window.new_slices(), window.seconds)
    return Slices.of(pieces, is_judged=is_judged)


def _durations(histogram: HdrHistogram) -> Durations:
    known = bool(histogram.get_total_count())
    return Durations(
        mean=mean(histogram) if known else None,
        p50=percentile(histogram, 50),
        p90=percentile(histogram, 90),
        p95=percentile(histogram, 95),
        p99=percentile(histogram, 99),
        p99_9=percentile(histogram, 99.9),
        max=histogram.get_max_value() / MICROSECONDS if known else None,
        histogram=encode_histogram(histogram),
    )
