"""Drift from the first phase of a variant to its last: seen where it is, and not in noise."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from loadgen.measure.slices import SliceStats
from loadgen.results.bootstrap import SlicedPhase
from loadgen.results.drift import CERTAINTY, LEAST, P50, THROUGHPUT, find_drift
from tests.unit.simulated_phases import Machine, rounds, simulate

ALONE = 1 - (1 - CERTAINTY) / 6
"""The certainty for one of six series."""


def find_often(machine: Machine, times: int, column: int = THROUGHPUT) -> list[float]:
    """The ratios of the drifts that were found in the first variant of so many simulated levels."""
    rng = np.random.default_rng(7_711)
    found = []
    for _ in range(times):
        own = [phase for phase in simulate(machine, rng) if phase.variant == machine.order[0]]
        ratio = find_drift(own, column, ALONE)
        found += [ratio] if ratio is not None else []
    return found


@pytest.mark.parametrize("column", [THROUGHPUT, P50])
@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1])
def test_noise_is_no_drift(number: int, noise: float, column: int) -> None:
    """2 to 10 phases of a variant. Noise of 10 % is twice what is believed: scatter that is seen makes up for it."""
    machine = Machine(order=rounds("AB", number), phase_noise=noise)
    times = 120
    allowed = times * (1 - ALONE) * 4 + 2  # one in 600 is expected; noise beyond the prior costs some more
    assert len(find_often(machine, times, column)) <= allowed


def test_a_drift_beyond_the_noise_is_found_and_has_its_size() -> None:
    long = Machine(order=rounds("AB", 5), linear=0.5, phase_noise=0.03)
    found = find_often(long, 60)
    assert len(found) >= 20
    assert float(np.median(found)) == pytest.approx(np.exp(0.5 * 0.95), rel=0.15)
    slower = find_often(replace(long, linear=-0.5), 60)
    assert len(slower) >= 25
    assert max(slower) < 1


def test_response_times_drift_the_other_way() -> None:
    found = find_often(Machine(order=rounds("AB", 5), linear=0.6, phase_noise=0.03), 40, P50)
    assert len(found) >= 20
    assert max(found) < 1


def phase(operations: int, slices: int = 10) -> SlicedPhase:
    return SlicedPhase("A", tuple(SliceStats(1.0, operations, Counter({5_000: operations})) for _ in range(slices)))


def test_a_small_change_is_none_however_certain_it_is() -> None:
    many = [phase(10_000) for _ in range(40)]
    assert find_drift([*many, phase(int(10_000 * (1 + LEAST) * 0.99))], THROUGHPUT, ALONE) is None
    assert find_drift([*many, phase(20_000)], THROUGHPUT, ALONE) == pytest.approx(2.0)
    assert find_drift([*many, phase(5_000)], THROUGHPUT, ALONE) == pytest.approx(0.5)


def test_a_change_in_between_is_none_of_first_and_last() -> None:
    assert find_drift([phase(1_000), phase(3_000), phase(1_000)], THROUGHPUT, ALONE) is None


def test_a_phase_in_which_nothing_ended_is_no_evidence_of_drift() -> None:
    assert find_drift([phase(1_000), phase(0)], THROUGHPUT, ALONE) is None
    assert find_drift([phase(0), phase(1_000)], THROUGHPUT, ALONE) is None


def test_the_same_phases_give_the_same_answer() -> None:
    phases = [phase(1_000), phase(900), phase(2_400)]
    assert find_drift(phases, THROUGHPUT, ALONE) == find_drift(phases, THROUGHPUT, ALONE)
