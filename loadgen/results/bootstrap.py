"""Intervals for a figure measured over phases, or for the ratio of two: a two-level bootstrap.

All statistics are logarithms, one for each phase (throughput, p50, p99).

1. *Within a phase* slices are drawn with replacement in circular blocks of consecutive slices (Kuensch 1989, The
   jackknife and the bootstrap for general stationary observations; circular: Politis & Romano 1992), because a slow
   second is followed by a slow second. A block has n^(1/3) slices, rounded up, the growth that is best for a variance
   (Hall, Horowitz & Jing 1995): 3 of 10. Every replicate contains all phases, so pairs stay together.
2. *Between phases*: the slices of one phase share its luck (a connection, a neighbour on the machine), which no
   resampling of slices can see; alone it gives intervals far too narrow. So the phases are fitted by least squares, and
   the scatter about the fit, less what the slices explain, is the noise between phases. Few phases estimate it badly:
   it is moderated by a prior (Smyth 2004, the moderated t), and each replicate gets a normal draw on that scale.
3. *Both levels* are then divided by the root of one draw of chi-square over its degrees, so that the whole deviation is
   Student's t and not the noise between phases alone. Smyth's t is one of the total residual variance. What the slices
   explain is no better known than the rest: ten slices with a correlation of 0.5 show half the variance of their mean,
   and it is the scatter, with its few degrees, that makes up for it. With a normal draw for the slices 93.5 % of the
   simulated A/A intervals of four phases a side contain 1, so 95 %.

Written by hand because `arch.bootstrap` resamples blocks of one series, without a second level or a moderated t.

Time and memory are linear in the number of phases: with many phases each has fewer replicates, and each overall
replicate picks one of them at random; adjacent slices of a long phase are merged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadgen.measure.histograms import COARSE_BITS, MICROSECONDS, bucket_widths
from loadgen.measure.slices import SLICES_AT_MOST, SliceStats

Floats = NDArray[np.float64]

QUANTILES = (0.5, 0.99)
ROUNDED = 0.5
"""Microseconds that a bucket begins below its lowest value, as times are rounded to whole ones."""
STATISTICS = 1 + len(QUANTILES)
PHASES_IN_FULL = 64
"""Up to this number of phases, each has as many replicates as the whole."""
REPLICATES_AT_LEAST = 100
"""Minimum replicates per phase: they only estimate its variance, and the sum over many phases is smooth."""


@dataclass(frozen=True, slots=True)
class SlicedPhase:
    """The slices of one phase, merged over workers, in the order of time."""

    variant: str
    slices: tuple[SliceStats, ...]

    @property
    def operations(self) -> int:
        """All answered ones."""
        return sum(piece.operations for piece in self.slices)

    def only_good(self) -> "SlicedPhase":
        """The same phase with its good operations alone, and without times."""
        return SlicedPhase(self.variant, tuple(SliceStats(piece.seconds, piece.good) for piece in self.slices))


@dataclass(frozen=True, slots=True)
class PhaseNoise:
    """The prior for the scatter between phases of the same kind."""

    relative: float = 0.05
    """Standard deviation of a phase: 5 % is what shared machines show."""
    degrees: float = 4.0
    """The prior's weight in degrees of freedom: two phases of each mode alone would leave one."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The fit of the phases; logarithms of operations per second, p50 and p99 (seconds)."""

    base: Floats
    """The first coefficient of the fit: (statistics,)."""
    chances: Floats
    """The last coefficient: (statistics, 1 + replicates), the first as it was measured."""


def resample(phase: SlicedPhase, rng: np.random.Generator, replicates: int) -> Floats:
    """Logarithms of throughput, p50 and p99 of one phase: (1 + replicates, 3), the first row as it was measured."""
    pieces = _gather(phase.slices)
    slices = len(pieces)
    length = math.ceil(round(slices ** (1 / 3), 9))
    starts = rng.integers(0, slices, (replicates, math.ceil(slices / length)))
    chosen = ((starts[:, :, None] + np.arange(length)) % slices).reshape(replicates, -1)[:, :slices]
    cells = chosen + slices * np.arange(replicates)[:, None]
    times = np.bincount(cells.ravel(), minlength=replicates * slices).reshape(replicates, slices)
    weights = np.vstack([np.ones(slices), times]).astype(np.float64)
    # Half an operation where a replicate drew only empty slices: the logarithm of 0 is undefined.
    answered = np.maximum(weights @ np.array([piece.operations for piece in pieces]), 0.5)
    rates = np.log(answered / (weights @ np.array([piece.seconds for piece in pieces])))
    drawn = np.column_stack([rates, _find_quantiles(pieces, weights)])
    # Overlapping blocks scatter about the mean of their own slices, and so show 1 - length / slices of the variance.
    drawn[1:] += (drawn[1:] - drawn[0]) * (math.sqrt(slices / max(slices - length, 1)) - 1)
    return drawn


def _find_quantiles(pieces: Sequence[SliceStats], weights: Floats) -> Floats:
    """Logarithms of p50 and p99, a row per row of `weights` (rows, slices); linear between the edges of a bucket."""
    every = [piece.times.buckets() for piece in pieces]
    used, places = np.unique(np.concatenate([lowest for lowest, _ in every]), return_inverse=True)
    if not len(used):  # counted without times
        return np.full((len(weights), len(QUANTILES)), np.nan)
    table = np.zeros((len(pieces), len(used)))
    rows = np.repeat(np.arange(len(pieces)), [len(lowest) for lowest, _ in every])
    table[rows, places] = np.concatenate([counts for _, counts in every])
    table = np.cumsum(table, axis=1)
    totals = weights @ table[:, -1]
    # A replicate of empty slices has no times: it gets those of the phase.
    weights = np.where(totals[:, None] == 0, weights[0], weights)
    totals = np.where(totals == 0, totals[0], totals)
    widths = bucket_widths(used, COARSE_BITS)
    columns: list[Floats] = []
    for quantile in QUANTILES:
        rank = quantile * totals
        first, summed = _sum_about(table, weights, rank, quantile)
        rows, at = np.arange(len(summed)), np.argmax(summed >= rank[:, None], axis=1)
        before = np.where(at > 0, summed[rows, at - 1], 0.0)
        part = (rank - before) / (summed[rows, at] - before)
        at += first
        columns.append(np.log((used[at] - ROUNDED + part * widths[at]) / MICROSECONDS))
    return np.column_stack(columns)


def _sum_about(table: Floats, weights: Floats, rank: Floats, quantile: float) -> tuple[int, Floats]:
    """The first bucket that a row can have its quantile in, less one, and cumulated counts of the rows from it on.

    The quantile of a mixture lies between those of its parts, so most buckets need no sum.
    """
    filled = table[table[:, -1] > 0]
    own = np.argmax(filled >= quantile * filled[:, -1:], axis=1)
    first = max(int(own.min()) - 1, 0)
    summed = weights @ table[:, first : int(own.max()) + 1]
    # Ranks are rounded: one that is exactly the count of a bucket may be in the next one.
    if (first and np.any(summed[:, 0] >= rank)) or np.any(summed[:, -1] < rank):
        return 0, weights @ table
    return first, summed


def _gather(slices: Sequence[SliceStats]) -> Sequence[SliceStats]:
    """The slices, with adjacent ones merged until there are at most `SLICES_AT_MOST`."""
    if len(slices) <= SLICES_AT_MOST:
        return slices
    result = []
    size = math.ceil(len(slices) / SLICES_AT_MOST)
    for together in (slices[at : at + size] for at in range(0, len(slices), size)):
        total = SliceStats(math.fsum(piece.seconds for piece in together))
        for piece in together:
            total.merge(SliceStats(0.0, piece.operations, piece.times))
        result.append(total)
    return result


def spread(
    line: Floats, phases: Sequence[SlicedPhase], rng: np.random.Generator, prior: PhaseNoise, replicates: int
) -> Spread:
    """The least-squares fit of the statistics of the phases by the `line` (phases, terms)."""
    solution = np.linalg.pinv(line)
    wanted = solution[-1]
    degrees = len(line) - line.shape[1]
    own = min(replicates, max(REPLICATES_AT_LEAST, PHASES_IN_FULL * replicates // len(phases)))
    measured = np.empty((len(phases), STATISTICS))
    explained = np.zeros(STATISTICS)
    chances = np.zeros((1 + replicates, STATISTICS))
    for number, phase in enumerate(phases):
        drawn = resample(phase, rng, own)
        measured[number] = drawn[0]
        explained += np.var(drawn[1:], axis=0)
        chosen = slice(1, None) if own == replicates else 1 + rng.integers(0, own, replicates)
        chances[0] += wanted[number] * drawn[0]
        chances[1:] += wanted[number] * drawn[chosen]
    scatter = np.sum((measured - line @ (solution @ measured)) ** 2, axis=0)
    believed = prior.degrees * prior.relative**2
    unexplained = np.maximum(scatter - degrees * explained / len(phases), 0.0)
    noise = (unexplained + believed) / (degrees + prior.degrees)
    chances[1:] += rng.standard_normal((replicates, STATISTICS)) * np.sqrt(noise * (wanted @ wanted))
    freedom = degrees + prior.degrees
    chances[1:] -= chances[0]
    chances[1:] /= np.sqrt(rng.chisquare(freedom, (replicates, STATISTICS)) / freedom)
    chances[1:] += chances[0]
    return Spread(solution[0] @ measured, chances.T)
