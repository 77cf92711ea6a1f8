"""Simulated phases whose truth is known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from loadgen.measure.histograms import COARSE_BITS, SparseHistogram, find_values
from loadgen.measure.sample import Mode
from loadgen.measure.slice_table import SliceTable
from loadgen.measure.slices import PLACE_BITS, SliceStats, add_times
from loadgen.results.bootstrap import PhaseNoise, SlicedPhase
from loadgen.results.comparison import ComparisonResult, Pair, RatioEstimate, compare_phases
from loadgen.results.drift import CERTAINTY, P50, THROUGHPUT, find_drift

ROUND = (Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC)
SHORT, LONG = ROUND, ROUND * 2
"""Two phases of each mode at a level, and four."""
SLICES = 10
ALONE = 1 - (1 - CERTAINTY) / 6
"""The certainty of drift in one of six series."""


@dataclass(frozen=True, slots=True)
class Machine:
    """How the throughput of a simulated level moves; all are relative sizes."""

    order: tuple[str, ...] = LONG
    """The variant of each phase."""
    ratio: float = 1.0
    phase_noise: float = 0.05
    slice_noise: float = 0.1
    correlation: float = 0.5
    """Of neighbouring slices: AR(1)."""
    linear: float = 0.0
    """Drift from the first phase to the last."""
    swing: float = 0.0
    """Amplitude of a sine."""
    cycles: float = 1.0
    """Periods of the sine in the level."""
    rate: float = 100.0
    """Operations in a second."""


def simulate(machine: Machine, rng: np.random.Generator) -> list[SlicedPhase]:
    """The phases of one level; times have a Pareto tail without third moment and grow as the throughput falls."""
    count = len(machine.order)
    time = (np.arange(count * SLICES) + 0.5) / (count * SLICES)
    noise = rng.normal(size=count * SLICES)
    for index in range(1, len(noise)):
        noise[index] = machine.correlation * noise[index - 1] + math.sqrt(1 - machine.correlation**2) * noise[index]
    speed = machine.slice_noise * noise + machine.linear * time
    speed += machine.swing * np.sin(2 * math.pi * (machine.cycles * time + rng.random()))
    speed += np.repeat(rng.normal(scale=machine.phase_noise, size=count), SLICES)
    speed += np.repeat([math.log(machine.ratio) * (mode == Mode.ASYNC) for mode in machine.order], SLICES)
    operations = np.rint(machine.rate * np.exp(speed)).astype(np.int64)
    owner = np.repeat(np.arange(len(operations)), operations)
    seconds = 0.01 * (1 + rng.pareto(2.5, len(owner))) / np.exp(speed)[owner]
    operation_stats = stats(owner, seconds, len(operations))
    return [
        SlicedPhase(mode, SliceTable.of(operation_stats[at * SLICES : (at + 1) * SLICES]))
        for at, mode in enumerate(machine.order)
    ]


def stats(owner: NDArray[np.int64], seconds: NDArray[np.float64], count: int) -> list[SliceStats]:
    """What `add_times` counts in slices of 1 s, all at once: `owner` is the slice in which each operation ended."""
    cells, counts = np.unique((owner << PLACE_BITS) + find_values(seconds, COARSE_BITS), return_counts=True)
    table = np.array([cells & ((1 << PLACE_BITS) - 1), counts], dtype="<u4")
    bounds = np.searchsorted(cells >> PLACE_BITS, np.arange(count + 1))
    answered = np.bincount(owner, minlength=count).tolist()
    parts = [table[:, low:high].tobytes() if high > low else b"" for low, high in pairwise(bounds.tolist())]
    return [SliceStats(1.0, *one) for one in zip(answered, map(_histogram, parts), strict=True)]


def _histogram(packed: bytes) -> SparseHistogram:
    return SparseHistogram(packed=packed)


def compare_often(machine: Machine, times: int, prior: PhaseNoise | None = None) -> list[ComparisonResult]:
    rng = np.random.default_rng(20_240)
    return [compare_phases(simulate(machine, rng), rng, (), prior) for _ in range(times)]


def contain_one(ratios: Sequence[RatioEstimate | None]) -> float:
    """Share of the intervals that contain 1."""
    return float(np.mean([ratio is not None and ratio.low <= 1 <= ratio.high for ratio in ratios]))


def rounds(variants: str, number: int) -> tuple[str, ...]:
    """Phases of some rounds, forward and back."""
    return tuple(variants + variants[::-1]) * number


SHAPES = {
    "linear drift": Machine(linear=0.3),
    "sine": Machine(swing=0.15),
    "one round": Machine(order=SHORT, linear=0.3),
    "three variants": Machine(order=rounds("ABC", 2), linear=0.3),
    "four variants": Machine(order=rounds("ABCD", 2), linear=0.3),
}
"""Machines on which a variant is compared with itself."""


def compare_with_itself(machine: Machine, times: int) -> list[ComparisonResult]:
    """Each variant with the baseline in turn: every pair is fitted by its own phases, at their true positions."""
    baseline, *others = dict.fromkeys(machine.order)
    rng = np.random.default_rng(20_240)
    pairs = [Pair(baseline, others[number % len(others)]) for number in range(times)]
    return [compare_phases(simulate(machine, rng), rng, pair=pair) for pair in pairs]


def make_phases(rng: np.random.Generator, phases: int, slices: int = 10) -> list[SlicedPhase]:
    """Phases of one level without noise between them; async has 1.1 times the operations."""
    result = []
    for number in range(phases):
        pieces = []
        for _ in range(slices):
            piece = SliceStats(1.0)
            seconds = rng.exponential(0.01, rng.poisson(60 * (1.1 if ROUND[number % 4] == "async" else 1.0)))
            add_times([piece], np.zeros(len(seconds)), seconds, answered=True)
            pieces.append(piece)
        result.append(SlicedPhase(ROUND[number % 4], SliceTable.of(pieces)))
    return result


def drifts(machine: Machine, times: int) -> dict[int, list[float]]:
    """The drift ratios detected in the first variant of the simulated levels, by statistic."""
    rng = np.random.default_rng(7_711)
    levels = [simulate(machine, rng) for _ in range(times)]
    first = [[phase for phase in level if phase.variant == machine.order[0]] for level in levels]
    result = {column: [find_drift(phases, column, ALONE) for phases in first] for column in (THROUGHPUT, P50)}
    return {column: [ratio for ratio in ratios if ratio is not None] for column, ratios in result.items()}
