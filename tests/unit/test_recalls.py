"""Whether two sides found the same: by their recalls, and by their answers to the same queries."""

import pytest

from loadgen.datasets import (
    SearchAnswer,
    find_difference,
)
from loadgen.measure.recall import Check, Recalls, differ

MODES = ("sync", "async")


def recalls(values: dict[int, float], changed: bool = False) -> Recalls:
    made = Recalls(changed=changed)
    for query, value in values.items():
        made.add(query, 2 * value, checks=2)
    return made


EVEN = {query: 0.9 + 0.1 * (query % 2) for query in range(40)}


def test_sides_that_find_the_same_for_each_query_do_not_differ_whichever_queries_each_was_asked() -> None:
    easy = {query: value for query, value in EVEN.items() if query % 2 or query < 20}
    hard = {query: value for query, value in EVEN.items() if not query % 2 or query < 20}
    assert recalls(easy).mean != pytest.approx(recalls(hard).mean, abs=0.01)
    assert differ(recalls(easy), recalls(hard)) is None


def test_sides_differ_beyond_chance_and_a_hundredth() -> None:
    worse = {query: value - 0.05 for query, value in EVEN.items()}
    result = differ(recalls(EVEN), recalls(worse))
    assert result is not None
    assert result == pytest.approx((0.95, 0.90))
    assert differ(recalls(EVEN), recalls({q: v - 0.009 for q, v in EVEN.items()})) is None
    noisy = {query: value + (0.3 if query % 3 else -0.7) for query, value in EVEN.items()}
    assert differ(recalls(EVEN), recalls(noisy)) is None, "0.02 apart, and as much by chance"


def test_too_few_common_queries_or_data_that_changed_claim_nothing() -> None:
    few, worse = (dict.fromkeys(range(9), value) for value in (1.0, 0.5))
    assert differ(recalls(few), recalls(worse)) is None
    everywhere = dict.fromkeys(range(10), 1.0), dict.fromkeys(range(10), 0.5)
    assert differ(*map(recalls, everywhere)) == (1.0, 0.5)
    assert differ(recalls(everywhere[0], changed=True), recalls(everywhere[1])) is None


def test_recalls_add_up_over_workers_without_loss() -> None:
    whole, parts = Recalls(), [Recalls(), Recalls()]
    for turn in range(100):
        for counted in (whole, parts[turn % 2]):
            counted.add(turn % 7, turn / 100)
    total = Recalls()
    for part in parts:
        total.merge(Recalls.from_message(part.as_message()))
    assert (total.checks, total.changed) == (100, False)
    assert total.mean == pytest.approx(sum(turn / 100 for turn in range(100)) / 100)
    assert {query: count for query, (count, _) in total.by_query.items()} == {
        query: count for query, (count, _) in whole.by_query.items()
    }
    assert Recalls.from_message(recalls({1: 1.0}, changed=True).as_message()).mean is None
    assert Recalls().mean is None


def test_reciprocal_ranks_add_up_over_workers_and_answers_without_one_do_not_count() -> None:
    parts = [Recalls(), Recalls()]
    for turn, rank in enumerate((1.0, 0.5, None, 0.0)):
        parts[turn % 2].count(Check(1.0, turn, 1.0, "retrieve", rank))
    total = Recalls()
    for part in parts:
        total.merge(Recalls.from_message(part.as_message()))
    assert (total.checks, total.mean, total.mean_rank) == (4, 1.0, 0.5)
    total.changed = True
    assert total.mean_rank is None, "what is right may have changed with the data"
    assert Recalls().mean_rank is None


ONE = SearchAnswer(("a", "b", "c"), (0.9, 0.8, 0.7))


@pytest.mark.parametrize(
    ("other", "agrees"),
    [
        (ONE, True),
        (SearchAnswer(("a", "b", "c"), (0.900009, 0.8, 0.699991)), True),
        (SearchAnswer(("a", "b", "c"), (0.90002, 0.8, 0.7)), False),
        (SearchAnswer(("a", "b", "d"), (0.9, 0.8, 0.7)), True),  # tied with the last: either is right
        (SearchAnswer(("a", "d", "c"), (0.9, 0.8, 0.7)), False),
        (SearchAnswer(("b", "a", "c"), (0.9, 0.8, 0.7)), False),
        (SearchAnswer(("a", "b"), (0.9, 0.8)), False),
        (SearchAnswer((), ()), False),
    ],
)
def test_answers_agree_in_ids_and_scores(other: SearchAnswer, agrees: bool) -> None:
    assert (find_difference(MODES, [ONE], [other]) == "") is agrees
    assert (find_difference(MODES, [other], [ONE]) == "") is agrees


def test_tied_rows_may_swap() -> None:
    tied = SearchAnswer(("a", "b", "c"), (0.9, 0.9, 0.7))
    assert find_difference(MODES, [tied], [SearchAnswer(("b", "a", "c"), (0.9, 0.9, 0.7))]) == ""


def test_the_first_difference_is_told_with_ids_and_scores() -> None:
    other = SearchAnswer(("a", "x", "c"), (0.9, 0.85, 0.7))
    assert find_difference(MODES, [ONE, ONE, ONE], [ONE, other, other]) == (
        "sync and async answers differ for 2 of 3 queries; the first is query 1: sync b (0.800000), async x (0.850000)"
    )
