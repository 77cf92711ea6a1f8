"""Figures read from a histogram in one pass equal those that its own package computes one by one."""

import math
from typing import TypeVar

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from loadgen.measure.health import new_lags
from loadgen.measure.histograms import SparseHistogram, count_above, mean, new_histogram, percentile

RANDOM = np.random.default_rng(7)
TIMES = [
    RANDOM.lognormal(-4, 1, 3000),
    RANDOM.uniform(1e-6, 3e-3, 500),
    np.array([0.05]),
    np.array([59.9, 1e-6, 0.0020479, 0.002048, 0.004096, 0.0040959]),
]


Kind = TypeVar("Kind", HdrHistogram, SparseHistogram)


def filled(times: np.ndarray, empty: Kind) -> Kind:
    for seconds in times:
        empty.record_value(min(max(1, round(seconds * 1e6)), 60_000_000))
    return empty


@pytest.mark.parametrize("times", TIMES, ids=["tail", "short", "one", "bounds"])
def test_mean_percentiles_and_counts_are_those_of_the_package(times: np.ndarray) -> None:
    histogram = filled(times, new_histogram())
    for one in (histogram, HdrHistogram.decode(histogram.encode())):
        assert mean(one) == pytest.approx(one.get_mean_value() / 1e6, rel=1e-12)
        for percent in (0.01, 50, 90, 99, 99.9, 100):
            assert percentile(one, percent) == one.get_value_at_percentile(percent) / 1e6
        for seconds in np.quantile(times, (0, 0.3, 0.9, 1)):
            slowly = [
                v.count_at_value_iterated_to for v in one.get_recorded_iterator() if v.value_iterated_to > seconds * 1e6
            ]
            assert count_above(one, float(seconds)) == sum(slowly)


@pytest.mark.parametrize("times", TIMES, ids=["tail", "short", "one", "bounds"])
def test_a_sparse_histogram_has_the_figures_of_the_package_however_it_was_made(times: np.ndarray) -> None:
    whole, sparse, parts = filled(times, new_histogram()), filled(times, new_lags()), new_lags()
    for some in np.array_split(times, 3):
        part = filled(some, new_lags())
        part.settle()
        parts.add(part)
    packed = SparseHistogram(packed=sparse.pack())
    packed.settle()
    late = filled(times[1:], new_lags())
    late.settle()
    filled(times[:1], late)
    for one in (sparse, parts, packed, late):
        assert one == sparse
        assert (mean(one), one.encode()) == (mean(whole), whole.encode())
        assert (one.get_total_count(), one.get_max_value()) == (len(times), whole.get_max_value())
        for percent in (0.01, 50, 90, 99, 99.9, 100):
            assert percentile(one, percent) == percentile(whole, percent)


def test_adding_to_a_settled_histogram_is_seen() -> None:
    one = new_lags()
    assert (one.is_empty, one.is_settled, one.get_max_value(), one.pack()) == (True, False, 0, b"")
    one.record_value(5)
    assert (one.is_empty, one.is_settled) == (False, False)
    one.settle()
    assert (one.is_settled, one.counts) == (True, {5: 1})
    one.add_counts([5, 6], [1, 2])
    assert (one.is_settled, one.counts, one.get_total_count()) == (False, {5: 2, 6: 2}, 4)


def test_the_mean_counts_each_time_as_the_middle_of_its_bucket() -> None:
    histogram = new_histogram()
    histogram.record_value(4097, 3)  # of the bucket from 4096 to 4099
    histogram.record_value(100)
    assert mean(histogram) == pytest.approx((3 * 4098 + 100) / 4 / 1e6, rel=1e-12)


def test_an_empty_histogram_has_no_figures() -> None:
    assert math.isnan(mean(new_histogram()))
    assert math.isnan(percentile(new_histogram(), 50))
    assert count_above(new_histogram(), 0.0) == 0


def test_the_mean_of_very_many_long_times_is_long() -> None:
    histogram = new_histogram()
    histogram.record_value(500_000_000, 1 << 40)
    assert mean(histogram) == pytest.approx(500, rel=1e-3)
