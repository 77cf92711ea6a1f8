"""The search for a rate: which rates it tries, when it ends, and what it claims."""

import math

import pytest

from loadgen.control.rate_search import (
    Backlog,
    RateFinding,
    RateSearch,
    RateSearchOutcome,
    SearchPlan,
    SearchTurns,
    Step,
    StepVerdict,
)
from loadgen.control.rate_search.turns import ROUGH

PASSES = StepVerdict(passes=True)
FAILS = StepVerdict(passes=False, reason="search p99 < 50 ms: 61 ms")
LIMIT = StepVerdict(passes=False, reason="the generator used 97% of its core", is_generator=True)


def follow(edge: float, above: StepVerdict = FAILS, first: float = 10.0) -> RateSearch:
    search = RateSearch(first, 1.0)
    for _ in range(100):
        if search.is_over:
            break
        search.observe(search.rate, PASSES if search.rate < edge else above)
    return search


@pytest.mark.parametrize("edge", [1.7, 9.5, 33.0, 1_000.0, 77_777.0])
def test_a_sharp_edge_is_found_within_2_per_cent_and_30_steps(edge: float) -> None:
    search = follow(edge)
    result = search.find()
    assert result.outcome is RateSearchOutcome.LIMIT
    assert result.rate == pytest.approx(edge, rel=0.02)
    assert result.low <= edge * 1.005
    assert result.high >= edge * 0.995
    assert result.reason == FAILS.reason
    assert len(search.trials) <= 30


def test_rates_double_until_one_fails_and_then_lie_between_the_two() -> None:
    rates = [one.rate for one in follow(100.0).trials]
    assert rates[:5] == [10.0, 20.0, 40.0, 80.0, 160.0]
    assert all(80 < rate < 160 for rate in rates[5:])


def test_one_mishap_far_below_the_edge_does_not_decide() -> None:
    search = RateSearch(10.0, 1.0)
    for number in range(45):
        if search.is_over:
            break
        search.observe(search.rate, FAILS if number == 1 or search.rate >= 500 else PASSES)
    assert search.find().rate == pytest.approx(500, rel=0.03)


def test_the_lowest_rate_that_fails_twice_ends_the_search() -> None:
    search = follow(0.5)
    assert [one.rate for one in search.trials] == [10.0, 5.0, 2.5, 1.25, 1.0, 1.0]
    assert search.find() == RateFinding(RateSearchOutcome.NONE, 1.0, reason=FAILS.reason)


def test_one_step_at_the_lowest_rate_that_passes_by_chance_is_no_result() -> None:
    search = RateSearch(10.0, 1.0)
    for _ in range(20):
        if search.is_over:
            break
        search.observe(search.rate, PASSES if len(search.trials) == 5 else FAILS)
    assert search.is_over
    assert search.find() == RateFinding(RateSearchOutcome.NONE, 1.0, reason=FAILS.reason)


def test_without_a_failure_the_result_is_a_lower_bound() -> None:
    search = follow(math.inf)
    assert search.find() == RateFinding(RateSearchOutcome.AT_LEAST, 1_000_000.0)


def test_a_generator_at_its_limit_is_the_result() -> None:
    result = follow(3_900.0, LIMIT).find()
    assert result.outcome is RateSearchOutcome.GENERATOR
    assert result.rate == pytest.approx(3_900, rel=0.02)
    assert result.reason == LIMIT.reason


def test_a_generator_that_was_at_its_limit_by_chance_is_measured_again() -> None:
    search = RateSearch(10.0, 1.0)
    search.observe(10.0, LIMIT)
    assert search.rate == 10.0
    search.observe(10.0, PASSES)
    assert search.rate == 20.0
    search.observe(20.0, LIMIT)
    search.observe(20.0, LIMIT)
    assert 10.0 < search.rate < 20.0


def test_a_step_that_is_not_counted_is_not_said_to_have_passed() -> None:
    search = RateSearch(10.0, 1.0)
    search.observe(10.0, LIMIT)
    assert search.find() == RateFinding(RateSearchOutcome.GENERATOR, 10.0, reason=LIMIT.reason), (
        "nothing passed, nothing is held"
    )
    search.observe(10.0, PASSES)
    assert search.find() == RateFinding(RateSearchOutcome.AT_LEAST, 10.0)
    search.observe(20.0, LIMIT)
    assert search.find() == RateFinding(RateSearchOutcome.AT_LEAST, 10.0, reason=LIMIT.reason)
    search.observe(20.0, PASSES)
    assert search.find() == RateFinding(RateSearchOutcome.AT_LEAST, 20.0)


def test_an_interrupted_search_claims_nothing() -> None:
    search = RateSearch(10.0, 1.0)
    search.observe(10.0, PASSES)
    search.observe(20.0, FAILS)
    assert search.find(interrupted=True) == RateFinding(RateSearchOutcome.UNFINISHED)
    assert search.find().outcome is RateSearchOutcome.LIMIT


PLAN = SearchPlan(seconds=10.0, warmup_seconds=2.0, within=600.0)


def test_variants_take_turns_forward_and_back_each_at_its_own_rate() -> None:
    turns = SearchTurns(["sync", "async"], PLAN)
    assert turns.first_steps() == [Step(name, 10.0, PLAN.seconds * ROUGH, 2.0 * ROUGH) for name in ("sync", "async")]
    seen = []
    for _ in range(8):
        step = turns.next()
        assert step is not None
        assert turns.next() == step
        seen.append((step.variant, step.rate))
        turns.observe(step, PASSES if step.variant == "async" else FAILS, 12.0)
    assert [name for name, _ in seen] == ["sync", "async", "async", "sync"] * 2
    assert [rate for name, rate in seen if name == "async"] == [10.0, 20.0, 40.0, 80.0]
    assert [rate for name, rate in seen if name == "sync"] == [10.0, 5.0, 2.5, 1.25]


def test_the_limit_of_time_holds_and_its_rest_goes_to_the_other_variants() -> None:
    turns = SearchTurns(["sync", "async"], PLAN)
    used = 0.0
    while (step := turns.next()) is not None:
        passes = step.rate < (0.1 if step.variant == "sync" else 321)
        took = step.seconds + step.warmup_seconds + 1.5
        used += took
        turns.observe(step, PASSES if passes else FAILS, took)
    assert turns.is_over
    assert used <= PLAN.within
    result = turns.find()
    assert result["sync"].outcome is RateSearchOutcome.NONE
    assert result["async"].rate == pytest.approx(321, rel=0.02)


def test_a_search_that_runs_out_of_time_has_a_wider_interval() -> None:
    turns = SearchTurns(["async"], SearchPlan(10.0, 2.0, 90.0))
    while (step := turns.next()) is not None:
        turns.observe(step, PASSES if step.rate < 50 else FAILS, step.seconds + step.warmup_seconds + 1)
    assert turns.is_out_of_time
    result = turns.find()["async"]
    assert result.outcome is RateSearchOutcome.LIMIT
    assert result.low < 50 < result.high
    assert result.high / result.low > 1.1


@pytest.mark.parametrize(("limit", "share"), [(0.05, ROUGH), (2.0, 0.5), (10.0, 1.0)])
def test_a_rough_step_lasts_long_enough_for_an_overload_to_show(limit: float, share: float) -> None:
    (step,) = SearchTurns(["async"], SearchPlan(10.0, 2.0, 600.0, limit)).first_steps()
    assert (step.seconds, step.warmup_seconds) == pytest.approx((10.0 * share, 2.0 * share))


def test_the_limit_is_announced() -> None:
    assert SearchTurns(["sync", "async"], PLAN).announce() == (
        "Finding the highest rate for 2 variants in turn within 600 s: up to 46 steps of 12 s, from 10/s; "
        "the rate doubles until a step fails"
    )


def fill(rate: float, growth: float, dropped: float = 0.0) -> Backlog:
    """Two seconds of a queue that grows at this rate."""
    backlog = Backlog(rate)
    for tick in range(1, 21):
        backlog.look(0.1 * tick, round(growth * 0.1 * tick), round(dropped * 0.1 * tick))
    return backlog


RISING = [(0.5, 0.1), (1.0, 0.2), (1.5, 0.3), (2.0, 0.4)]
LEVEL = [(at, 0.1) for at, _ in RISING]


@pytest.mark.parametrize(
    ("growth", "dropped", "responses", "grows"),
    [
        (500.0, 0.0, RISING, True),
        (500.0, 0.0, LEVEL, False),  # the first operations of a slow server have not ended yet
        (500.0, 0.0, RISING[:2], False),
        (0.0, 0.0, RISING, False),
        (20.0, 0.0, RISING, False),  # a random walk of the critical load wanders as far
        (0.0, 400.0, LEVEL, True),  # the queue is full
    ],
)
def test_a_backlog_grows_if_queue_and_response_times_do(
    growth: float, dropped: float, responses: list[tuple[float, float]], grows: bool
) -> None:
    assert fill(1_000.0, growth, dropped).grows(responses) is grows
