"""Which phases of a plan belong together: a pass has each variant of one load level once."""

from collections.abc import Sequence

from loadgen.measure.phase import Phase
from loadgen.results.phase_result import ROUNDING
from loadgen.results.record import PhaseRecord


def find_passes(plan: Sequence[Phase]) -> list[int]:
    """The number of phases in each pass of a plan, in order.

    A round A B C C B A has two: A B C and C B A. Sides are compared by phases that were measured close together, so
    what is measured again is measured with the rest of its pass.
    """
    sizes: list[int] = []
    seen: set[tuple[object, ...]] = set()
    level: tuple[object, ...] = ()
    for phase in plan:
        now = (
            phase.model,
            phase.level if not phase.operations else 0,
            phase.operation,
            phase.operations,
            phase.workers,
        )
        side = (phase.variant, phase.style)
        if not sizes or now != level or side in seen:
            sizes.append(0)
            seen = set()
        level = now
        seen.add(side)
        sizes[-1] += 1
    return sizes


def count_complete(plan: Sequence[Phase], phases: Sequence[PhaseRecord]) -> int:
    """How many phases from the first on need not be measured again: complete ones, in complete passes."""
    complete = 0
    for planned, measured in zip(plan, phases, strict=False):
        if not _is_complete(planned, measured):
            break
        complete += 1
    kept = 0
    for size in find_passes(plan):
        if kept + size > complete:
            break
        kept += size
    return kept


def _is_complete(planned: Phase, measured: PhaseRecord) -> bool:
    """Whether a phase of the plan was measured to its end."""
    concurrency = None if planned.is_open else planned.concurrency
    side = (measured.variant, measured.style, measured.concurrency, measured.rate, measured.workers)
    if side != (planned.variant, planned.style, concurrency, planned.rate or None, planned.workers or None):
        return False
    if planned.operations:
        ended = sum(part.count for part in measured.operations if part.operation == planned.operation)
        return ended >= planned.operations
    return measured.seconds >= planned.seconds - ROUNDING
