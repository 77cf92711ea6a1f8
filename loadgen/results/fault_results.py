"""The faults of a finished phase, with the figures of its recovery."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

from loadgen.measure.fault_notes import FaultEvent, FaultNotes, InsertCheck
from loadgen.measure.outcome_course import OutcomeCourse, sum_courses
from loadgen.measure.window import Window
from loadgen.results.record.faults import (
    FaultRecord,
    FaultsRecord,
    InsertCheckRecord,
    OutcomeCourseRecord,
    RecoveryRecord,
)
from loadgen.results.record.model import RunRecord
from loadgen.results.recovery import find_recovery

SHOWN_SECONDS = 1.0
"""Length of a piece in the record, in a phase of up to ten minutes."""
LATE = "it took effect after the end of the phase"


def record_faults(window: Window) -> FaultsRecord | None:
    """The faults of a phase; None if none were to happen."""
    window.operation_stats  # noqa: B018 - adds up what is pending
    notes, courses = window.faults, window.outcome_courses
    if notes is None:
        return None
    piece = next((one.seconds for one in courses.values()), 0.1)
    total = sum_courses(courses, piece)
    events = sorted(_find_planned(notes.events, window.seconds), key=lambda one: one.began)
    edges = [*(one.began for one in events), window.seconds]
    faults = []
    for event, span in zip(events, pairwise(edges), strict=True):
        parts = {name: _recovery(one, edges[0], span) for name, one in sorted(courses.items()) if name}
        faults.append(_fault(event, _recovery(total, edges[0], span), parts))
    return FaultsRecord(
        faults=tuple(faults),
        course=_course(total, window.seconds),
        expected_failures=_expected(total, events, notes, window.seconds),
        inserts=_inserts(notes.inserts),
        connections_before=notes.connections_before,
        connections_after=notes.connections_after,
    )


def _find_planned(events: Iterable[FaultEvent], seconds: float) -> Iterator[FaultEvent]:
    """The faults of the measured part; one that was due in it and came after its end was not carried out in it."""
    for one in events:
        if one.began < seconds:
            yield one
        elif one.fault.at < seconds:
            yield replace(one, began=one.fault.at, ended=None, error=one.error or LATE)


def _recovery(course: OutcomeCourse, first: float, span: tuple[float, float]) -> RecoveryRecord:
    recovery = find_recovery(course, first, *span)
    return RecoveryRecord(
        throughput_before=recovery.throughput_before,
        first_success_seconds=recovery.first_success,
        recovery_seconds=recovery.recovery,
        failures=recovery.failures,
    )


def _fault(event: FaultEvent, recovery: RecoveryRecord, operations: dict[str, RecoveryRecord]) -> FaultRecord:
    return FaultRecord(
        text=event.text,
        began=event.began,
        ended=event.ended,
        error=event.error,
        exit_code=event.exit_code,
        output=event.output,
        recovery=recovery,
        operations=operations,
    )


def _expected(total: OutcomeCourse, events: list[FaultEvent], notes: FaultNotes, seconds: float) -> int:
    """Failures in the pieces from a fault until its recovery limit, each counted once."""
    pieces = math.ceil(seconds / total.seconds)
    failed = total.failed(pieces)
    expected: set[int] = set()
    for one in events:
        end = max(one.began + one.fault.seconds, one.fault.end, one.ended or 0.0) + notes.recovery_within
        expected |= set(range(math.floor(one.began / total.seconds), math.ceil(end / total.seconds)))
    return sum(failed[place] for place in expected if place < pieces)


def _course(total: OutcomeCourse, seconds: float) -> OutcomeCourseRecord:
    """The course in pieces of a second."""
    width = max(1, round(SHOWN_SECONDS / total.seconds)) if total.seconds <= SHOWN_SECONDS else 1
    pieces = math.ceil(round(seconds / total.seconds, 6))

    def fold(numbers: list[int]) -> tuple[int, ...]:
        padded = [*numbers[:pieces], *[0] * (pieces - len(numbers))]
        return tuple(sum(padded[at : at + width]) for at in range(0, pieces, width))

    return OutcomeCourseRecord(
        seconds=round(width * total.seconds, 6),
        answered=fold(total.answered(pieces)),
        failures={
            name: fold(numbers)
            for name, numbers in sorted(total.counts.items())
            if name not in ("ok", "empty") and any(numbers[:pieces])
        },
    )


def _inserts(check: InsertCheck | None) -> InsertCheckRecord | None:
    if check is None:
        return None
    return InsertCheckRecord(
        acknowledged=check.acknowledged, missing=check.missing, names=check.names, problem=check.problem
    )


def count_expected(record: RunRecord) -> int:
    """Failures and dropped arrivals of a run that its faults explain."""
    return sum(phase.faults.expected_failures for phase in record.phases if phase.faults is not None)
