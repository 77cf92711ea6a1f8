"""Is a variant faster than the baseline? Ratios of their phases at one level, their certainty, and the crossover.

Each variant is compared with the baseline using only the phases of these two, so a fault in a third affects no other
comparison. The intervals are those of `bootstrap.py`; the line through the phases is `level + variant +
drift x time`, and the ratio is the coefficient of the variant. In a round (A B C C B A) linear drift cancels for every
pair. The ratio divides two points of the fitted line: those of both sides at the middle of the level's time. With full
rounds they are the geometric means of each side's phases, shown with the ratio. Total operations over total seconds
is a different figure if phases differ, and so is the quotient of two of them. Every interval is a 95 % interval by
itself: of twenty comparisons without a difference, one is expected to show one.

Two phases of each side leave one degree of freedom to the scatter: the interval then rests mostly on the prior. Four
of each leave five. In simulation (phases of ten slices that differ by 5 %, slices by 10 %, correlated by 0.5) a ratio
of 1.2 is detected in about 60 % of runs with two phases of each side, 80 % with three, 90 % and more with four. Drift
that swings in step with the variants cannot be separated from an effect by any scheme.

In the open model both sides are offered the same rate, so their throughput is the same as long as they keep up and
says little. There the p99 of response times (from when an operation was due) decides: one figure, chosen beforehand, so
that the interval keeps its 95 %. It has no meaning where arrivals were dropped, since those that waited longest are
missing from it: a side that dropped more than 1 % of its arrivals has no p99 at all and loses to one that dropped none;
with fewer dropped, or with both dropping, nothing is decided.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import takewhile

import numpy as np

from loadgen.measure.sample import Mode
from loadgen.measure.slices import SLICES_AT_LEAST
from loadgen.results.bootstrap import PhaseNoise, SlicedPhase, spread
from loadgen.results.resampling import Floats

DROPPED_AT_MOST = 0.01
"""Share of dropped arrivals above which the p99 of all arrivals is undefined."""
PHASES_AT_LEAST = 2
"""Per side: with one phase, an effect cannot be separated from drift."""
REPLICATES = 2_000


@dataclass(frozen=True, slots=True)
class Pair:
    """What is compared, by the names of two variants; ratios are of the second to the first."""

    baseline: str
    variant: str

    def __iter__(self) -> Iterator[str]:
        """The baseline, then the variant."""
        return iter((self.baseline, self.variant))


MODES = Pair(Mode.SYNC.value, Mode.ASYNC.value)
"""What `--mode compare` compares."""


@dataclass(frozen=True, slots=True)
class RatioEstimate:
    """Variant to baseline, with a 95 % interval."""

    estimate: float
    low: float
    high: float
    baseline_value: float = math.nan
    """Denominator of the ratio, in operations per second or seconds; `variant_value` is the numerator."""
    variant_value: float = math.nan


class Verdict(StrEnum):
    """Who has the higher throughput, or in the open model the lower p99, in the words of the run record."""

    VARIANT = "variant"
    BASELINE = "baseline"
    NO_DIFFERENCE = "no difference"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """One operation at one level. Ratios are None where a phase answered nothing or a side is missing."""

    pair: Pair
    throughput: RatioEstimate | None
    p50: RatioEstimate | None
    p99: RatioEstimate | None
    share_ahead: float
    """Share of the replicates in which the variant is ahead in the deciding figure; nan without a ratio."""
    verdict: Verdict
    reasons: tuple[str, ...]
    """Why it is invalid, or what decided it besides the figures."""
    p99_share: float = math.nan
    """Share of the replicates in which the variant has the lower p99; nan without a ratio."""
    goodput: RatioEstimate | None = None
    """Of good operations per second; None also where they are not judged. It decides nothing."""

    @property
    def winner(self) -> str:
        """Name of the one that is ahead, or the words of a verdict without a winner."""
        return name_winner(self.verdict, self.pair)


def name_winner(verdict: str, pair: Pair) -> str:
    """Who won by a verdict: a name, `no difference` or `invalid`."""
    return {Verdict.VARIANT.value: pair.variant, Verdict.BASELINE.value: pair.baseline}.get(verdict, str(verdict))


@dataclass(frozen=True, slots=True)
class Crossover:
    """The level from which a variant wins, there and at every higher one that was measured."""

    level: float
    certainty: float
    """Probability that the variant is ahead at all of these levels: the product of their bootstrap shares."""
    below: Verdict | None
    """The verdict at the next lower level; None where `level` is the lowest that was measured."""


def compare_phases(
    phases: Sequence[SlicedPhase],
    rng: np.random.Generator,
    reasons: Sequence[str] = (),
    prior: PhaseNoise | None = None,
    *,
    pair: Pair = MODES,
) -> ComparisonResult:
    """Compare two variants by the phases of one level and one operation, given in the order in which they ran.

    Phases of other variants only mark when these two ran. `reasons` are the caller's objections to the comparison
    (saturation; different recall, data or connections); with any of them the ratios are computed, but the verdict is
    invalid. Raises ValueError for a slice without a length.
    """
    own = [(number, phase) for number, phase in enumerate(phases) if phase.variant in pair]
    compared = [phase for _, phase in own]
    if any((phase.slices.seconds <= 0).any() for phase in compared):
        raise ValueError("a slice must have more than 0 seconds")
    result = [*reasons, *_find_reasons(compared, pair)]
    sides = {phase.variant for phase in compared if len(phase.slices)}
    if sides != set(pair) or not all(phase.operations for phase in compared):
        return ComparisonResult(pair, None, None, None, math.nan, Verdict.INVALID, tuple(result))
    line = _line([number for number, _ in own], [phase.variant == pair.variant for phase in compared])
    fit = spread(line, compared, rng, prior or PhaseNoise(), REPLICATES)
    chances = fit.chances
    throughput, p50, p99 = (_interval(*each) for each in zip(chances, fit.base, strict=True))
    share = float(np.mean(chances[0, 1:] > 0))
    sooner = float(np.mean(chances[2, 1:] < 0))
    return ComparisonResult(pair, throughput, p50, p99, share, judge(throughput, result), tuple(result), sooner)


def compare_good(phases: Sequence[SlicedPhase], rng: np.random.Generator, pair: Pair) -> RatioEstimate | None:
    """The ratio of good operations per second, as that of all; None where a phase has none or a side is missing."""
    return compare_phases([phase.only_good() for phase in phases], rng, pair=pair).throughput


def judge(throughput: RatioEstimate | None, reasons: Sequence[str] = ()) -> Verdict:
    """Name the winner; the words follow the interval."""
    if throughput is None or reasons:
        return Verdict.INVALID
    if throughput.low > 1:
        return Verdict.VARIANT
    return Verdict.BASELINE if throughput.high < 1 else Verdict.NO_DIFFERENCE


def judge_arrivals(
    comparison: ComparisonResult, dropped: Mapping[str, float], caveats: Sequence[str]
) -> ComparisonResult:
    """The same comparison, judged for the open model: by p99, unless arrivals were dropped.

    `dropped` is the share of its arrivals that each side dropped, 0 to 1. `caveats` say why a p99 is too low; they do
    not save a side that loses by what it dropped.
    """
    if comparison.p99 is None or comparison.reasons:
        return comparison
    losses = [f"{name} dropped {share:.2%} of its arrivals" for name, share in dropped.items() if share > 0]
    if len(losses) == 1:
        loser = next(name for name, share in dropped.items() if share > 0)
        if dropped[loser] > DROPPED_AT_MOST:
            winner = Verdict.BASELINE if loser == comparison.pair.variant else Verdict.VARIANT
            return replace(
                comparison, verdict=winner, share_ahead=float(winner is Verdict.VARIANT), reasons=tuple(losses)
            )
    if reasons := (*losses, *caveats):
        return replace(comparison, verdict=Verdict.INVALID, share_ahead=comparison.p99_share, reasons=reasons)
    wins, loses = comparison.p99.high < 1, comparison.p99.low > 1
    verdict = Verdict.VARIANT if wins else Verdict.BASELINE if loses else Verdict.NO_DIFFERENCE
    return replace(comparison, verdict=verdict, share_ahead=comparison.p99_share)


def find_crossover(levels: Mapping[float, ComparisonResult]) -> Crossover | None:
    """The first level (the key) from which the variant wins and goes on winning; None where it loses the highest."""
    downwards = sorted(levels, reverse=True)
    won = list(takewhile(lambda level: levels[level].verdict is Verdict.VARIANT, downwards))
    if not won:
        return None
    below = levels[downwards[len(won)]].verdict if len(won) < len(downwards) else None
    return Crossover(won[-1], math.prod(levels[level].share_ahead for level in won), below)


def _find_reasons(phases: Sequence[SlicedPhase], pair: Pair) -> list[str]:
    reasons: list[str] = []
    for name in pair:
        own = [phase for phase in phases if phase.variant == name]
        fewest = min((len(phase.slices) for phase in own), default=0)
        if not any(phase.operations for phase in own):
            reasons.append(f"{name} answered no operation")
        elif not all(phase.operations for phase in own):
            reasons.append(f"the throughput of {name} was zero in a phase")
        if len(own) < PHASES_AT_LEAST:
            reasons.append(f"too few phases: {name} has {len(own)} of {PHASES_AT_LEAST}")
        elif fewest < SLICES_AT_LEAST:
            reasons.append(f"too few slices: a phase of {name} has {fewest} of {SLICES_AT_LEAST}")
    return reasons


def _line(numbers: Sequence[int], is_variant: Sequence[bool]) -> Floats:
    """Design matrix of the line through the phases with these numbers, the variant last: (phases, terms)."""
    time = np.array(numbers) - np.mean(numbers)
    line = np.column_stack([np.ones(len(time)), time, is_variant])
    # Three phases or fewer leave no degree of freedom for the drift.
    return line if len(time) > line.shape[1] else line[:, [0, 2]]


def _interval(chances: Floats, base: float) -> RatioEstimate:
    """The ratio of logarithms, the first as it was measured, the others replicates; `base` is of the baseline."""
    low, high = np.quantile(chances[1:], (0.025, 0.975))
    estimate = float(chances[0])
    values = (math.exp(base), math.exp(base + estimate))
    return RatioEstimate(math.exp(estimate), math.exp(min(low, estimate)), math.exp(max(high, estimate)), *values)
