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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadgen.measure.slice_table import SliceTable
from loadgen.results.resampling import STATISTICS, Floats, Places, batches, draw_blocks, resample_together

PHASES_IN_FULL = 64
"""Up to this number of phases, each has as many replicates as the whole."""
REPLICATES_AT_LEAST = 100
"""Minimum replicates per phase: they only estimate its variance, and the sum over many phases is smooth."""


@dataclass(frozen=True, slots=True)
class SlicedPhase:
    """The slices of one phase, merged over workers."""

    variant: str
    slices: SliceTable

    @property
    def operations(self) -> int:
        """All answered ones."""
        return int(self.slices.operations.sum())

    def only_good(self) -> "SlicedPhase":
        """The same phase with its good operations alone, and without times."""
        return SlicedPhase(self.variant, self.slices.only_good())


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
    done = 0
    for batch in batches((phase.slices for phase in phases), own):
        rows = slice(done, done + len(batch))
        blocks, chosen = _draw(batch, rng, own, replicates)
        drawn = resample_together(batch, blocks)
        measured[rows] = drawn[:, 0]
        explained += np.var(drawn[:, 1:], axis=1).sum(axis=0)
        chances += np.tensordot(wanted[rows], np.take_along_axis(drawn, chosen[:, :, None], axis=1), 1)
        done = rows.stop
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


def _draw(batch: Sequence[SliceTable], rng: np.random.Generator, own: int, replicates: int) -> tuple[Places, Places]:
    """Blocks of slices for the `own` replicates of each phase, and the row of each that an overall replicate takes.

    Of either a row per phase: (phases, own, blocks) and (phases, 1 + replicates). The first overall one is as measured.
    """
    blocks, chosen = [], np.zeros((len(batch), 1 + replicates), dtype=np.int64)
    for rows, table in zip(chosen, batch, strict=True):
        blocks.append(draw_blocks(len(table), rng, own))
        rows[1:] = np.arange(replicates) if own == replicates else rng.integers(0, own, replicates)
        rows[1:] += 1
    return np.array(blocks), chosen
