"""Fault drills as tables: what happened in each phase, and the checks after it."""

from collections.abc import Iterator
from dataclasses import replace

from loadgen.reports.summary import Summary
from loadgen.reports.tables import Table, make_table
from loadgen.results.figures import load_level
from loadgen.results.record import PhaseRecord, RunRecord
from loadgen.results.record.faults import FaultRecord
from loadgen.results.verdict.faults import Drill, find_drills
from loadgen.results.verdict.phrases import NONE

HEAD = ("load", "variant", "phase", "fault", "began s", "ended s", "first success s", "recovery s", "failures")
CHECK_HEAD = ("load", "variant", "phase", "acknowledged rows", "missing", "connections before", "after")


def fault_rows(record: RunRecord) -> Iterator[tuple[str, ...]]:
    """A row for each fault of each phase."""
    for number, phase, faults in find_drills(record):
        for fault in faults.faults:
            yield (*_place(number, phase), *_cells(fault))


def _place(number: int, phase: PhaseRecord) -> tuple[str, str, str]:
    return str(load_level(phase.concurrency, phase.rate)), phase.variant, str(number)


def _cells(fault: FaultRecord) -> tuple[str, ...]:
    result = fault.recovery
    failures = ", ".join(f"{name} {number:,}" for name, number in result.failures.items()) or "0"
    code = f" (exit code {fault.exit_code})" if fault.exit_code is not None else ""
    text = f"{fault.text}{code}" if not fault.error else f"{fault.text}: {fault.error}"
    times = (fault.began, fault.ended, result.first_success_seconds, result.recovery_seconds)
    return (text, *(NONE if one is None else f"{one:.1f}" for one in times), failures)


def fault_table(summary: Summary) -> Table:
    """Every fault; empty without any."""
    note = (
        "Began and ended: seconds of the phase; first success and recovery: seconds from the fault. First success: the "
        "end of the longest time without an answer. Recovery: the throughput over a second is back at 95 % of that "
        "before the first fault. 0: no worse than before the fault. A dash: not before the next fault or the end of "
        "the phase."
    )
    rows = list(fault_rows(summary.record))
    return replace(make_table("Faults and recoveries", HEAD, rows, tuple, 4), note=note if rows else "")


def fault_check_table(summary: Summary) -> Table:
    """Inserts and connections of each phase with faults."""
    return make_table("What was left after the faults", CHECK_HEAD, find_drills(summary.record), _check, 3)


def _check(drill: Drill) -> tuple[str, ...]:
    number, phase, faults = drill
    inserts = faults.inserts
    rows = (NONE, NONE) if inserts is None else (f"{inserts.acknowledged:,}", inserts.problem or f"{inserts.missing:,}")
    counts = (faults.connections_before, faults.connections_after)
    return (*_place(number, phase), *rows, *(NONE if one is None else f"{one:,}" for one in counts))


def command_table(summary: Summary) -> Table:
    """The last lines of each command."""
    rows = [
        (*_place(number, phase)[1:], fault.text, line)
        for number, phase, faults in find_drills(summary.record)
        for fault in faults.faults
        for line in fault.output
    ]
    return make_table("Output of commands", ("variant", "phase", "fault", "last lines"), rows, tuple, 4)
