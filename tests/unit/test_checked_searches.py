"""Which searches are checked, and what of a run cannot be checked."""

from pathlib import Path

import numpy as np

from loadgen.datasets import (
    Checks,
    GroundTruth,
    GroundTruthKey,
    open_dataset,
)
from loadgen.locust_plugin.preparation.answers import find_ground_truths
from loadgen.locust_plugin.preparation.result_settings import find_faults
from loadgen.settings.model import Settings


def truth(number: int) -> GroundTruth:
    return GroundTruth(1, np.arange(number), np.arange(number))


def armed(every: int, queries: list[object]) -> Checks:
    checks = Checks()
    checks.begin()
    checks.arm(every, [(GroundTruthKey(1), queries)], str)
    return checks


def test_one_in_so_many_searches_is_checked_once_the_truth_is_known() -> None:
    queries = [object() for _ in range(4)]
    checks = armed(3, queries)
    for turn in range(12):
        checks.keep("search", queries[turn % 4], [str(turn % 4)])
    assert list(checks.settle()) == [], "they wait"
    checks.learn([truth(3)])
    result = [(check.query, check.recall) for check in checks.settle()]
    assert result == [(2, 1.0), (1, 1.0), (0, 1.0)], "turns 2, 5, 8; the truth does not know query 3 of turn 11"
    assert list(checks.settle()) == []


def test_no_search_is_checked_with_0_and_none_of_a_query_that_a_user_made() -> None:
    queries = [object()]
    for every, query in ((0, queries[0]), (1, object())):
        checks = armed(every, queries)
        checks.learn([truth(1)])
        checks.keep("search", query, ["0"])
        assert list(checks.settle()) == []


def test_an_answer_without_rows_has_recall_0() -> None:
    queries = [object()]
    checks = armed(1, queries)
    checks.learn([truth(1)])
    checks.keep("search", queries[0], None)
    assert [check.recall for check in checks.settle()] == [0]


def test_answers_that_nobody_compares_do_not_grow_without_bound() -> None:
    queries = [object()]
    checks = armed(1, queries)
    for _ in range(20_000):
        checks.keep("search", queries[0], ["0"])
    checks.learn([truth(1)])
    assert len(list(checks.settle())) == 10_000


def test_a_recall_that_nobody_measures_cannot_be_required() -> None:
    asked: dict[str, object] = {"record": "", "require": ("search recall >= 0.9",)}
    assert find_faults(Settings.parse({"recall_every": 0, "record": ""})) == []
    assert [str(fault) for fault in find_faults(Settings.parse({"recall_every": 0} | asked))] == [
        "--recall-every 0: leaves the required recall unmeasured. Use --recall-every 20."
    ]
    assert find_faults(Settings.parse(asked)) == []


def test_a_ratio_of_throughput_is_not_required_of_arrivals(tmp_path: Path) -> None:
    asked = {"record": str(tmp_path), "require": "search ratio > 1.2"}
    arrivals = {"arrival": "poisson", "rate": "50"}
    (reported,) = find_faults(Settings.parse(asked | arrivals))
    assert str(reported).startswith('--require "search ratio > 1.2": is of operations/s, which --arrival poisson makes')
    assert find_faults(Settings.parse(asked)) == []


def test_nothing_is_looked_for_where_no_search_is_checked() -> None:
    settings = Settings.parse({"recall_every": 0, "rows": 1_000_000_000})
    assert find_ground_truths([settings], open_dataset(settings)) == ()
