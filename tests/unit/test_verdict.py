"""The verdict says what the record says, in words for somebody who sees it for the first time."""

from typing import Any

import pytest

from loadgen.measure.sample import Outcome
from loadgen.results.record import Comparison, PhaseRecord, Ratio
from loadgen.results.verdict import explain
from loadgen.results.verdict.phrases import show_ratio, show_time
from loadgen.text.listing import join
from tests.unit.record_support import comparison, operation, phase, record, timed

WINS: dict[str, Any] = {"verdict": "variant", "share_ahead": 0.995}
SAME: dict[str, Any] = {"verdict": "no difference", "throughput": (0.85, 1.13), "share_ahead": 0.4}
LOSES: dict[str, Any] = {"verdict": "baseline", "throughput": (0.7, 0.8), "share_ahead": 0.001}
TAIL = (
    "At {} 99 of 100 search operations of a typical phase were answered within 10 ms with sync and 10 ms with async "
    "(ratio 1.00, 95 % interval 0.90 to 1.10: no difference shown)."
)


def rounds(*levels: int, recall: float | None = None, **given: Any) -> list[PhaseRecord]:
    order = ("sync", "async", "async", "sync")
    return [phase(mode, users, timed([100] * 5, recall=recall), **given) for users in levels for mode in order]


def reported(*comparisons: Comparison, recall: float | None = None) -> list[str]:
    levels = [one.concurrency for one in comparisons if one.concurrency]
    return explain(record(*rounds(*levels, recall=recall), comparisons=comparisons)).lines()


def test_async_wins_from_a_level_on() -> None:
    assert reported(
        comparison(1, 1.0, **SAME), comparison(8, 1.02, **SAME), comparison(32, 1.4, **WINS), recall=0.97
    ) == [
        (
            "search: async gives 1.40 times the throughput of sync from 32 users on (95 % interval 1.20 to "
            "1.40, 99.5 % certain); no significant difference at 1 and 8 users."
        ),
        TAIL.format("32 users"),
        "Both returned the same neighbours: recall 0.970 with sync and 0.970 with async.",
    ]


def test_async_wins_at_every_level() -> None:
    assert reported(comparison(1, 1.2, **WINS), comparison(8, 1.4, **WINS))[0] == (
        "search: async gives 1.20 to 1.40 times the throughput of sync at every level measured, 1 and 8 "
        "users (99.0 % certain)."
    )


def test_async_wins_at_the_only_level() -> None:
    assert reported(comparison(8, 1.3, **WINS)) == [
        "search: async gives 1.30 times the throughput of sync at 8 users (95 % interval 1.20 to 1.40).",
        TAIL.format("8 users"),
    ]


def test_sync_wins_and_its_ratio_is_of_sync_to_async() -> None:
    assert reported(comparison(1, 0.75, **LOSES), comparison(8, 1.0, **SAME))[0] == (
        "search: sync gives 1.33 times the throughput of async at 1 user (95 % interval 1.25 to 1.43); no"
        " significant difference at 8 users."
    )


def test_async_that_wins_in_the_middle_only_has_no_crossing() -> None:
    assert reported(comparison(1, 1.3, **WINS), comparison(8, 0.75, **LOSES))[0] == (
        "search: async gives 1.30 times the throughput of sync at 1 user (95 % interval 1.20 to 1.40); sync"
        " gives 1.33 times the throughput of async at 8 users (95 % interval 1.25 to 1.43)."
    )


def test_no_difference_tells_how_large_one_could_be() -> None:
    assert reported(comparison(1, 1.0, **SAME), comparison(8, 1.0, **SAME))[0] == (
        "search: no significant difference at 1 and 8 users: async gives between 0.85 and 1.13"
        " times the throughput of sync."
    )


def test_an_invalid_comparison_has_no_winner_and_tells_why() -> None:
    reason = "phase 2: the load generator used 97% of its core: add workers"
    assert reported(comparison(8, 1.3, verdict="invalid", reasons=(reason,))) == [
        "search: no verdict at 8 users.",
        f"Warning: No verdict for search at 8 users: {reason}.",
    ]


def test_an_invalid_level_does_not_hide_the_others() -> None:
    assert reported(comparison(1, 1.3, **WINS), comparison(8, None, verdict="invalid", reasons=("why",)))[0] == (
        "search: async gives 1.30 times the throughput of sync at 1 user (95 % interval 1.20 to 1.40); no"
        " verdict at 8 users."
    )


def test_failures_are_told_by_mode_and_outcome() -> None:
    bad = operation(outcomes={Outcome.OK: 970, Outcome.EMPTY: 5, Outcome.TIMEOUT: 20, Outcome.THROTTLED: 5})
    phases = (phase("sync", 8, bad), phase("async", 8, operation(outcomes={Outcome.OK: 1})))
    assert explain(record(*phases)).warnings == (
        "search operations failed: 25 of 1,000 with sync (2.5 %: timeout 20, throttled 5).",
    )


def arrivals(**given: Any) -> list[str]:
    phases = [
        phase(mode, None, timed([100] * 5, recall=None), model="poisson", rate=100.0) for mode in ("sync", "async")
    ]
    return explain(record(*phases, comparisons=(comparison(None, 1.0, rate=100.0, **given),))).lines()


def test_in_the_open_model_the_sooner_answer_wins() -> None:
    sooner = Ratio(estimate=0.8, low=0.7, high=0.9)
    assert arrivals(verdict="variant", p99=sooner) == [
        (
            "search: async is faster at 100/s: the p99 response time of async is 0.80 times that of sync "
            "(95 % interval 0.70 to 0.90)."
        ),
        (
            "At 100/s 99 of 100 search operations of a typical phase were answered within 10 ms with sync and 10 ms "
            "with async (ratio 0.80, 95 % interval 0.70 to 0.90: async is faster)."
        ),
    ]
    assert arrivals(verdict="baseline", p99=Ratio(estimate=1.3, low=1.1, high=1.5))[0] == (
        "search: sync is faster at 100/s: the p99 response time of async is 1.30 times that of sync "
        "(95 % interval 1.10 to 1.50)."
    )
    assert arrivals(verdict="no difference")[0] == (
        "search: no significant difference at 100/s: the p99 response time of async is between"
        " 0.90 and 1.10 times that of sync."
    )


def test_in_the_open_model_a_mode_that_dropped_arrivals_loses_by_that() -> None:
    reason = "async dropped 5.00% of its arrivals"
    reported = arrivals(verdict="baseline", reasons=(reason,), p99=Ratio(estimate=0.8, low=0.7, high=0.9))
    assert reported[0] == f"search: sync wins at 100/s ({reason})."
    assert not [line for line in reported if "99 of 100" in line], "those that waited longest are in no percentile"


def test_one_mode_alone_has_figures_and_nothing_to_compare() -> None:
    assert explain(record(phase("async", 8, timed([200] * 5)))).lines()[:2] == [
        "search: 100.0 operations/s with async at 8 users, p99 10 ms.",
        "Only async was measured, so there is nothing to compare it with.",
    ]


def test_different_recall_is_told() -> None:
    phases = (phase("sync", 8, operation(recall=0.97)), phase("async", 8, operation(recall=0.9)))
    reasons = ("recall differs: sync 0.970, async 0.900",)
    assert explain(record(*phases, comparisons=(comparison(8, verdict="invalid", reasons=reasons),))).findings[-1] == (
        "The variants did not find the same neighbours (recall 0.970 with sync and 0.900 with async), so their "
        "speed cannot be compared."
    )


def test_recall_that_differs_by_chance_takes_nothing_back_of_a_verdict() -> None:
    phases = (phase("sync", 8, operation(recall=0.97)), phase("async", 8, operation(recall=0.95)))
    assert explain(record(*phases, comparisons=(comparison(8),))).findings[-1] == (
        "Recall of search: 0.970 with sync and 0.950 with async: may be chance, as different queries were checked."
    )


def test_the_mean_reciprocal_rank_is_told_after_the_recall() -> None:
    ranks = {"sync": 0.8, "async": 0.75}
    phases = (phase(mode, 8, operation("retrieve", recall=1.0, mrr=mrr)) for mode, mrr in ranks.items())
    assert explain(record(*phases)).findings[-1] == (
        "Mean reciprocal rank of retrieve: 0.800 with sync and 0.750 with async."
    )


def test_bursts_name_the_fair_neighbours() -> None:
    phases = [phase(mode, 1, operation(), style=style, seconds=seconds) for mode, style, seconds in BURST]
    assert explain(record(*phases)).headlines == (
        (
            "100 search operations: 2 s on threads, 1 s with async gather and 30 s one after another. "
            "Async gather is 2.00 times as fast here (one measurement, no interval)."
        ),
    )
    refused = operation(outcomes={Outcome.OK: 5, Outcome.THROTTLED: 95})
    failing = [phase(mode, 1, refused if style == "async" else operation(), style=style) for mode, style, _ in BURST]
    (reported,) = explain(record(*failing)).headlines
    assert reported.endswith(" 95 failed. Failures may be fast, so there is no comparison.")
    assert "as fast" not in reported
    alone = explain(record(*phases[:1]))
    assert alone.headlines == ("100 search operations: 30 s one after another.",)


def test_operations_that_share_a_reason_share_its_sentence() -> None:
    result = [comparison(8, operation=name, verdict="invalid", reasons=("why",)) for name in ("insert", "search")]
    assert explain(record(comparisons=tuple(result))).warnings == ("No verdict for insert and search at 8 users: why.",)


def test_a_p99_in_doubt_is_warned_of_beside_a_valid_verdict_of_users_who_wait() -> None:
    hung = "when phase 4 ended, 30 operations had waited longer than its p99, up to 3.00 s"
    result = [comparison(8, operation=name, reasons=(hung,)) for name in ("insert", "search")]
    (warning,) = explain(record(comparisons=(*result, comparison(32)))).warnings
    assert warning == f"The p99 of insert and search at 8 users is too low: {hung}. The verdict is on operations/s."
    dropped = comparison(None, rate=100.0, reasons=("sync dropped 2.91% of its arrivals",))
    assert not explain(record(comparisons=(dropped,))).warnings, "the verdict says it"


BURST = (("sync", "sync", 30.0), ("sync", "threads", 2.0), ("async", "async", 1.0))


def test_a_run_without_an_operation_says_so() -> None:
    assert explain(record()).lines() == ["Nothing was measured: no operation ended within a phase."]


def test_each_operation_has_its_own_sentence() -> None:
    both = (timed([100] * 5), timed([50] * 5, name="insert"))
    phases = [phase(mode, 8, *both) for mode in ("sync", "async")]
    result = (comparison(8, 1.3, **WINS), comparison(8, 0.75, operation="insert", **LOSES))
    first, second = explain(record(*phases, comparisons=result)).headlines
    assert first.startswith("insert: sync gives 1.33 times")
    assert second.startswith("search: async gives 1.30 times")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "nothing measured"), (0.00123, "1.23 ms"), (0.5, "500 ms"), (1.5, "1,500 ms"), (12, "12.0 s")],
)
def test_times_are_shown_with_as_many_digits_as_they_deserve(seconds: float | None, shown: str) -> None:
    assert show_time(seconds) == shown


def test_lists_and_ratios_read_as_in_a_sentence() -> None:
    assert [join(["1"]), join(["1", "8"]), join(["1", "8", "32"])] == ["1", "1 and 8", "1, 8 and 32"]
    assert [show_ratio(1.066), show_ratio(12.34)] == ["1.07", "12.3"]
