"""What faults did, in words."""

from collections.abc import Iterator

from loadgen.results.record import PhaseRecord, RunRecord
from loadgen.results.record.faults import FaultsRecord
from loadgen.settings.fault_grammar import shown
from loadgen.text.listing import count_of, join, name_phases

Drill = tuple[int, PhaseRecord, FaultsRecord]


def find_drills(record: RunRecord) -> list[Drill]:
    """The phases with faults, numbered from 1."""
    return [(number, one, one.faults) for number, one in enumerate(record.phases, 1) if one.faults is not None]


def say_recoveries(record: RunRecord) -> Iterator[str]:
    """For each fault the slowest recovery of each variant; without the text of a command, as Locust's page shows it."""
    result: dict[str, dict[str, list[float | None]]] = {}
    for _, phase, faults in find_drills(record):
        for one in faults.faults:
            if one.recovery.throughput_before is not None and not one.failure:
                times = result.setdefault(shown(one.text), {}).setdefault(phase.variant, [])
                times.append(one.recovery.recovery_seconds)
    for text, variants in result.items():
        parts = [f"{_worst(times)} with {name}" for name, times in variants.items()]
        yield f"After {text} the throughput was back at 95 %: {join(parts)} (the worst phase of each)."


def _worst(times: list[float | None]) -> str:
    known = [one for one in times if one is not None]
    if len(known) < len(times):
        return "not before the next fault or the end of the phase"
    return f"after {max(known):.1f} s" if max(known) else "immediately"


def warn_of_faults(record: RunRecord) -> Iterator[str]:
    """Missing rows, connections that are not as many as before, and faults that could not be carried out."""
    failed = [number for number, _, faults in find_drills(record) if any(one.failure for one in faults.faults)]
    if failed:
        yield f"Not every fault could be carried out in {name_phases(failed)}: see the table of faults."
    for number, phase, faults in find_drills(record):
        inserts = faults.inserts
        if inserts is not None and inserts.missing:
            names = ", ".join(inserts.names) + (" ..." if inserts.missing > len(inserts.names) else "")
            reported = f"{inserts.missing:,} of {count_of(inserts.acknowledged, 'acknowledged row')}"
            yield f"{reported} of phase {number} ({phase.variant}) are missing: {names}."
        before, after = faults.connections_before, faults.connections_after
        if before is not None and after is not None and before != after:
            began = count_of(before, "connection")
            yield f"Phase {number} ({phase.variant}) began with {began} and ended with {after:,}."
