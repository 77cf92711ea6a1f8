"""Whether the answers of two variants to the same query agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

SCORES_APART = 1e-5
SHOWN = 3


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The result of one search, nearest first."""

    ids: tuple[str, ...]
    scores: tuple[float, ...]


def find_difference(names: tuple[str, str], one: Sequence[SearchAnswer], other: Sequence[SearchAnswer]) -> str:
    """Describe the first query whose answers differ, with the number of such queries; empty if all agree.

    The ids must be equal and their scores within 1e-5. The order of ties may differ, and any tied row is accepted at
    the end of the answer.
    """
    different = [number for number, pair in enumerate(zip(one, other, strict=True)) if not agree(*pair)]
    if not different:
        return ""
    at = different[0]
    return (
        f"{names[0]} and {names[1]} answers differ for {len(different)} of {len(one)} queries; "
        f"the first is query {at}: {names[0]} {_shown(one[at], other[at])}, {names[1]} {_shown(other[at], one[at])}"
    )


def agree(one: SearchAnswer, other: SearchAnswer) -> bool:
    """Whether two answers to one query are the same, but for ties."""
    if len(one.ids) != len(other.ids) or len(one.scores) != len(other.scores):
        return False
    if not all(_is_near(*pair) for pair in zip(one.scores, other.scores, strict=True)):
        return False
    by_id = [dict(zip(answer.ids, answer.scores, strict=True)) for answer in (one, other)]
    return all(_is_excused(by_id[at], by_id[1 - at], (one, other)[at]) for at in range(2))


def _is_excused(mine: dict[str, float], theirs: dict[str, float], answer: SearchAnswer) -> bool:
    """Every id is in the other answer with its score, or ties with the last one."""
    return all(
        _is_near(score, theirs[result]) if result in theirs else _is_near(score, answer.scores[-1])
        for result, score in mine.items()
    )


def _is_near(one: float, other: float) -> bool:
    return abs(one - other) <= SCORES_APART * max(1.0, abs(one))


def _shown(answer: SearchAnswer, other: SearchAnswer) -> str:
    """The positions at which it differs from the other: ids with scores."""
    pairs = [tuple(zip(each.ids, each.scores, strict=True)) for each in (answer, other)]
    places = [
        f"{mine[0]} ({mine[1]:.6f})" if mine else "nothing"
        for mine, theirs in zip_longest(*pairs)
        if mine is None or theirs is None or mine[0] != theirs[0] or not _is_near(mine[1], theirs[1])
    ]
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return ", ".join(places[:SHOWN]) + more
