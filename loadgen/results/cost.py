"""What an operation costs the load generator: CPU time, memory, and bytes to and from the server."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadgen.results.record import PhaseRecord


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the operations of some phases, all kinds together: what belongs to which kind is unknown. None: unknown."""

    operations: int
    """Finished in the phases, nested ones excluded."""
    cpu_seconds: float | None
    """CPU time of all processes for one operation, that of health checks and exporters included."""
    memory_bytes: float | None
    """Resident memory of all processes, the maximum."""
    sent_bytes: float | None
    """To the server, for one operation."""
    received_bytes: float | None

    @property
    def operations_per_core_second(self) -> float | None:
        """How many operations a second of CPU time is enough for."""
        return 1 / self.cpu_seconds if self.cpu_seconds else None


def find_cost(phases: Sequence[PhaseRecord]) -> Cost:
    """The cost in phases of one variant at one level.

    The generator's figures are rates over a phase, so what was used is the rate times its length.
    """
    operations = sum(part.totals.total() for phase in phases for part in phase.operations)
    states = [(phase.seconds, phase.generator) for phase in phases]
    memory = [state.memory_bytes for _, state in states]
    cpu = _used((seconds, state.cores_used) for seconds, state in states)
    sent = _used((seconds, state.sent_bytes_per_second) for seconds, state in states)
    received = _used((seconds, state.received_bytes_per_second) for seconds, state in states)
    return Cost(
        operations,
        _for_each(cpu, operations),
        max((one for one in memory if one is not None), default=None),
        _for_each(sent, operations),
        _for_each(received, operations),
    )


def _used(rates: Iterable[tuple[float, float | None]]) -> float | None:
    """Seconds times rates, summed; None if one of them is unknown."""
    known = list(rates)
    if not known or any(rate is None for _, rate in known):
        return None
    return math.fsum(seconds * (rate or 0.0) for seconds, rate in known)


def _for_each(used: float | None, operations: int) -> float | None:
    return None if used is None or not operations else used / operations
