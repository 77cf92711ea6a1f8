"""Rates over time: the schedule has as many arrivals as the profile expects, whoever shares them."""

import math
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.measure.rate_curve import Points, RateCurve
from loadgen.users.arrival_schedule import ArrivalSchedule, NamedOffset, Share, offsets

SPIKE: Points = ((0.0, 0.0), (10.0, 100.0), (12.0, 100.0), (12.5, 20.0), (30.0, 20.0))
RATES = st.floats(0, 50, allow_nan=False).map(lambda rate: round(rate, 3))
"""Small: what is checked depends on the shape of a profile, and each arrival takes time."""


@st.composite
def curves(draw: st.DrawFn) -> Points:
    """Points of a profile that begins at 0, with gaps from 0.1 to 20 s."""
    gaps = draw(st.lists(st.integers(1, 200), min_size=1, max_size=6))
    rates = draw(st.lists(RATES, min_size=len(gaps) + 1, max_size=len(gaps) + 1).filter(lambda some: max(some) > 0.1))
    return tuple((sum(gaps[:place]) / 10, rate) for place, rate in enumerate(rates))


def arrivals(schedule: ArrivalSchedule, parts: int, until: float, after: float = 0.0) -> list[float]:
    streams = (offsets(schedule, Share(index, parts), after) for index in range(parts))
    return sorted(due for stream in streams for due in takewhile(lambda due: due < until, stream))


def schedule(points: Points, model: str = "constant", **named: Points) -> ArrivalSchedule:
    own = tuple(named.items()) or (("", points),)
    return ArrivalSchedule(model, 1.0, seed=3, phase=1, curves=own)  # type: ignore[arg-type]


def test_a_curve_is_linear_between_its_points_and_constant_outside() -> None:
    curve = RateCurve(SPIKE)
    moments = (-1.0, 0.0, 5.0, 11.0, 12.25, 20.0, 99.0)
    assert [curve.rate_at(at) for at in moments] == [0.0, 0.0, 50.0, 100.0, 60.0, 20.0, 20.0]
    assert curve.count(0, 10) == 500
    assert curve.count(10, 12) == 200
    assert curve.count(12, 12.5) == 30
    assert curve.count(0, 30) == pytest.approx(500 + 200 + 30 + 350)
    assert curve.count(30, 40) == 200
    assert curve.mean(0, 10) == 50
    assert curve.find(125) == 5.0
    assert RateCurve.flat(20).find(10, begin=1.0) == 1.5
    assert curve.shifted(2).rate_at(7) == 50
    assert list(curve.edges(11, 12.2)) == [(11, 100.0), (12.0, 100.0), (12.2, pytest.approx(68.0))]


@pytest.mark.parametrize(
    "points", [((0.0, 0.0),), ((0.0, -1.0), (1.0, 5.0)), ((1.0, 2.0), (1.0, 3.0)), ((0.0, math.nan),)]
)
def test_a_curve_that_is_none_is_refused(points: Points) -> None:
    with pytest.raises(ValueError, match="needs"):
        RateCurve(points)


@given(curves(), st.floats(0, 50), st.floats(0, 1))
def test_finding_a_count_is_the_inverse_of_counting(points: Points, begin: float, share: float) -> None:
    curve = RateCurve(points)
    count = share * curve.count(begin, begin + 30)
    due = curve.find(count, begin)
    assert due == math.inf or curve.count(begin, due) == pytest.approx(count, abs=1e-5)


@given(curves(), st.integers(1, 4))
def test_even_arrivals_are_as_many_as_the_integral_of_the_profile_whoever_shares_them(
    points: Points, parts: int
) -> None:
    end = points[-1][0]
    result = arrivals(schedule(points), parts, end)
    assert abs(len(result) - RateCurve(points).count(0.0, end)) <= 1
    assert result == pytest.approx(arrivals(schedule(points), 1, end))


@given(curves(), st.integers(1, 3), st.integers(1, 3), st.floats(0, 1))
def test_another_split_of_a_profile_loses_and_doubles_none(
    points: Points, before: int, since: int, share: float
) -> None:
    end = points[-1][0]
    moment = share * end
    whole = arrivals(schedule(points), 1, end)
    early = [due for due in arrivals(schedule(points), before, end) if due < moment - 1e-6]
    late = arrivals(schedule(points), since, end, after=moment)
    at_the_change = sum(abs(due - moment) <= 2e-6 for due in whole)
    assert abs(len(early) + len(late) - len(whole)) <= at_the_change


@given(curves(), st.integers(1, 4), st.integers(0, 1_000))
def test_random_arrivals_are_as_many_as_the_integral_but_for_chance(points: Points, parts: int, seed: int) -> None:
    end = points[-1][0]
    expected = RateCurve(points).count(0.0, end)
    result = arrivals(ArrivalSchedule("poisson", 1.0, seed, 1, (("", points),)), parts, end)
    assert abs(len(result) - expected) <= 6 * math.sqrt(expected) + 6
    assert result == sorted(result)


def test_rates_by_operation_are_separate_streams_in_one_order() -> None:
    mix = schedule((), search=((0.0, 200.0),), insert=((0.0, 20.0),))
    result = [due for due in arrivals(mix, 1, 10.0) if isinstance(due, NamedOffset)]
    counts = {name: sum(due.operation == name for due in result) for name in ("search", "insert")}
    assert (counts, len(result)) == ({"search": 2_000, "insert": 200}, 2_200)
    assert len(set(result)) == len(result), "no two at the same moment: a new split would lose one"
    assert result == sorted(result)
    assert sorted(arrivals(mix, 3, 10.0)) == pytest.approx(result)


def test_after_the_last_arrival_nothing_is_due() -> None:
    stream = offsets(schedule(((0.0, 10.0), (1.0, 10.0), (1.5, 0.0))), Share())
    result = [next(stream) for _ in range(20)]
    assert sum(due < math.inf for due in result) == pytest.approx(12.5, abs=1)
    assert result[-1] == math.inf
