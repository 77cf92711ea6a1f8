"""The slowest sampled operations: where to look in a tracing back end."""

from collections.abc import Iterator
from typing import NamedTuple

from loadgen.reports.tables import Cells, Table, make_table, milliseconds
from loadgen.results.figures import load_level
from loadgen.results.record import PhaseRecord, RunRecord, TraceRecord

SHOWN = 3
"""Traces of one operation of one variant at one level; the record has more."""


class _Found(NamedTuple):
    number: int
    """Of the phase, from 1."""
    phase: PhaseRecord
    trace: TraceRecord


def trace_table(record: RunRecord) -> Table:
    """The slowest of each operation, variant and level; empty if nothing was sampled."""
    head = ("load", "variant", "operation", "response ms", "outcome", "began at", "phase", "trace id")
    return make_table("Slowest sampled operations", head, list(_find(record)), _row, 3)


def _find(record: RunRecord) -> Iterator[_Found]:
    groups: dict[tuple[object, str, str], list[_Found]] = {}
    for number, phase in enumerate(record.phases, 1):
        for trace in phase.traces.slowest if phase.traces else ():
            key = (load_level(phase.concurrency, phase.rate), phase.variant, trace.operation)
            groups.setdefault(key, []).append(_Found(number, phase, trace))
    for each in groups.values():
        yield from sorted(each, key=lambda one: -one.trace.response_seconds)[:SHOWN]


def _row(finding: _Found) -> Cells:
    phase, trace = finding.phase, finding.trace
    return (
        str(load_level(phase.concurrency, phase.rate)),
        phase.variant,
        trace.operation,
        milliseconds(trace.response_seconds),
        trace.outcome.value,
        f"{trace.started_at:%H:%M:%S.%f}"[:-3],
        str(finding.number),
        trace.trace_id,
    )
