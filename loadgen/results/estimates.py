"""Intervals of the figures of one series, and of the ratio of two, by the bootstrap that compares modes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadgen.results.bootstrap import PhaseNoise, SlicedPhase, spread
from loadgen.results.resampling import Floats

REPLICATES = 2_000
CERTAINTY = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure or a ratio, with its interval at the requested confidence."""

    estimate: float
    low: float
    high: float
    old: float | None = None
    """Denominator of a ratio, in operations per second or seconds; `new` is the numerator. None for a figure."""
    new: float | None = None

    @property
    def excludes_one(self) -> bool:
        """True if the interval of the ratio excludes 1."""
        return self.low > 1 or self.high < 1


@dataclass(frozen=True, slots=True)
class Estimates:
    """Operations per second and seconds, or ratios of them."""

    throughput: Interval
    p50: Interval
    p99: Interval


def estimate(phases: Sequence[SlicedPhase], rng: np.random.Generator, replicates: int = REPLICATES) -> Estimates | None:
    """The figures of phases of one kind, with 95 % intervals; None without phases, or if one answered nothing."""
    if not phases or not all(phase.operations for phase in phases):
        return None
    return _fit(phases, np.ones((len(phases), 1)), rng, CERTAINTY, replicates)


def estimate_good(
    phases: Sequence[SlicedPhase], rng: np.random.Generator, replicates: int = REPLICATES
) -> Interval | None:
    """Good operations per second, as `estimate` has them for all; None without phases, or if one has none."""
    result = estimate([phase.only_good() for phase in phases], rng, replicates)
    return result.throughput if result else None


def compare_series(
    old: Sequence[SlicedPhase],
    new: Sequence[SlicedPhase],
    rng: np.random.Generator,
    certainty: float = CERTAINTY,
    replicates: int = REPLICATES,
) -> Estimates | None:
    """Ratios of new to old, measured in two runs; None if either has no phase, or one that answered nothing.

    The intervals omit what varies between runs but not within one, such as time of day or other load on the machine.
    """
    phases = [*old, *new]
    if not old or not new or not all(phase.operations for phase in phases):
        return None
    line = np.column_stack([np.ones(len(phases)), [0.0] * len(old) + [1.0] * len(new)])
    return _fit(phases, line, rng, certainty, replicates)


def _fit(
    phases: Sequence[SlicedPhase],
    line: Floats,
    rng: np.random.Generator,
    certainty: float,
    replicates: int = REPLICATES,
) -> Estimates:
    fit = spread(line, phases, rng, PhaseNoise(), replicates)
    ends = ((1 - certainty) / 2, (1 + certainty) / 2)
    intervals = []
    for chances, base in zip(fit.chances, fit.base, strict=True):
        low, high = np.quantile(chances[1:], ends)
        middle = float(chances[0])
        sides = (math.exp(base), math.exp(base + middle)) if line.shape[1] > 1 else (None, None)
        intervals.append(Interval(math.exp(middle), math.exp(min(low, middle)), math.exp(max(high, middle)), *sides))
    return Estimates(*intervals)
