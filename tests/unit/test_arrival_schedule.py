"""Arrivals are due where the law of their model says, whoever shares them."""

import math
from itertools import islice, takewhile

import numpy as np
import pytest

from loadgen.users.arrival_schedule import ArrivalSchedule, Share, offsets

POISSON = ArrivalSchedule("poisson", 200.0, seed=7, phase=3)
CONSTANT = ArrivalSchedule("constant", 200.0, seed=7, phase=3)
NUMBER = 4_000


def merged(schedule: ArrivalSchedule, parts: int, until: float) -> list[float]:
    streams = (offsets(schedule, Share(index, parts)) for index in range(parts))
    return sorted(due for stream in streams for due in takewhile(lambda due: due < until, stream))


def distance(gaps: np.ndarray, rate: float) -> float:
    """The Kolmogorov-Smirnov statistic of gaps against the exponential law."""
    law = 1 - np.exp(-rate * np.sort(gaps))
    number = len(gaps)
    above = np.arange(1, number + 1) / number - law
    below = law - np.arange(number) / number
    return float(max(above.max(), below.max()))


def critical(number: int) -> float:
    """Above this, one sample in twenty lies by chance (Kolmogorov's limit, 5 %)."""
    return 1.358 / math.sqrt(number)


@pytest.mark.parametrize("parts", [1, 4])
def test_poisson_arrivals_have_exponential_gaps_alone_and_summed(parts: int) -> None:
    gaps = np.diff([0.0, *merged(POISSON, parts, NUMBER / POISSON.rate)])
    assert abs(len(gaps) - NUMBER) < 4 * math.sqrt(NUMBER)
    assert distance(gaps, POISSON.rate) < critical(len(gaps))


def test_the_test_above_tells_another_rate_and_equal_gaps_from_the_law() -> None:
    gaps = np.diff([0.0, *merged(POISSON, 4, NUMBER / POISSON.rate)])
    assert distance(gaps, 1.1 * POISSON.rate) > critical(len(gaps))
    even = np.diff(list(islice(offsets(CONSTANT, Share()), NUMBER)))
    assert distance(even, CONSTANT.rate) > critical(len(even))


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_constant_stripes_merge_into_the_grid_of_one_process(parts: int) -> None:
    assert merged(CONSTANT, parts, 5.0) == [number / 200 for number in range(1000)]


def test_a_stripe_is_exact_after_a_day() -> None:
    due = next(offsets(CONSTANT, Share(1, 3), after=86_400.0))
    assert due == 17_280_001 / 200


@pytest.mark.parametrize("moment", [1.0, 1.0025, 0.9999])
@pytest.mark.parametrize(("before", "since"), [(2, 3), (3, 2), (1, 4)])
def test_another_split_of_constant_arrivals_loses_and_doubles_none(moment: float, before: int, since: int) -> None:
    early = [
        due
        for index in range(before)
        for due in takewhile(lambda due: due < moment, offsets(CONSTANT, Share(index, before)))
    ]
    late = [
        due
        for index in range(since)
        for due in takewhile(lambda due: due < 2.0, offsets(CONSTANT, Share(index, since), after=moment))
    ]
    assert sorted(early + late) == [number / 200 for number in range(400)]


def test_another_split_of_poisson_arrivals_keeps_the_law_and_the_rate() -> None:
    early = [due for index in range(2) for due in takewhile(lambda due: due < 10.0, offsets(POISSON, Share(index, 2)))]
    late = [
        due
        for index in range(3)
        for due in takewhile(lambda due: due < 20.0, offsets(POISSON, Share(index, 3), after=10.0))
    ]
    assert min(late) > 10
    gaps = np.diff([0.0, *sorted(early + late)])
    assert abs(len(gaps) - NUMBER) < 4 * math.sqrt(NUMBER)
    assert distance(gaps, POISSON.rate) < critical(len(gaps))


def test_streams_are_repeated_by_their_seed_and_differ_by_phase_and_process() -> None:
    def first(seed: int = 7, phase: int = 3, index: int = 0) -> float:
        return next(offsets(ArrivalSchedule("poisson", 200.0, seed, phase), Share(index, 2)))

    assert first() == first()
    assert len({first(), first(seed=8), first(phase=4), first(index=1)}) == 4


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_is_not_above_zero_is_refused_at_once(rate: float) -> None:
    with pytest.raises(ValueError, match="not above 0"):
        offsets(ArrivalSchedule("poisson", rate, 1, 0), Share())


@pytest.mark.parametrize(("index", "parts"), [(2, 2), (-1, 2), (0, 0)])
def test_a_share_that_does_not_exist_is_refused(index: int, parts: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        Share(index, parts)
