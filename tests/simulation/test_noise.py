"""Noise between phases is not reported as drift."""

import numpy as np
import pytest

from loadgen.results.drift import find_drifts
from loadgen.results.record import CourseRecord
from loadgen.results.series import find_series
from tests.unit.record_support import operation, phase, record
from tests.unit.simulated_phases import ALONE, Machine, drifts, rounds, simulate


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1])
def test_noise_is_no_drift(number: int, noise: float) -> None:
    """2 to 10 phases of a variant. Noise of 10 % is twice what is believed: scatter that is seen makes up for it."""
    machine = Machine(order=rounds("AB", number), phase_noise=noise)
    times = 120
    allowed = times * (1 - ALONE) * 4 + 2  # one in 600 is expected; noise beyond the prior costs some more
    result = drifts(machine, times)
    assert {column: ratios for column, ratios in result.items() if len(ratios) > allowed} == {}


def test_noise_within_the_only_phase_of_a_run_is_no_drift() -> None:
    """Its seconds are correlated."""
    rng = np.random.default_rng(5)
    result = 0
    for _ in range(60):
        pieces = [
            piece for one in simulate(Machine(order=("A",) * 30, phase_noise=0.0), rng) for piece in one.slices.pieces
        ]
        course = CourseRecord(seconds=1.0, answered=tuple(piece.operations for piece in pieces))
        result += len([*find_drifts(find_series(record(phase("async", 8, operation(course=course)))))])
    assert result <= 2
