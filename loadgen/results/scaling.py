"""How throughput and cost change with the number of workers, by operation and variant."""

import math
from collections.abc import Sequence

from loadgen.results.cost import find_cost
from loadgen.results.figures import throughput
from loadgen.results.record.model import PhaseRecord
from loadgen.results.record.scaling import Scaling, ScalingPoint
from loadgen.results.scalability_law import fit_law
from loadgen.text.listing import count_of


def find_scaling(phases: Sequence[PhaseRecord]) -> tuple[Scaling, ...]:
    """For each operation and variant of a run with several numbers of workers; empty for any other run.

    Phases that lacked workers are left out: they had fewer than they name.
    """
    own = [phase for phase in phases if phase.workers and phase.seconds > 0 and not phase.workers_lost]
    if len({phase.workers for phase in own}) < 2:  # noqa: PLR2004 - there is nothing to compare
        return ()
    names = sorted({part.operation for phase in own for part in phase.operations})
    variants = list(dict.fromkeys(phase.variant for phase in own))
    result = (_scaling(name, variant, own) for name in names for variant in variants)
    return tuple(one for one in result if one is not None)


def _scaling(operation: str, variant: str, phases: Sequence[PhaseRecord]) -> Scaling | None:
    by_workers: dict[int, list[PhaseRecord]] = {}
    for phase in phases:
        if phase.variant == variant and phase.workers:
            by_workers.setdefault(phase.workers, []).append(phase)
    rates = {number: [_rate(phase, operation) for phase in some] for number, some in by_workers.items()}
    if not any(map(any, rates.values())):
        return None
    means = {number: math.fsum(some) / len(some) for number, some in sorted(rates.items())}
    fewest = min(means)
    law = fit_law([(number, rate) for number, some in rates.items() for rate in some])
    return Scaling(
        operation=operation,
        variant=variant,
        points=tuple(
            _point(number, rate, means[fewest] / fewest, by_workers[number]) for number, rate in means.items()
        ),
        law=None if isinstance(law, str) else law,
        without_law=law if isinstance(law, str) else "",
    )


def _rate(phase: PhaseRecord, operation: str) -> float:
    return math.fsum(
        throughput(part.outcomes, phase.seconds) for part in phase.operations if part.operation == operation
    )


def _point(workers: int, rate: float, of_one: float, phases: Sequence[PhaseRecord]) -> ScalingPoint:
    return ScalingPoint(
        workers=workers,
        throughput=rate,
        efficiency=rate / workers / of_one if of_one else None,
        cpu_seconds=find_cost(phases).cpu_seconds,
        server_cpu_seconds=_find_server_cpu(phases),
        saturated=any(phase.generator.saturated for phase in phases),
    )


def _find_server_cpu(phases: Sequence[PhaseRecord]) -> float | None:
    views = [phase.server for phase in phases]
    known = [view for view in views if view is not None and view.cores_used is not None]
    requests = sum((view.searches or 0) + (view.inserts or 0) for view in known)
    if not requests or len(known) < len(views):
        return None
    return math.fsum((view.cores_used or 0.0) * view.seconds for view in known) / requests


def say_law(one: Scaling) -> str:
    """The law of one operation of one variant, or why there is none, in one sentence."""
    where = f"{one.operation} {one.variant}"
    if one.law is None:
        return f"{where}: no scalability law, since {one.without_law}."
    law = one.law
    parts = [
        f"{law.rate.estimate:,.1f}/s a worker ({law.rate.low:,.1f} to {law.rate.high:,.1f})",
        *(
            f"{name} {part.estimate:.3g} ({part.low:.2g} to {part.high:.2g})"
            for name, part in (("contention", law.contention), ("coherency", law.coherency))
        ),
    ]
    peak = law.peak_workers
    end = "" if peak is None else f"; the highest throughput is at {count_of(max(1, round(peak)), 'worker')}"
    return f"{where}: Universal Scalability Law with {', '.join(parts)}{end}."
