"""Throughput at equal recall: what a sweep over a search parameter shows, and what lies between its points.

A point is all phases of one variant with one value. Its throughput is the geometric mean of its phases, with the
two-level bootstrap of `bootstrap.py`. At a recall between two points the logarithm of the throughput is interpolated
linearly in the recall; points beyond it are never extrapolated. Each replicate draws the throughputs, and the recalls
too: a mean of n checked searches has a variance of at most r (1 - r) / n, that of searches that find all or nothing
(Bhatia and Davis 2000, A better bound on the variance), so that the interval is rather too wide than too narrow.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loadgen.results.bootstrap import PhaseNoise, SlicedPhase, spread
from loadgen.results.comparison import PHASES_AT_LEAST, REPLICATES
from loadgen.results.levels import draws_of
from loadgen.results.record.model import PhaseRecord
from loadgen.results.record.operations import OperationRecord
from loadgen.results.record.scaling import Estimate
from loadgen.results.record.sweep import AtRecall, SweepPoint, SweepRecord
from loadgen.results.resampling import Floats
from loadgen.settings.model import Settings
from loadgen.settings.sweep import Swept, find_swept, read_sweep
from loadgen.settings.variants import find_baseline, find_variants
from loadgen.text.listing import count_of

POINTS_AT_LEAST = 2
"""Between fewer there is nothing to interpolate."""
WHOLE = 0.99
"""Share of the longest phase below which another one was aborted: all are planned to last as long."""
TINY = 1e-12
"""Instead of 0, where two points have the same recall."""


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """What a run sweeps."""

    parameter: str
    variants: Mapping[str, Swept]
    """By name."""
    baseline: str
    """The family that the others are compared with."""
    at_recall: float
    """0: at none."""
    seed: int


def find_sweep_plan(settings: Settings) -> SweepPlan | None:
    """That of a run; None without a sweep. Raises SettingsError where its variants are wrong."""
    sweep = read_sweep(settings)
    if sweep is None:
        return None
    swept = find_swept(find_variants(settings), settings)
    family = swept[find_baseline(settings)].family
    return SweepPlan(sweep.parameter, swept, family, settings.at_recall, settings.seed)


@dataclass(frozen=True, slots=True)
class _Point:
    record: SweepPoint
    chances: Floats
    """Logarithms of the throughput, (1 + replicates,), the first as it was measured."""
    doubt: str
    """Why its phases do not count, as in a comparison; empty if they do."""


def find_sweeps(phases: Sequence[PhaseRecord], plan: SweepPlan | None) -> tuple[SweepRecord, ...]:
    """For each operation with a recall, each number of users and each family; empty without a sweep."""
    if plan is None:
        return ()
    sweeps: list[SweepRecord] = []
    names = sorted({part.operation for phase in phases for part in phase.operations if part.recall is not None})
    levels = sorted({phase.concurrency for phase in phases if phase.concurrency})
    for operation in names:
        for level in levels:
            sweeps += _find_level([phase for phase in phases if phase.concurrency == level], operation, level, plan)
    return tuple(sweeps)


def _find_level(phases: Sequence[PhaseRecord], operation: str, level: int, plan: SweepPlan) -> list[SweepRecord]:
    families = {family: _find_points(phases, operation, family, plan) for family in _families(plan)}
    chances = {family: _interpolate(points, plan) for family, points in families.items()}
    base = chances.get(plan.baseline)
    sweeps: list[SweepRecord] = []
    for family, points in families.items():
        if points:
            at = _tell(family, points, chances[family], base, plan) if plan.at_recall else None
            own = tuple(point.record for point in points)
            one = SweepRecord(
                operation=operation,
                family=family,
                parameter=plan.parameter,
                concurrency=level,
                points=own,
                at_recall=at,
            )
            sweeps.append(one)
    return sweeps


def _families(plan: SweepPlan) -> list[str]:
    return list(dict.fromkeys(one.family for one in plan.variants.values()))


def _find_points(phases: Sequence[PhaseRecord], operation: str, family: str, plan: SweepPlan) -> list[_Point]:
    """By recall, ascending; variants without a phase that can be counted have none."""
    result = []
    for name, swept in plan.variants.items():
        if swept.family != family:
            continue
        mine = [phase for phase in phases if phase.variant == name]
        parts = [_part_of(phase, operation) for phase in mine]
        if parts and all(part is not None and part.slices and part.recall is not None for part in parts):
            point = _measure(name, swept.value, [part for part in parts if part is not None], plan)
            result.append(replace(point, doubt=_find_doubt(name, mine, max(phase.seconds for phase in phases))))
    return sorted(result, key=lambda point: (point.record.recall or 0.0, -point.chances[0]))


def _find_doubt(name: str, phases: Sequence[PhaseRecord], whole: float) -> str:
    """Why the phases of a variant do not count; `whole` are the seconds of one that was not aborted."""
    if len(phases) < PHASES_AT_LEAST:
        return f"{name} has {len(phases)} of {PHASES_AT_LEAST} phases"
    doubts = {
        "the load generator was at its limit": any(phase.generator.saturated for phase in phases),
        "the load generator was not monitored": any(phase.generator.is_unwatched for phase in phases),
        "the run was aborted": any(phase.seconds < WHOLE * whole for phase in phases),
        "workers or users were lost": any(phase.workers_lost or phase.users_gone for phase in phases),
    }
    return next((f"{doubt} in a phase of {name}" for doubt, is_there in doubts.items() if is_there), "")


def _part_of(phase: PhaseRecord, operation: str) -> OperationRecord | None:
    return next((part for part in phase.operations if part.operation == operation), None)


def _measure(name: str, value: float, parts: Sequence[OperationRecord], plan: SweepPlan) -> _Point:
    sliced = [SlicedPhase(name, part.slices.table) for part in parts if part.slices is not None]
    rng = draws_of(f"sweep {name}", plan.seed)
    chances: Floats = spread(np.ones((len(sliced), 1)), sliced, rng, PhaseNoise(), REPLICATES).chances[0]
    checks = sum(part.recall_checks for part in parts)
    recall = math.fsum((part.recall or 0.0) * part.recall_checks for part in parts) / max(checks, 1)
    record = SweepPoint(
        variant=name, value=value, recall=min(recall, 1.0), recall_checks=checks, throughput=_interval(chances)
    )
    return _Point(record, chances, "")


def _interpolate(points: Sequence[_Point], plan: SweepPlan) -> Floats | None:
    """Logarithms of the throughput at the recall; None where the points do not enclose it."""
    if not plan.at_recall or _explain(points, plan):
        return None
    recalls = np.array([point.record.recall or 0.0 for point in points])
    checks = np.array([max(point.record.recall_checks, 1) for point in points])
    rng = draws_of(f"recall {points[0].record.variant}", plan.seed)
    drawn = np.clip(rng.normal(recalls, np.sqrt(recalls * (1 - recalls) / checks), (REPLICATES, len(points))), 0, 1)
    every = np.vstack([recalls, drawn])
    rates = np.array([point.chances for point in points])
    order = np.argsort(every, axis=1, kind="stable")
    recalls, rates = np.take_along_axis(every, order, 1), np.take_along_axis(rates.T, order, 1)
    rows, right = np.arange(len(every)), np.clip((recalls < plan.at_recall).sum(axis=1), 1, len(points) - 1)
    before, after = recalls[rows, right - 1], recalls[rows, right]
    share = np.clip((plan.at_recall - before) / np.maximum(after - before, TINY), 0.0, 1.0)
    floats: Floats = (1 - share) * rates[rows, right - 1] + share * rates[rows, right]
    return floats


def _explain(points: Sequence[_Point], plan: SweepPlan) -> str:
    """Why there is no throughput at the recall; empty if there is one."""
    recalls = [point.record.recall or 0.0 for point in points]
    for point in points:
        if point.doubt:
            return point.doubt
    if len(points) < POINTS_AT_LEAST:
        return f"only {count_of(len(points), 'value')} of {plan.parameter} could be measured"
    if plan.at_recall > recalls[-1]:
        return f"no value of {plan.parameter} reaches it, {recalls[-1]:.3g} is the highest recall: add higher values"
    if plan.at_recall < recalls[0]:
        return f"every value of {plan.parameter} exceeds it, {recalls[0]:.3g} is the lowest recall: add lower values"
    return ""


def _tell(
    family: str, points: Sequence[_Point], chances: Floats | None, base: Floats | None, plan: SweepPlan
) -> AtRecall:
    ratio = None if chances is None or base is None or family == plan.baseline else _interval(chances - base)
    return AtRecall(
        recall=plan.at_recall,
        throughput=None if chances is None else _interval(chances),
        baseline="" if family == plan.baseline else plan.baseline,
        ratio=ratio,
        reason=_explain(points, plan),
    )


def _interval(chances: Floats) -> Estimate:
    """The value as it was measured with the 95 % interval of the replicates, out of logarithms."""
    estimate = float(chances[0])
    low, high = np.quantile(chances[1:], (0.025, 0.975))
    return Estimate(estimate=math.exp(estimate), low=math.exp(min(low, estimate)), high=math.exp(max(high, estimate)))


def say_sweep(one: SweepRecord) -> str:
    """The throughput of one family at the recall, and its ratio to that of the baseline, in one sentence.

    Empty if no recall was asked for.
    """
    at = one.at_recall
    if at is None:
        return ""
    where = f"{one.operation} at {count_of(one.concurrency, 'user')} and a recall of {at.recall:g}"
    if at.throughput is None:
        return f"{where}: none for {one.family}, since {at.reason}."
    rate = f"{at.throughput.estimate:,.4g}/s ({at.throughput.low:,.4g} to {at.throughput.high:,.4g})"
    if at.ratio is None:
        return f"{where}: {one.family} answers {rate}."
    return (
        f"{where}: {one.family} answers {rate}, {at.ratio.estimate:.2f} times as many as {at.baseline} "
        f"(95 % interval {at.ratio.low:.2f} to {at.ratio.high:.2f}{_judge(at.ratio)})."
    )


def _judge(ratio: Estimate) -> str:
    return ": no difference shown" if ratio.low <= 1 <= ratio.high else ""
