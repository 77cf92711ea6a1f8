"""Did the last phase of a variant differ from its first? Drift would mean that the server was not yet at rest.

For each operation of each variant at each level, the statistic is the logarithm of last to first: of the throughput in
the closed model, of p50 (response times) in the open one, whose throughput is given. Its error has two parts, as in
`bootstrap.py`: within a phase the bootstrap of its slices; between phases the scatter of the phases in between, less
what the slices explain, moderated by a prior (Smyth 2004, the moderated t). That scatter is the mean square successive
difference, which slow drift does not inflate (von Neumann, Kent, Bellinson & Hart 1941): of m phases it is worth
2 (m - 1)^2 / (3 m - 4) degrees of freedom. The statistic by its standard error is compared with Student's t of the
degrees of scatter and prior.

The threshold applies to all series of a run together at 99 % (Bonferroni: Dunn 1961), and a change below 10 % is no
warning however certain it is. So one run in a hundred without drift warns of it. The price is power. For one of
six series, with linear drift in 50 simulated runs each (`tests/unit/simulated_phases.py`, 10 slices a phase): where
phases scatter by 5 % and slices by 10 %, a factor of 2.0 is reported in 48 runs with ten phases, 1.6 in 42 with twenty;
where they scatter by 2 % and 5 %, 1.5 in 50 with ten, 1.3 in 43 with twenty. With four phases there is hardly any
power: a factor of 2 is reported in 5 runs. It is a check of long runs.

A series of one phase, as of a run of one mode, is cut into ten parts that count as phases, if it takes two minutes at
least. In simulated runs of five minutes whose seconds scatter by 10 % and have a correlation of 0.5 (0.9), none (one)
of 150 without drift is reported, and with linear drift by a factor of 1.5 all of 50, of 1.3 29 of 50.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from loadgen.measure.slice_table import SliceTable
from loadgen.results.bootstrap import PhaseNoise, SlicedPhase
from loadgen.results.drift_causes import find_causes
from loadgen.results.record import RunRecord
from loadgen.results.regressions import t_quantile
from loadgen.results.resampling import resample
from loadgen.results.series import Series

CERTAINTY = 0.99
"""With which no series of a run without drift is reported."""
LEAST = 0.10
"""Relative change below which drift is not worth a warning."""
BETWEEN_AT_MOST = 30
"""Phases between first and last that are looked at."""
PARTS = 10
"""Of the only phase of a series."""
LAST_AND_FIRST = ("the last tenth of its phase", "the first")
SLICES_IN_PART = 12
"""At least. Seconds that follow each other are alike: with shorter parts, noise would look like drift."""
REPLICATES = 300
"""For one standard error."""
THROUGHPUT, P50 = 0, 1
"""Columns of `resample`."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A change from the first phase to the last that is more than noise."""

    series: Series
    ratio: float
    """Last to first: of throughput, or of p50 in the open model."""


def find_drifts(all_series: Sequence[Series]) -> Iterator[Drift]:
    """Of all series of a run those whose last phase, or last part of its only phase, differs from the first."""
    every = [(series, _cut(series) or _thin(series).sliced()) for series in all_series]
    testable = [(series, phases) for series, phases in every if len(phases) > 1 and series.parts]
    for series, phases in testable:
        column = P50 if series.level.is_open else THROUGHPUT
        ratio = find_drift(phases, column, 1 - (1 - CERTAINTY) / len(testable))
        if ratio is not None:
            yield Drift(series, ratio)


def _cut(series: Series) -> list[SlicedPhase]:
    """The parts of the only phase; none if there are several phases, or if it is too short for parts."""
    if len(series.phases) > 1:
        return []
    phases = series.sliced()
    slices = phases[0].slices if phases else SliceTable.of(series.pieces())
    if len(slices) < PARTS * SLICES_IN_PART:
        return []
    limits = [place * len(slices) // PARTS for place in range(PARTS + 1)]
    return [SlicedPhase(series.variant, slices.part(low, high)) for low, high in pairwise(limits)]


def _thin(series: Series) -> Series:
    """Without the phases of a very long run that would hardly add to what is known of the noise."""
    last = len(series.phases) - 1
    if last <= BETWEEN_AT_MOST:
        return series
    chosen = [*range(1 + BETWEEN_AT_MOST), last]
    phases, parts = (tuple(every[at] for at in chosen) for every in (series.phases, series.by_phase))
    return Series(series.operation, series.level, series.variant, phases, parts)


def find_drift(
    phases: Sequence[SlicedPhase], column: int, certainty: float, prior: PhaseNoise | None = None
) -> float | None:
    """Last to first of one statistic, if it is different with this certainty; None if not, or if one is empty."""
    first, *between, last = phases
    if not (first.operations and last.operations):
        return None
    prior = prior or PhaseNoise()
    rng = np.random.default_rng([len(phases), first.operations, last.operations])
    ends = [resample(phase.slices, rng, REPLICATES)[:, column] for phase in (first, last)]
    change = float(ends[1][0] - ends[0][0])
    explained = float(np.mean([np.var(drawn[1:]) for drawn in ends]))
    inner = [float(resample(phase.slices, rng, 1)[0, column]) for phase in between if phase.operations]
    number = len(inner)
    degrees = 2 * (number - 1) ** 2 // (3 * number - 4) if number > 1 else 0
    scatter = float(np.mean(np.square(np.diff(inner)))) / 2 if number > 1 else 0.0
    noise = (degrees * max(scatter - explained, 0.0) + prior.degrees * prior.relative**2) / (degrees + prior.degrees)
    error = math.sqrt(2 * (noise + explained))
    limit = max(t_quantile(certainty, int(degrees + prior.degrees)) * error, math.log1p(LEAST))
    return math.exp(change) if abs(change) > limit else None


def say_drifts(record: RunRecord, all_series: Sequence[Series]) -> Iterator[str]:
    """One sentence for each drift of the series of a run, and what can be the cause in it."""
    causes = " ".join(find_causes(record))
    for one in find_drifts(all_series):
        figure = "p50" if one.series.level.is_open else "operations/s"
        parts = ("its last phase", "its first") if len(one.series.phases) > 1 else LAST_AND_FIRST
        yield (
            f"{one.series.operation} of {one.series.variant} at {one.series.level} drifted: {parts[0]} had "
            f"{one.ratio:.2f} times the {figure} of {parts[1]}, which is more than noise. {causes}"
        )
