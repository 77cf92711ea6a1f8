"""Is async faster? Ratios of the paired phases of one level and one operation, their certainty, and the crossover.

The certainty is that of `bootstrap.py`; the line through the phases is `level + mode + drift x time`, and the ratio is
the coefficient of the mode. In the order sync, async, async, sync linear drift cancels. The ratio is thus of two
figures of the line: that of sync and that of async in the middle of the level's time. With full rounds they are the
geometric means of each mode's phases, and they stand beside the ratio wherever it is shown: all operations by all
seconds are another figure where the phases differ, and their quotient is another ratio.

Two phases of each mode leave one degree of freedom to the scatter: the interval then rests mostly on the prior. Four
of each leave five. In simulation (phases of ten slices that differ by 5 %, slices by 10 %, correlated by 0.5) a ratio
of 1.2 is found in about 70 % of runs with two phases of each mode, 85 % with three, 90 % and more with four. Drift that
swings in step with the modes cannot be told from an effect by any scheme.

In the open model both modes are offered the same rate, so their throughput is the same as long as they keep up and
says little. There the p99 of response times (from when an operation was due) decides: one figure, chosen beforehand, so
that the interval keeps its 95 %. It has no meaning where arrivals were dropped, since those that waited longest are
missing from it: a mode that dropped more than 1 % of its arrivals has no p99 at all and loses to one that dropped none;
with fewer dropped, or with both dropping, nothing is decided.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import takewhile

import numpy as np

from loadgen.measure.sample import Mode
from loadgen.measure.slices import SLICES_AT_LEAST
from loadgen.results.bootstrap import Floats, PhaseNoise, SlicedPhase, spread

DROPPED_AT_MOST = 0.01
"""Share of dropped arrivals above which the p99 of all arrivals does not exist."""
PHASES_AT_LEAST = 2
"""Of each mode: one alone cannot tell an effect from drift."""
REPLICATES = 2_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """Async to sync, with a 95 % interval."""

    estimate: float
    low: float
    high: float
    sync_value: float = math.nan
    """What it is the ratio of, here and in `async_value`: operations per second, or seconds."""
    async_value: float = math.nan

    def value(self, mode: Mode) -> float:
        """One of the two."""
        return self.sync_value if mode is Mode.SYNC else self.async_value


class Verdict(StrEnum):
    """Who has the higher throughput, or in the open model the lower p99, in the words of the run record."""

    ASYNC = "async"
    SYNC = "sync"
    NO_DIFFERENCE = "no difference"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One operation at one level. Ratios are None where a phase answered nothing or a mode is missing."""

    throughput: Ratio | None
    p50: Ratio | None
    p99: Ratio | None
    async_share: float
    """Share of the replicates in which async is ahead in what decides; nan without a ratio."""
    verdict: Verdict
    reasons: tuple[str, ...]
    """Why it is invalid, or what decided it beside the figures."""
    p99_share: float = math.nan
    """Share of the replicates in which async has the lower p99; nan without a ratio."""


@dataclass(frozen=True, slots=True)
class Crossover:
    """The level from which async wins, there and at every higher one that was measured."""

    level: float
    certainty: float
    """Probability that async is ahead at all of these levels: the product of their bootstrap shares."""
    below: Verdict | None
    """The verdict at the next lower level; None where `level` is the lowest that was measured."""


def compare_phases(
    phases: Sequence[SlicedPhase],
    rng: np.random.Generator,
    reasons: Sequence[str] = (),
    prior: PhaseNoise | None = None,
    replicates: int = REPLICATES,
) -> Comparison:
    """Compare the phases of one level and one operation, given in the order in which they ran.

    `reasons` are what the caller knows against the comparison (saturated, other recall, data or connections); with any
    of them the ratios are told and the verdict is invalid. Raises ValueError for a slice that has no length.
    """
    if any(piece.seconds <= 0 for phase in phases for piece in phase.slices):
        raise ValueError("a slice must have more than 0 seconds")
    found = [*reasons, *_find_reasons(phases)]
    if {phase.mode for phase in phases if phase.slices} != set(Mode) or not all(phase.operations for phase in phases):
        return Comparison(None, None, None, math.nan, Verdict.INVALID, tuple(found))
    fit = spread(_line(phases), phases, rng, prior or PhaseNoise(), replicates)
    chances = fit.chances
    throughput, p50, p99 = (_interval(*each) for each in zip(chances, fit.base, strict=True))
    share = float(np.mean(chances[0, 1:] > 0))
    sooner = float(np.mean(chances[2, 1:] < 0))
    return Comparison(throughput, p50, p99, share, judge(throughput, found), tuple(found), sooner)


def judge(throughput: Ratio | None, reasons: Sequence[str] = ()) -> Verdict:
    """Name the winner; the words follow the interval."""
    if throughput is None or reasons:
        return Verdict.INVALID
    if throughput.low > 1:
        return Verdict.ASYNC
    return Verdict.SYNC if throughput.high < 1 else Verdict.NO_DIFFERENCE


def judge_arrivals(found: Comparison, dropped: Mapping[Mode, float], doubts: Sequence[str]) -> Comparison:
    """The same comparison, judged as one of arrivals: by p99, unless arrivals were dropped.

    `dropped` is the share of its arrivals that each mode dropped, 0 to 1. `doubts` tell why a p99 is too low; they do
    not save a mode that loses by what it dropped.
    """
    if found.p99 is None or found.reasons:
        return found
    told = [f"{mode} dropped {share:.2%} of its arrivals" for mode, share in dropped.items() if share > 0]
    if len(told) == 1:
        loser = next(mode for mode, share in dropped.items() if share > 0)
        if dropped[loser] > DROPPED_AT_MOST:
            winner = Verdict.SYNC if loser is Mode.ASYNC else Verdict.ASYNC
            return replace(found, verdict=winner, async_share=float(winner is Verdict.ASYNC), reasons=tuple(told))
    if reasons := (*told, *doubts):
        return replace(found, verdict=Verdict.INVALID, async_share=found.p99_share, reasons=reasons)
    verdict = Verdict.ASYNC if found.p99.high < 1 else Verdict.SYNC if found.p99.low > 1 else Verdict.NO_DIFFERENCE
    return replace(found, verdict=verdict, async_share=found.p99_share)


def find_crossover(levels: Mapping[float, Comparison]) -> Crossover | None:
    """The first concurrency (the key) from which async wins and goes on winning; None where it loses the highest."""
    downwards = sorted(levels, reverse=True)
    won = list(takewhile(lambda level: levels[level].verdict is Verdict.ASYNC, downwards))
    if not won:
        return None
    below = levels[downwards[len(won)]].verdict if len(won) < len(downwards) else None
    return Crossover(won[-1], math.prod(levels[level].async_share for level in won), below)


def _find_reasons(phases: Sequence[SlicedPhase]) -> list[str]:
    found: list[str] = []
    for mode in Mode:
        own = [phase for phase in phases if phase.mode is mode]
        fewest = min((len(phase.slices) for phase in own), default=0)
        if not any(phase.operations for phase in own):
            found.append(f"{mode} answered no operation")
        elif not all(phase.operations for phase in own):
            found.append(f"the throughput of {mode} was zero in a phase")
        if len(own) < PHASES_AT_LEAST:
            found.append(f"too few phases: {mode} has {len(own)} of {PHASES_AT_LEAST}")
        elif fewest < SLICES_AT_LEAST:
            found.append(f"too few slices: a phase of {mode} has {fewest} of {SLICES_AT_LEAST}")
    return found


def _line(phases: Sequence[SlicedPhase]) -> Floats:
    """The terms of the line through the phases, the mode last: (phases, terms)."""
    count = len(phases)
    time = np.arange(count) - (count - 1) / 2
    line = np.column_stack([np.ones(count), time, [phase.mode is Mode.ASYNC for phase in phases]])
    # Three phases or fewer leave nothing to measure the drift by.
    return line if count > line.shape[1] else line[:, [0, 2]]


def _interval(chances: Floats, base: float) -> Ratio:
    """The ratio of logarithms whose first is the measured one and whose others are replicates; `base` is of sync."""
    low, high = np.quantile(chances[1:], (0.025, 0.975))
    estimate = float(chances[0])
    values = (math.exp(base), math.exp(base + estimate))
    return Ratio(math.exp(estimate), math.exp(min(low, estimate)), math.exp(max(high, estimate)), *values)
