"""Ratios of simulated phases whose truth is known."""

import math
from collections.abc import Sequence

import msgpack
import numpy as np
import pytest

from loadgen.measure.sample import Mode
from loadgen.measure.slice_table import SliceTable
from loadgen.measure.slices import SliceStats
from loadgen.results.bootstrap import SlicedPhase
from loadgen.results.comparison import (
    MODES,
    ComparisonResult,
    Crossover,
    RatioEstimate,
    Verdict,
    compare_phases,
    find_crossover,
    judge,
)
from tests.unit.simulated_phases import ROUND, SLICES, Machine, simulate


def steady(
    mode: Mode, operations: int = 100, seconds: float = 0.01, slices: int = SLICES, stalled: int = 0
) -> SlicedPhase:
    """A phase without any noise; of each slice this many operations are slow besides."""
    pieces = [SliceStats(1.0) for _ in range(slices)]
    for piece in pieces:
        for duration in [seconds] * operations + [0.5] * stalled:
            piece.add(duration)
    return SlicedPhase(mode, SliceTable.of(pieces))


def compare(*phases: SlicedPhase, reasons: Sequence[str] = ()) -> ComparisonResult:
    return compare_phases(phases, np.random.default_rng(3), reasons)


def test_ratios_are_async_to_sync_and_drift_in_a_line_cancels() -> None:
    """Throughput 100, 220, 242, 133.1: a true ratio of 2, times 1.1 from phase to phase."""
    sync, later = steady(Mode.SYNC, 1_000, 0.02), steady(Mode.SYNC, 1_331, 0.02)
    compared = compare(sync, steady(Mode.ASYNC, 2_200), steady(Mode.ASYNC, 2_420), later)
    assert compared.throughput is not None
    assert compared.throughput.estimate == pytest.approx(2)
    assert 1.7 < compared.throughput.low < 2 < compared.throughput.high < 2.4
    assert compared.p50 is not None
    assert compared.p99 is not None
    assert compared.p50.estimate == pytest.approx(0.5, rel=0.02)
    assert compared.p99.estimate == pytest.approx(0.5, rel=0.02)
    assert (compared.verdict, compared.reasons) == (Verdict.VARIANT, ())
    assert compared.share_ahead > 0.99


def test_p99_sees_what_p50_does_not() -> None:
    slow = steady(Mode.ASYNC, stalled=3)
    compared = compare(steady(Mode.SYNC), slow, slow, steady(Mode.SYNC))
    assert compared.p50 is not None
    assert compared.p99 is not None
    assert compared.p50.estimate == pytest.approx(1, rel=0.01)
    assert compared.p99.estimate == pytest.approx(50, rel=0.02)
    assert compared.p99.low > 30


def test_equal_phases_make_no_difference() -> None:
    compared = compare(*(steady(mode) for mode in ROUND))
    assert compared.throughput is not None
    assert compared.throughput.estimate == pytest.approx(1, abs=1e-12)
    assert compared.throughput.low < 1 < compared.throughput.high
    assert compared.verdict == "no difference"


def test_the_same_generator_gives_the_same_comparison() -> None:
    phases = simulate(Machine(), np.random.default_rng(1))
    assert compare(*phases) == compare(*phases)


def test_more_phases_narrow_the_interval() -> None:
    widths = []
    for rounds in (1, 2, 8):
        result = compare(*(steady(mode) for mode in ROUND * rounds)).throughput
        assert result is not None
        widths.append(result.high - result.low)
    assert widths[0] > 1.5 * widths[1] > 3 * widths[2]


@pytest.mark.parametrize(
    ("phases", "reasons"),
    [
        ([], ["sync answered no operation", "too few phases: sync has 0 of 2"]),
        ([steady(Mode.ASYNC)] * 4, ["sync answered no operation", "too few phases: sync has 0 of 2"]),
        ([steady(mode, 100 * (mode is Mode.SYNC)) for mode in ROUND], ["async answered no operation"]),
        (
            [steady(Mode.SYNC), steady(Mode.ASYNC), steady(Mode.ASYNC, 0), steady(Mode.SYNC)],
            ["the throughput of async was zero in a phase"],
        ),
    ],
)
def test_without_answers_there_is_no_ratio_and_the_reason_is_told(
    phases: list[SlicedPhase], reasons: list[str]
) -> None:
    compared = compare(*phases)
    assert (compared.throughput, compared.p50, compared.p99) == (None, None, None)
    assert math.isnan(compared.share_ahead)
    assert compared.verdict is Verdict.INVALID
    assert list(compared.reasons)[: len(reasons)] == reasons


@pytest.mark.parametrize(
    ("phases", "reason"),
    [
        ([steady(Mode.SYNC), steady(Mode.ASYNC, 300), steady(Mode.ASYNC, 300)], "too few phases: sync has 1 of 2"),
        ([steady(mode, 100, slices=4) for mode in ROUND], "too few slices: a phase of sync has 4 of 5"),
    ],
)
def test_too_little_gives_a_ratio_without_a_verdict(phases: list[SlicedPhase], reason: str) -> None:
    compared = compare(*phases)
    assert compared.throughput is not None
    assert compared.verdict is Verdict.INVALID
    assert reason in compared.reasons


def test_reasons_from_outside_make_it_invalid_and_come_first() -> None:
    phases = [steady(mode, 300 if mode is Mode.ASYNC else 100) for mode in ROUND]
    assert compare(*phases).verdict is Verdict.VARIANT
    compared = compare(*phases, reasons=["the load generator used 98 % of its core: add workers"])
    assert compared.throughput is not None
    assert compared.throughput.estimate == pytest.approx(3)
    assert compared.verdict is Verdict.INVALID
    assert compared.reasons == ("the load generator used 98 % of its core: add workers",)


def test_a_stall_of_most_slices_is_survived() -> None:
    empty = [SliceStats(1.0) for _ in range(SLICES - 1)]
    stalled = SlicedPhase(Mode.SYNC, SliceTable.of([*steady(Mode.SYNC).slices.pieces[:1], *empty]))
    compared = compare(stalled, steady(Mode.ASYNC), steady(Mode.ASYNC), stalled)
    assert compared.throughput is not None
    assert compared.throughput.estimate == pytest.approx(10)
    assert compared.throughput.high > 20
    assert compared.p99 is not None
    assert math.isfinite(compared.p99.high)


def test_a_slice_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 0 seconds"):
        compare(SlicedPhase(Mode.SYNC, SliceTable.of([SliceStats(0.0)])))


@pytest.mark.parametrize(
    ("ratio", "reasons", "verdict"),
    [
        (RatioEstimate(1.2, 1.01, 1.4), (), "variant"),
        (RatioEstimate(1.2, 1.0, 1.4), (), "no difference"),
        (RatioEstimate(0.9, 0.8, 1.0), (), "no difference"),
        (RatioEstimate(0.9, 0.8, 0.99), (), "baseline"),
        (RatioEstimate(0.9, 0.8, 0.99), ("other recall",), "invalid"),
        (None, (), "invalid"),
    ],
)
def test_the_words_follow_the_interval(ratio: RatioEstimate | None, reasons: tuple[str, ...], verdict: str) -> None:
    assert judge(ratio, reasons) == verdict


def level(verdict: Verdict, share: float) -> ComparisonResult:
    return ComparisonResult(MODES, None, None, None, share, verdict, ())


def test_the_crossover_is_the_first_level_from_which_async_goes_on_winning() -> None:
    wins, even, loses = level(Verdict.VARIANT, 0.99), level(Verdict.NO_DIFFERENCE, 0.6), level(Verdict.BASELINE, 0.01)
    crossover = find_crossover({64: wins, 1: wins, 8: loses, 32: wins})
    assert crossover is not None
    assert (crossover.level, crossover.below) == (32, Verdict.BASELINE)
    assert crossover.certainty == pytest.approx(0.99**2)
    assert find_crossover({8: even, 64: level(Verdict.VARIANT, 1.0)}) == Crossover(64, 1.0, Verdict.NO_DIFFERENCE)
    assert find_crossover({1: wins}) == Crossover(1, 0.99, None), "nothing lower was measured"


def test_there_is_no_crossover_where_async_does_not_win_the_highest_level() -> None:
    wins, invalid = level(Verdict.VARIANT, 0.99), level(Verdict.INVALID, math.nan)
    assert find_crossover({}) is None
    assert find_crossover({1: wins, 8: level(Verdict.NO_DIFFERENCE, 0.9)}) is None
    assert find_crossover({1: wins, 8: wins, 64: invalid}) is None


def test_a_quantile_of_counted_times_is_less_than_1_percent_off() -> None:
    """Two sides with other random times: the ratio of their known quantiles is recovered."""
    rng = np.random.default_rng(5)
    times = {Mode.SYNC: rng.lognormal(-6, 1, 20_000), Mode.ASYNC: rng.lognormal(-4.3, 0.5, 20_000)}
    phases = []
    for mode in ROUND:
        pieces = tuple(SliceStats(1.0) for _ in range(SLICES))
        for at, seconds in enumerate(times[mode].tolist()):
            pieces[at % SLICES].add(seconds)
        phases.append(SlicedPhase(mode, SliceTable.of(pieces)))
    compared = compare(*phases)
    assert compared.p50 is not None
    assert compared.p99 is not None
    for quantile, result in ((0.5, compared.p50), (0.99, compared.p99)):
        ground_truth = np.quantile(times[Mode.ASYNC], quantile) / np.quantile(times[Mode.SYNC], quantile)
        assert result.estimate == pytest.approx(ground_truth, rel=0.01)


def test_times_out_of_range_are_counted_at_the_ends() -> None:
    piece = SliceStats(1.0)
    for seconds in (-1.0, 0.0, 1e-7, 1e-6, 600.0, 1e9, math.inf):
        piece.add(seconds)
    assert piece.operations == 7
    shortest, longest = piece.buckets
    assert (shortest, piece.buckets[shortest]) == (1, 4)
    assert longest == pytest.approx(600_000_000, rel=0.008)
    assert piece.buckets[longest] == 3


def test_a_timeout_adds_its_time_but_no_throughput() -> None:
    piece = SliceStats(1.0)
    piece.add(0.01)
    piece.add(30.0, answered=False)
    assert piece.operations == 1
    assert sum(piece.buckets.values()) == 2


def test_slices_of_two_workers_add_up_to_those_of_one_and_survive_the_way() -> None:
    rng = np.random.default_rng(6)
    times = rng.lognormal(-5, 1, 1_000).tolist()
    one, left, right = SliceStats(1.0), SliceStats(1.0), SliceStats(0.9)
    for at, seconds in enumerate(times):
        one.add(seconds)
        (left if at % 3 else right).add(seconds)
    assert SliceStats.from_message(msgpack.unpackb(msgpack.packb(one.as_message()))) == one
    merged = SliceStats.from_message(left.as_message())
    merged.merge(SliceStats.from_message(right.as_message()))
    assert merged == one
