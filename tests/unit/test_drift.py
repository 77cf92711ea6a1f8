"""Drift from the first phase of a variant to its last is seen; `tests/simulation` shows that noise is not."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from loadgen.measure.slices import SliceStats
from loadgen.results.bootstrap import SlicedPhase
from loadgen.results.drift import LEAST, P50, THROUGHPUT, find_drift
from tests.unit.simulated_phases import ALONE, Machine, drifts, rounds


def test_a_drift_beyond_the_noise_is_found_and_has_its_size() -> None:
    long = Machine(order=rounds("AB", 5), linear=0.5, phase_noise=0.03)
    found = drifts(long, 60)[THROUGHPUT]
    assert len(found) >= 20
    assert float(np.median(found)) == pytest.approx(np.exp(0.5 * 0.95), rel=0.15)
    slower = drifts(replace(long, linear=-0.5), 60)[THROUGHPUT]
    assert len(slower) >= 25
    assert max(slower) < 1


def test_response_times_drift_the_other_way() -> None:
    found = drifts(Machine(order=rounds("AB", 5), linear=0.6, phase_noise=0.03), 40)[P50]
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
