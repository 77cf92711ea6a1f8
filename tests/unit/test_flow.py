"""What the end of a phase leaves over: when it is worth a warning."""

import math

import pytest

from loadgen.measure.flow import hangs


@pytest.mark.parametrize(
    ("oldest", "longest", "is_said"),
    [
        (2.1, 1.0, True),
        (2.0, 1.0, False),
        (1.5, 1.0, False),
        (0.1, 0.01, True),
        (0.09, 0.01, False),
        (math.nan, 1.0, False),
        (5.0, 0.0, False),
        (5.0, math.nan, False),
    ],
)
def test_what_is_under_way_for_more_than_twice_the_longest_and_for_a_tenth_of_a_second_hangs(
    oldest: float, longest: float, is_said: bool
) -> None:
    assert hangs(oldest, longest) is is_said
