"""Figures and intervals read from records."""

from typing import Any

import numpy as np
import pytest

from loadgen.measure.sample import Mode, Outcome
from loadgen.measure.slice_table import SliceTable
from loadgen.measure.slices import SliceStats
from loadgen.results.bootstrap import SlicedPhase
from loadgen.results.changes import find_changes, find_refusals
from loadgen.results.estimates import Interval, compare_series, estimate
from loadgen.results.record import RateSearchRecord, RunRecord
from loadgen.results.regressions import RegressionVerdict, find_regressions, judge_ratio, t_quantile
from loadgen.results.series import find_series, percentile
from tests.unit.record_support import manifest, operation, phase, record, timed, variant
from tests.unit.simulated_runs import run, verdicts


def test_rounds_of_a_mode_are_added_up_without_loss() -> None:
    slow, fast = timed([100] * 10, 0.020, recall=0.9), timed([300] * 10, 0.010, recall=1.0)
    failed = operation(outcomes={Outcome.THROTTLED: 7}, slices=None, recall=None)
    result = find_series(record(phase("async", 8, slow), phase("sync", 8, failed), phase("async", 8, fast)))
    assert [(series.variant, str(series.level)) for series in result] == [
        (Mode.SYNC, "8 users"),
        (Mode.ASYNC, "8 users"),
    ]
    both = result[1]
    assert (both.count, both.failures, both.seconds, both.throughput) == (4000, 0, 20.0, 200.0)
    assert both.recall == pytest.approx(0.95)
    assert percentile(both.times(), 50) == pytest.approx(0.010, rel=1e-3)
    assert percentile(both.times(), 99) == pytest.approx(0.020, rel=1e-3)
    assert (result[0].failures, result[0].throughput, percentile(result[0].times(), 99)) == (7, 0.0, None)


def test_a_round_in_which_an_operation_never_ended_counts_with_its_seconds() -> None:
    """As in the table of the run: 1,000 deletes in 20 s are 50/s, whichever of the rounds they were in."""
    busy, idle = (
        phase("sync", 1, timed([100] * 10, name="delete"), timed([10] * 10)),
        phase("sync", 1, timed([10] * 10)),
    )
    deleted = find_series(record(busy, idle))[0]
    assert (deleted.operation, deleted.count, deleted.seconds, deleted.throughput) == ("delete", 1000, 20.0, 50.0)
    assert [sliced.operations for sliced in deleted.sliced()] == [1000, 0]
    assert [len(sliced.slices) for sliced in deleted.sliced()] == [10, 10]
    assert estimate(deleted.sliced(), np.random.default_rng(1)) is None, "no interval for what was not there"


def test_recall_is_the_mean_of_checks_not_of_rounds() -> None:
    often = timed([100] * 10, recall=1.0, mrr=1.0, recall_checks=90)
    seldom = timed([100] * 10, recall=0.5, mrr=0.2, recall_checks=10)
    (result,) = find_series(record(phase("sync", 8, often), phase("sync", 8, seldom)))
    assert result.recall == pytest.approx(0.95)
    assert result.mrr == pytest.approx(0.92)
    assert find_series(record(phase("sync", 8, timed([100] * 10, mrr=None))))[0].mrr is None


def test_levels_are_in_the_order_of_their_numbers_and_rates_are_levels_too() -> None:
    closed = find_series(record(*(phase("sync", users) for users in (32, 1, 8))))
    assert [str(series.level) for series in closed] == ["1 user", "8 users", "32 users"]
    assert [str(s.level) for s in find_series(record(phase("sync", None, model="constant", rate=12.5)))] == ["12.5/s"]


def test_slices_come_back_from_their_text() -> None:
    stats = SliceStats(0.5)
    for seconds in (0.001, 0.001, 0.25, 1e-7, 700.0):
        stats.add(seconds)
    stats.add(2.0, answered=False)
    again = SliceStats.from_text(0.5, stats.operations, stats.times_as_text())
    assert again == stats
    assert SliceStats.from_text(1.0, 0, "") == SliceStats(1.0)


def test_the_interval_of_a_figure_holds_the_truth_nearly_always() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for seed in range(60):
        series = next(s for s in find_series(run(noise=0.05, seed=seed)) if s.variant == Mode.SYNC)
        result = estimate(series.sliced(), rng)
        assert result is not None
        hits += result.throughput.low <= 100 <= result.throughput.high
    assert hits >= 54


def test_phases_that_answered_nothing_have_no_interval() -> None:
    empty = SlicedPhase(Mode.SYNC, SliceTable.of([SliceStats(1.0) for _ in range(5)]))
    rng = np.random.default_rng(1)
    assert estimate([], rng) is None
    assert estimate([empty], rng) is None
    assert compare_series([empty], [empty], rng) is None


def test_a_slower_run_is_a_regression_in_throughput_and_a_faster_one_an_improvement() -> None:
    slower = verdicts(run(100), run(60, 0.02))
    assert {slower[mode, "throughput"] for mode in ("sync", "async")} == {RegressionVerdict.REGRESSION}
    times = {slower[mode, figure] for mode in ("sync", "async") for figure in ("p50", "p99")}
    assert times == {RegressionVerdict.REGRESSION}
    assert set(verdicts(run(60, 0.02), run(100)).values()) == {RegressionVerdict.IMPROVEMENT}


@pytest.mark.parametrize(
    ("interval", "upwards", "verdict"),
    [
        ((0.8, 0.7, 0.9), True, RegressionVerdict.REGRESSION),
        ((0.8, 0.7, 0.9), False, RegressionVerdict.IMPROVEMENT),
        ((1.2, 1.1, 1.3), False, RegressionVerdict.REGRESSION),
        ((1.2, 1.1, 1.3), True, RegressionVerdict.IMPROVEMENT),
        ((0.8, 0.6, 1.01), True, RegressionVerdict.NONE),
        ((0.8, 0.6, 1.0), True, RegressionVerdict.NONE),
        ((1.2, 1.0, 1.4), True, RegressionVerdict.NONE),
        ((0.96, 0.93, 0.99), True, RegressionVerdict.WITHIN),
    ],
)
def test_the_word_follows_interval_and_tolerance(
    interval: tuple[float, float, float], upwards: bool, verdict: RegressionVerdict
) -> None:
    assert judge_ratio(Interval(*interval), 0.05, upwards=upwards) is verdict


def test_more_failures_and_less_recall_are_regressions_whatever_the_tolerance() -> None:
    good, bad = {Outcome.OK: 1000}, {Outcome.OK: 950, Outcome.TIMEOUT: 50}
    before: dict[str, Any] = {"recall": 0.97, "mrr": 0.8, "outcomes": good}
    after: dict[str, Any] = {"recall": 0.90, "mrr": 0.7, "outcomes": bad}
    old = record(*(phase(mode, 8, timed([100] * 10, **before)) for mode in ("sync", "async") * 2))
    new = record(*(phase(mode, 8, timed([100] * 10, **after)) for mode in ("sync", "async") * 2))
    result = verdicts(old, new, tolerance=0.5)
    assert {result["sync", name] for name in ("failures", "recall", "mrr")} == {RegressionVerdict.REGRESSION}
    assert verdicts(new, old)["sync", "failures"] is RegressionVerdict.IMPROVEMENT
    assert ("sync", "failures") not in verdicts(old, old)


def recalls(*values: float) -> RunRecord:
    modes = ("sync", "async", "async", "sync") * 2
    return record(*(phase(mode, 8, timed([100] * 10, recall=values[n // 2])) for n, mode in enumerate(modes)))


def test_recall_that_scatters_from_round_to_round_is_no_regression_by_chance() -> None:
    """Each round checks other queries, so that few checks tell a recall badly."""
    old, new = recalls(0.99, 0.95, 0.98, 0.96), recalls(0.97, 0.93, 0.96, 0.94)
    assert verdicts(old, new)["sync", "recall"] is RegressionVerdict.NONE
    assert verdicts(old, recalls(0.90, 0.86, 0.89, 0.87))["sync", "recall"] is RegressionVerdict.REGRESSION
    steady = recalls(0.97, 0.97, 0.97, 0.97)
    assert verdicts(steady, recalls(*[0.965] * 4), tolerance=0.0)["sync", "recall"] is RegressionVerdict.NONE
    assert verdicts(steady, recalls(*[0.955] * 4), tolerance=0.0)["sync", "recall"] is RegressionVerdict.REGRESSION


def test_phases_that_do_not_count_are_invalid_with_their_reason() -> None:
    sick = record(*(phase(mode, 8, timed([60] * 10, recall=None), saturated=True) for mode in ("sync", "async") * 2))
    short = record(*(phase(mode, 8, timed([60] * 10, recall=None), seconds=4.0) for mode in ("sync", "async") * 2))
    single = record(phase("sync", 8, timed([60] * 10)), phase("async", 8, timed([60] * 10)))
    blind = {"watched_share": 0.2}
    unseen = record(*(phase(mode, 8, timed([60] * 10), generator=blind) for mode in ("sync", "async") * 2))
    limit = (sick, "the load generator was the limit")
    for other, reason in (
        limit,
        (unseen, "the load generator was not monitored"),
        (short, "aborted"),
        (single, "1 of 2 phases"),
    ):
        regressions = find_regressions(run(), other, 0.05)
        assert {finding.verdict for finding in regressions} == {RegressionVerdict.INVALID}
        assert all(reason in finding.reason for finding in regressions)


def test_an_aborted_phase_is_known_by_the_others_of_its_series() -> None:
    """Its own slices cover the seconds that it lasted."""
    whole = [phase(mode, 8, timed([60] * 10, recall=None)) for mode in ("sync", "async", "async")]
    cut = phase("sync", 8, timed([60] * 4, recall=None), seconds=4.0)
    other = record(*whole, cut)
    found = find_regressions(run(), other, 0.05)
    said = {(finding.series.variant, finding.verdict, finding.reason) for finding in found if finding.figure != "p50"}
    assert {one for one in said if one[0] == "sync"} == {
        ("sync", RegressionVerdict.INVALID, "a phase of NEW was aborted")
    }
    assert ("async", RegressionVerdict.REGRESSION, "") in said
    is_sought = RateSearchRecord.model_construct()  # type: ignore[call-arg] # its presence is enough
    search = other.model_copy(update={"rate_search": is_sought})
    assert {finding.reason for finding in find_regressions(run(), search, 0.05)} == {""}


def test_at_a_rate_of_arrivals_the_throughput_is_not_judged() -> None:
    rounds = [
        phase(mode, None, timed([50] * 10, recall=None), model="poisson", rate=50.0)
        for mode in ("sync", "async", "async", "sync")
    ]
    assert {finding.figure for finding in find_regressions(record(*rounds), record(*rounds), 0.05)} == {"p50", "p99"}


def test_what_changed_is_told_and_where_results_go_is_not() -> None:
    old = record(
        manifest=manifest(settings={"index_type": "HNSW", "record": "a", "cache": "a", "host": "http://127.0.0.1:1"})
    )
    new = record(
        manifest=manifest(
            settings={
                "index_type": "FLAT",
                "record": "b",
                "print_record": True,
                "record_url": "s3://bucket",
                "resume": True,
                "host": "http://127.0.0.1:2",
                "top_k": 5,
            },
            packages={"milvus-loadgen": "0.1.0", "locust": "2.48.0"},
            server_version="2.6.0",
        )
    )
    assert [str(change) for change in find_changes(old, new)] == [
        "setting index_type: HNSW -> FLAT",
        "setting top_k: none -> 5",
        "package locust: 2.47.0 -> 2.48.0",
        "server version: 2.3.5 -> 2.6.0",
    ]


def refused(old: RunRecord, new: RunRecord, *allowed: str) -> str:
    return "\n".join(find_refusals(old, new, allowed))


def test_other_work_is_refused_unless_it_is_the_change_to_look_at() -> None:
    old, new = run(), run()
    small = manifest(settings={"rows": 100, "index_type": "HNSW"})
    large = manifest(settings={"rows": 1000, "index_type": "FLAT"})
    old, new = old.model_copy(update={"manifest": small}), new.model_copy(update={"manifest": large})
    assert refused(old, new).startswith("rows is 100 in OLD and 1000 in NEW")
    assert refused(old, new, "rows") == ""


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({"queries_per_search": 1}, {"queries_per_search": 10}, "queries_per_search is 1 in OLD and 10 in NEW"),
        ({"filter": ""}, {"filter": "year > 2000"}, "filter is none in OLD and year > 2000 in NEW"),
        ({"search_kind": "dense"}, {"search_kind": "mmr"}, "search_kind is dense in OLD and mmr in NEW"),
        ({}, {"queries_per_search": 10}, "queries_per_search is none in OLD and 10 in NEW"),
        ({}, {"queries_per_search": 1, "output_fields": [], "upsert": False, "filter": ""}, ""),
        ({"queries_per_search": 1}, {}, ""),
    ],
)
def test_searches_that_do_other_work_are_refused_and_settings_that_an_old_version_lacks_are_not(
    before: dict[str, Any], after: dict[str, Any], reason: str
) -> None:
    old, new = (run().model_copy(update={"manifest": manifest(settings=some)}) for some in (before, after))
    assert refused(old, new).startswith(reason)
    assert bool(refused(old, new)) is bool(reason)


def test_a_variant_that_does_other_work_under_the_same_name_is_refused_unless_that_is_the_change() -> None:
    pair = []
    for top_k in (5, 50):
        given = run()
        quick = variant("quick", "async", top_k=top_k)
        kept = given.manifest.model_copy(update={"variants": (*given.manifest.variants, quick)})
        pair.append(given.model_copy(update={"manifest": kept}))
    old, new = pair
    assert refused(old, new).startswith("quick top_k is 5 in OLD and 50 in NEW, so operations do different work.")
    assert refused(old, new, "top_k") == ""
    assert [str(change) for change in find_changes(old, new)] == ["variant quick top_k: 5 -> 50"]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (record(phase("sync", 8, timed([9] * 5, name="insert"))), "OLD ran search, NEW insert: a different mix"),
        (record(phase("sync", 16, timed([9] * 5))), "no variant and load level in common"),
        (record(phase("sync", None, timed([9] * 5), model="poisson", rate=9.0)), "the closed model, NEW poisson"),
        (record(phase("sync", 1, operation(), style="threads")), "NEW has no planned phases"),
        (record(phase("async", 8, operation())), "NEW has no planned phases"),
    ],
)
def test_runs_of_other_things_are_refused_with_the_reason(other: RunRecord, reason: str) -> None:
    assert reason in refused(run(), other)
    assert refused(run(), run()) == ""


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (1, 63.657),
        (2, 9.925),
        (3, 5.841),
        (4, 4.604),
        (5, 4.032),
        (10, 3.169),
        (29, 2.756),
        (120, 2.617),
        (10**6, 2.58),
    ],
)
def test_the_quantile_of_students_t_is_that_of_the_tables(degrees: int, expected: float) -> None:
    assert t_quantile(0.99, degrees) == pytest.approx(expected, abs=1e-3)
