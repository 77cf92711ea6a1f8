"""Times that a requirement is on, and what they leave out: operations that failed, and dropped arrivals."""

from loadgen.measure.objective import TIME_UNITS
from loadgen.measure.sample import Outcome
from loadgen.results.record import OperationRecord, PhaseRecord
from loadgen.results.requirements.parsing import PER_CENT, Requirement
from loadgen.results.requirements.reading import Reading

HALF = 0.5
"""Share of the operations that may fail beside their mean and their maximum."""
ROUNDING = 1e-9


def read_time(where: str, phase: PhaseRecord, operation: OperationRecord, wanted: Requirement) -> Reading:
    """A time of one phase.

    An upper limit has no value where more operations failed, or were dropped, than may be later than the figure: of a
    p99 1 %. They are later than any limit, and in no time.
    """
    seconds = find_time(operation, wanted)
    if seconds is None:
        return Reading(where, None)
    shown = f"{seconds * TIME_UNITS[wanted.unit]:.6g} {wanted.unit}"
    lost, every = count_unanswered(operation) + phase.dropped, operation.count + phase.dropped
    beyond = 1 - float(wanted.figure[1:]) / PER_CENT if wanted.figure.startswith("p") else HALF
    if not wanted.is_upper_time or lost <= beyond * every + ROUNDING:
        return Reading(where, seconds, shown)
    dropped = f", {phase.dropped:,} of them dropped" if phase.dropped else ""
    share = f"{PER_CENT * lost / every:.6g} %"
    return Reading(where, None, f"{shown} without the {share} that failed ({lost:,} of {every:,}{dropped})")


def find_time(operation: OperationRecord, wanted: Requirement) -> float | None:
    """Response time, service time or time of a stage, in seconds; None if there was none."""
    times = {"": operation.response_seconds, "service": operation.service_seconds}.get(
        wanted.part
    ) or operation.stages.get(wanted.part)
    seconds: float | None = getattr(times, wanted.figure.replace(".", "_")) if times else None
    return seconds


def count_unanswered(operation: OperationRecord) -> int:
    """Failures whose times count nowhere: a timeout was waited for."""
    return operation.failures - operation.outcomes.get(Outcome.TIMEOUT, 0)
