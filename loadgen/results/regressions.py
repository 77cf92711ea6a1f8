"""Verdicts on whether the new run is worse than the old one, beyond a tolerance and beyond chance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from loadgen.measure.sample import share_empty
from loadgen.results.comparison import PHASES_AT_LEAST
from loadgen.results.estimates import CERTAINTY, Interval, compare_series
from loadgen.results.record import PhaseRecord, RunRecord
from loadgen.results.requirements import CHECKED
from loadgen.results.series import Series, find_series, most_empty

REPLICATES, REPLICATES_AT_LEAST = 10_000, 2_000
"""More than for one interval: simultaneous intervals depend on thin tails."""
PAIRS_IN_FULL = 100
"""Up to this number of series, each has all replicates."""
CERTAIN_FAILURES = 2.58
"""Standard errors by which the share of failures must grow: 99 %."""
RECALL_CERTAINTY = 0.99
DEGREES_AT_MOST = 1_000
THROUGHPUT, GOODPUT = "throughput", "goodput"
SILENT = ("a phase answered nothing", "a phase has no good operation")
SHARE = 0.01
"""Change in the share of failures, or in recall, that is a regression regardless of the tolerance for speed."""


class RegressionVerdict(StrEnum):
    """Verdict on one figure."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    WITHIN = "within tolerance"
    """A certain change, smaller than the tolerance."""
    NONE = "no change shown"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class RegressionFinding:
    """One figure of one series, new to old."""

    series: Series
    """The new one."""
    figure: str
    old: float | None
    """With a ratio, the figure that it divides, as in `new`; else that of all phases together."""
    new: float | None
    ratio: Interval | None
    verdict: RegressionVerdict
    reason: str = ""
    """Why it is invalid."""


def find_regressions(old: RunRecord, new: RunRecord, tolerance: float) -> list[RegressionFinding]:
    """Every figure of every series that both have; `tolerance` is a share, such as 0.05.

    The intervals are *simultaneous* 95 % intervals (Bonferroni: Dunn 1961); otherwise one of twenty figures would be a
    false alarm. A regression is a change for the worse whose interval excludes 1 and whose estimate is beyond the
    tolerance. The two runs were not interleaved: no interval covers what else changed between them.
    """
    before = {_key(series): series for series in find_series(old)}
    pairs = [(before[_key(series)], series) for series in find_series(new) if _key(series) in before]
    same = old.manifest.settings.get("objective") == new.manifest.settings.get("objective")
    figures = [_figures(*pair, is_judged=same) for pair in pairs]
    rng = np.random.default_rng(new.manifest.seed)
    certainty = 1 - (1 - CERTAINTY) / max(sum(map(len, figures)), 1)
    replicates = max(REPLICATES_AT_LEAST, REPLICATES * PAIRS_IN_FULL // max(len(pairs), PAIRS_IN_FULL))
    findings: list[RegressionFinding] = []
    for (first, second), names in zip(pairs, figures, strict=True):
        reasons = [*_unsound("OLD", first, old), *_unsound("NEW", second, new)]
        old_phases, new_phases = first.sliced(), second.sliced()
        ratios = compare_series(old_phases, new_phases, rng, certainty, replicates)
        every = {name: getattr(ratios, name, None) for name in names}
        if GOODPUT in every:
            only = [[phase.only_good() for phase in phases] for phases in (old_phases, new_phases)]
            good = compare_series(only[0], only[1], rng, certainty, replicates)
            every[GOODPUT] = good.throughput if good else None
        findings += _speeds(first, second, every, reasons, tolerance)
        findings += _answers(first, second, min(tolerance, SHARE))
    return findings


def _key(series: Series) -> tuple[object, ...]:
    return series.operation, series.level, series.variant


def _figures(old: Series, new: Series, *, is_judged: bool) -> tuple[str, ...]:
    """At a rate of arrivals, throughput is the requested rate and carries no information.

    Goodput needs the same objective in both.
    """
    good = (GOODPUT,) if is_judged and old.good is not None and new.good is not None else ()
    return (*(() if new.level.is_open else (THROUGHPUT,)), *good, "p50", "p99")


def _speeds(
    old: Series, new: Series, ratios: Mapping[str, Interval | None], reasons: Sequence[str], tolerance: float
) -> list[RegressionFinding]:
    result = []
    for figure, ratio in ratios.items():
        before, after = (ratio.old, ratio.new) if ratio else (_value(old, figure), _value(new, figure))
        reason = "; ".join(reasons) or ("" if ratio else SILENT[figure == GOODPUT])
        upwards = figure in (THROUGHPUT, GOODPUT)
        verdict = judge_ratio(ratio, tolerance, upwards=upwards) if ratio and not reason else RegressionVerdict.INVALID
        result.append(RegressionFinding(new, figure, before, after, ratio, verdict, reason))
    return result


def _value(series: Series, figure: str) -> float | None:
    if figure in (THROUGHPUT, GOODPUT):
        return series.throughput if figure == THROUGHPUT else series.goodput
    times = [getattr(part.response_seconds, figure) for part in series.parts]
    known = [seconds for seconds in times if seconds]
    return math.exp(math.fsum(map(math.log, known)) / len(known)) if known else None


def judge_ratio(ratio: Interval, tolerance: float, *, upwards: bool) -> RegressionVerdict:
    """The verdict on a ratio of new to old; `upwards`: more is better."""
    if not ratio.excludes_one:
        return RegressionVerdict.NONE
    if 1 - tolerance <= ratio.estimate <= 1 + tolerance:
        return RegressionVerdict.WITHIN
    return RegressionVerdict.IMPROVEMENT if (ratio.estimate > 1) is upwards else RegressionVerdict.REGRESSION


def _unsound(name: str, series: Series, record: RunRecord) -> list[str]:
    phases = series.phases
    # What is left of an aborted phase looks whole by itself; but steps of a search differ in length.
    whole = 0.0 if record.rate_search else max(phase.seconds for phase in phases)
    result = []
    if len(phases) < PHASES_AT_LEAST:
        result.append(f"{name} has {len(phases)} of {PHASES_AT_LEAST} phases")
    if (share := share_empty(series.outcomes)) > most_empty(record):
        result.append(f"{100 * share:.3g} % of the answers of {name} were empty")
    if any(phase.generator.saturated for phase in phases):
        result.append(f"in {name} the load generator was the limit")
    if any(phase.generator.is_unwatched for phase in phases):
        result.append(f"in {name} the load generator was not monitored")
    if any(phase.workers_lost for phase in phases):
        result.append(f"{name} lost workers")
    if any(phase.seconds < 0.99 * max(whole, _sliced_seconds(phase)) for phase in phases):
        result.append(f"a phase of {name} was aborted")
    return result


def _sliced_seconds(phase: PhaseRecord) -> float:
    """Seconds that its slices cover, in records of earlier versions the planned ones; 0 where it has none."""
    return max((math.fsum(part.slices.lengths) for part in phase.operations if part.slices is not None), default=0.0)


def _answers(old: Series, new: Series, tolerance: float) -> list[RegressionFinding]:
    """Failures, dropped arrivals among them, where there are any, and recall and MRR where both have them."""
    result = []
    asked = [series.count + series.dropped for series in (old, new)]
    failed = [series.failures + series.dropped for series in (old, new)]
    if any(failed) and all(asked):
        before, after = failed[0] / asked[0], failed[1] / asked[1]
        pooled = sum(failed) / sum(asked)
        chance = CERTAIN_FAILURES * math.sqrt(pooled * (1 - pooled) * (1 / asked[0] + 1 / asked[1]))
        result.append(
            RegressionFinding(new, "failures", before, after, None, _judge_change(after - before, tolerance, chance))
        )
    for name in CHECKED:
        one, other = getattr(old, name), getattr(new, name)
        if one is not None and other is not None:
            verdict = _judge_change(one - other, SHARE, _chance_of_checked(name, old, new))
            result.append(RegressionFinding(new, name, one, other, None, verdict))
    return result


def _chance_of_checked(name: str, old: Series, new: Series) -> float:
    """How far two recalls or MRRs may differ by chance alone (99 %): each round checks different queries.

    Student's t on the scatter of the rounds about the mean of their own run.
    """
    sides = [[value for part in side.parts if (value := getattr(part, name)) is not None] for side in (old, new)]
    degrees = sum(map(len, sides)) - len(sides)
    if degrees < 1:
        return math.inf
    scatter = sum(float(np.var(side)) * len(side) for side in sides) / degrees
    return t_quantile(RECALL_CERTAINTY, degrees) * math.sqrt(scatter * sum(1 / len(side) for side in sides))


def t_quantile(certainty: float, degrees: int) -> float:
    """The two-sided critical value of Student's t with `degrees` (at least 1) at confidence `certainty`.

    By bisection of its exact finite series (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4). SciPy's `t.ppf` gives the
    same number, for 35 MB more to install. More than 1,000 degrees count as 1,000, which is 0.2 % off.
    """
    degrees = min(degrees, DEGREES_AT_MOST)
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_within(middle, degrees) < certainty else (low, middle)
    return math.sqrt(degrees) * math.tan(low)


def _t_within(angle: float, degrees: int) -> float:
    """Probability that |t| is below sqrt(degrees) x tan(angle)."""
    odd = degrees % 2
    term = math.cos(angle) if odd else 1.0
    series = 0.0
    for step in range(1, degrees // 2 + 1):
        series += term
        term *= math.cos(angle) ** 2 * (2 * step - 1 + odd) / (2 * step + odd)
    return (angle + math.sin(angle) * series) * 2 / math.pi if odd else math.sin(angle) * series


def _judge_change(worse_by: float, tolerance: float, chance: float) -> RegressionVerdict:
    if abs(worse_by) <= max(tolerance, chance):
        return RegressionVerdict.NONE
    return RegressionVerdict.REGRESSION if worse_by > 0 else RegressionVerdict.IMPROVEMENT
