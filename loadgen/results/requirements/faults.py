"""Requirements on faults: the time of a recovery, and that the server keeps what it has acknowledged."""

from loadgen.measure.objective import TIME_UNITS
from loadgen.results.record import PhaseRecord, RunRecord
from loadgen.results.record.faults import FaultRecord, InsertCheckRecord, RecoveryRecord
from loadgen.results.requirements.parsing import Requirement
from loadgen.results.requirements.reading import Judgement, Reading, place_of
from loadgen.text.listing import count_of

RECOVERY = "recovery"
CARRIED_OUT = "each fault is carried out"
NOT_RECOVERED = "not recovered before the next fault or the end of the phase"


def read_recoveries(phase: PhaseRecord, wanted: Requirement) -> list[Reading]:
    """The recovery from each fault of a phase, of one operation or, without a name, of all together."""
    where = place_of(phase)
    if phase.faults is None or not phase.faults.faults:
        return [Reading(where, None)]
    return [_read(f"{where}, {fault.text}", fault, wanted) for fault in phase.faults.faults]


def _find(fault: FaultRecord, wanted: Requirement) -> RecoveryRecord | None:
    return fault.operations.get(wanted.operation) if wanted.operation else fault.recovery


def _read(where: str, fault: FaultRecord, wanted: Requirement) -> Reading:
    recovery = _find(fault, wanted)
    if fault.failure:
        return Reading(where, None, f"nothing to recover from: {fault.failure}")
    if recovery is None or recovery.throughput_before is None:
        return Reading(where, None)
    seconds = recovery.recovery_seconds
    if seconds is None:
        return Reading(where, None, NOT_RECOVERED)
    return Reading(where, seconds, f"{seconds * TIME_UNITS[wanted.unit]:.6g} {wanted.unit}")


def judge_faults(record: RunRecord) -> list[Judgement]:
    """Whether faults could be carried out and every acknowledged insert is still there; empty without faults."""
    judgements: list[Judgement] = []
    for phase in record.phases:
        where = place_of(phase)
        if phase.faults is None:
            is_lacking = bool(record.manifest.settings.get("fault"))
            judgements += [Judgement(CARRIED_OUT, False, "nothing was noted of any", where)] if is_lacking else []
            continue
        judgements += [
            Judgement(CARRIED_OUT, False, why, f"{where}, {fault.text}")
            for fault in phase.faults.faults
            if (why := fault.failure)
        ]
    checks = [(place_of(one), one.faults.inserts) for one in record.phases if one.faults and one.faults.inserts]
    return judgements + ([_judge_inserts(checks)] if checks else [])


def _judge_inserts(checks: list[tuple[str, InsertCheckRecord]]) -> Judgement:
    """One verdict over all phases; the first that lacks rows is named."""
    text = "every acknowledged insert is kept"
    acknowledged, missing = (sum(getattr(one, name) for _, one in checks) for name in ("acknowledged", "missing"))
    for where, one in checks:
        if one.problem:
            return Judgement(text, False, f"not searched for: {one.problem}", where)
    bad = next(((where, one) for where, one in checks if one.missing), None)
    if bad is None:
        return Judgement(text, True, f"all {count_of(acknowledged, 'row')}", f"over {count_of(len(checks), 'phase')}")
    where, one = bad
    more = " ..." if one.missing > len(one.names) else ""
    return Judgement(text, False, f"{missing:,} of {acknowledged:,} missing: {', '.join(one.names)}{more}", where)
