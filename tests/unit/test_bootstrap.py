"""The numbers of the bootstrap: the same seed gives the same interval in every version, whatever is made faster."""

from collections.abc import Sequence

import numpy as np
import pytest

from loadgen.measure.histograms import SparseHistogram
from loadgen.measure.slice_table import SliceTable
from loadgen.measure.slices import SliceStats
from loadgen.results import bootstrap
from loadgen.results.bootstrap import PhaseNoise, SlicedPhase, spread
from loadgen.results.resampling import resample, resample_together


def phase(number: int, slices: int = 10, more: int = 0) -> SlicedPhase:
    """About 20 operations of about 10 ms a second and `more`, and two of 20 ms."""
    pieces = []
    for place in range(slices):
        base = 9216 + 128 * ((3 * place + number) % 5)
        times = SparseHistogram({base: 12, base + 1280: 6 + (place + number) % 3, 20480: 2})
        pieces.append(SliceStats(1.0, 20 + (place * 7 + number) % 6 + more, times))
    return SlicedPhase("sync", SliceTable.of(pieces))


def two_sides(phases: int) -> np.ndarray:
    return np.column_stack([np.ones(phases), [0.0] * (phases // 2) + [1.0] * (phases // 2)])


def test_a_seed_draws_the_same_replicates_of_a_phase() -> None:
    expected = [
        [3.09557761, -4.6304709, -3.88274949],
        [3.04588427, -4.62878314, -3.88274949],
        [3.08471182, -4.63030746, -3.8827532],
        [3.12231762, -4.62856553, -3.88275692],
    ]
    assert resample(phase(0).slices, np.random.default_rng(7), 3) == pytest.approx(np.array(expected), abs=1e-8)


def test_slices_of_a_long_phase_are_added_up_to_600_at_most() -> None:
    expected = [
        [3.11351531, -4.63033416, -3.88275259],
        [3.11351531, -4.63030677, -3.88275259],
        [3.11351531, -4.63036191, -3.88275259],
    ]
    assert resample(phase(0, 1500).slices, np.random.default_rng(7), 2) == pytest.approx(np.array(expected), abs=1e-8)


def test_a_seed_gives_the_same_spread_of_few_phases() -> None:
    result = spread(two_sides(4), [phase(number) for number in range(4)], np.random.default_rng(7), PhaseNoise(), 3)
    chances = [
        [2.22044587e-02, 7.29718070e-02, -6.31601128e-02, -1.10382439e-01],
        [6.83608772e-05, -1.12564719e-02, -1.45484710e-02, -1.35153864e-02],
        [-1.55384852e-06, -8.49629374e-02, 4.79844233e-03, -2.53535262e-02],
    ]
    assert result.base == pytest.approx(np.array([3.10454646, -4.63040253, -3.88275104]), abs=1e-8)
    assert result.chances == pytest.approx(np.array(chances), abs=1e-9)


def test_what_the_slices_explain_of_the_scatter_is_not_noise_between_phases() -> None:
    phases = [phase(number, more=more) for number, more in enumerate((0, 4, 1, 6))]
    result = spread(two_sides(4), phases, np.random.default_rng(7), PhaseNoise(), 3)
    expected = [0.07902662009357853, 0.1394227981899926, -0.025097140372938587, -0.17823572655282316]
    assert result.chances[0] == pytest.approx(np.array(expected), abs=1e-9)


def test_the_replicates_of_all_phases_together_are_as_many_as_those_of_the_phases_in_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def counted(tables: Sequence[SliceTable], blocks: np.ndarray) -> np.ndarray:
        asked.extend([blocks.shape[1]] * len(tables))
        return resample_together(tables, blocks)

    monkeypatch.setattr(bootstrap, "resample_together", counted)
    monkeypatch.setattr(bootstrap, "PHASES_IN_FULL", 2)
    monkeypatch.setattr(bootstrap, "REPLICATES_AT_LEAST", 3)
    for replicates in (2, 4, 10, 100):
        spread(two_sides(4), [phase(number) for number in range(4)], np.random.default_rng(7), PhaseNoise(), replicates)
    assert asked == [2] * 4 + [3] * 4 + [5] * 4 + [50] * 4


def test_of_many_phases_each_has_fewer_replicates_and_the_spread_is_that_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def counted(tables: Sequence[SliceTable], blocks: np.ndarray) -> np.ndarray:
        asked.extend([blocks.shape[1]] * len(tables))
        return resample_together(tables, blocks)

    monkeypatch.setattr(bootstrap, "resample_together", counted)
    result = spread(
        two_sides(70), [phase(number) for number in range(70)], np.random.default_rng(7), PhaseNoise(), 2000
    )
    assert asked == [64 * 2000 // 70] * 70
    interval = np.quantile(result.chances, [0.025, 0.5, 0.975], axis=1).T
    expected = [
        [-1.31031345e-02, -2.55103736e-04, 1.28755228e-02],
        [-6.30721787e-03, 8.96370267e-05, 6.25787348e-03],
        [-5.50134180e-03, 5.19727993e-05, 5.54441668e-03],
    ]
    assert interval == pytest.approx(np.array(expected), abs=1e-9)
