"""What a mutation run leaves alone, how it draws its sample, and which tests it asks."""

import pytest

from tests.mutation.choosing import Traces, statement_at
from tests.mutation.exclusions import find_exclusions
from tests.mutation.mutants import share_out
from tests.mutation.running import KILLED, PARTS, SPARE, SURVIVED, TIMEOUT, UNSEEN, try_tests

SOURCE = """\
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    SIZE = 2 * 3

LIMIT = 7

def half(
    number: int | None = 1 | 2, *, exact: bool = False
) -> int | float:
    if exact and number:
        return (
            number / 2
        )
    return number // 2

if __name__ == "__main__":
    half(1)
"""
LINES = SOURCE.splitlines()


def cover(operator: str, line: int, text: str) -> bool:
    return find_exclusions(SOURCE).cover(operator, (line, LINES[line - 1].index(text)))


@pytest.mark.parametrize(
    ("operator", "line", "text", "is_excluded"),
    [
        ("ReplaceBinaryOperator_Mul_Add", 4, "*", True),
        ("NumberReplacer", 4, "3", True),
        ("NumberReplacer", 6, "7", False),
        ("ReplaceBinaryOperator_BitOr_Add", 9, "| None", True),
        ("ReplaceBinaryOperator_BitOr_Add", 9, "| 2", False),
        ("ReplaceBinaryOperator_Mul_Div", 9, "*", True),
        ("ReplaceBinaryOperator_BitOr_Add", 10, "|", True),
        ("ReplaceAndWithOr", 11, "and", False),
        ("ReplaceBinaryOperator_Div_Add", 13, "/", False),
        ("NumberReplacer", 18, "1", True),
        ("ReplaceComparisonOperator_Eq_NotEq", 17, "==", True),
        ("ReplaceComparisonOperator_Eq_Is", 11, "and", True),
        ("ReplaceComparisonOperator_Eq_IsNot", 11, "and", False),
        ("VariableReplacer", 6, "7", True),
    ],
)
def test_types_blocks_that_never_run_and_identity_are_left_alone(
    operator: str, line: int, text: str, is_excluded: bool
) -> None:
    assert cover(operator, line, text) is is_excluded


@pytest.mark.parametrize(
    ("line", "lines", "is_in_function"),
    [(6, {6}, False), (9, {8, 9, 10}, False), (11, {11}, True), (13, {12, 13, 14}, True), (15, {15}, True)],
)
def test_a_statement_has_all_its_lines_and_a_head_is_no_part_of_its_body(
    line: int, lines: set[int], is_in_function: bool
) -> None:
    result = statement_at(SOURCE, line)
    assert (set(result.lines), result.is_in_function) == (lines, is_in_function)


def test_the_fastest_test_that_executes_the_line_is_asked_first_then_others_of_the_module() -> None:
    lines = {"a": frozenset({15}), "b": frozenset({11, 15}), "c": frozenset({11, 12, 15}), "d": frozenset({12})}
    traces = Traces({"a": 0.3, "b": 0.2, "c": 60.0, "d": 0.1, "e": 0.4}, {"half.py": lines})
    assert traces.choose("half.py", SOURCE, 15) == ["b", "a", "d"]
    assert traces.choose("half.py", SOURCE, 13) == ["d", "b", "a"]
    only_slow = Traces({"c": 60.0}, {"half.py": {"c": frozenset({15})}})
    assert only_slow.choose("half.py", SOURCE, 15) == ["c"]
    assert traces.choose("half.py", SOURCE, 6) == ["d", "b", "a"]  # an import: all that execute any of the module
    assert traces.choose("other.py", SOURCE, 6) == ["d", "b", "a", "e"]
    assert traces.choose("other.py", SOURCE, 15) == []


def test_a_sample_is_shared_out_by_size_to_the_last_one() -> None:
    assert share_out({"a": 50, "b": 30, "c": 20}, 10) == {"a": 5, "b": 3, "c": 2}
    assert share_out({"a": 1, "b": 1, "c": 1}, 2) == {"a": 1, "b": 1, "c": 0}
    assert share_out({"a": 2, "b": 1}, 300) == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("answers", "number", "fate"),
    [
        (["passed", "passed"], PARTS[0] + 2, SURVIVED),
        (["passed", "failed"], PARTS[0] + 2, KILLED),
        (["failed"], PARTS[0] + 2, KILLED),
        (["timeout"], 3, TIMEOUT),
        (["passed"], PARTS[0], SURVIVED),
        ([], 0, UNSEEN),
    ],
)
def test_a_mutant_is_killed_by_the_first_failure_or_by_time(answers: list[str], number: int, fate: str) -> None:
    tests = [f"test {index}" for index in range(number)]
    asked: list[tuple[int, float]] = []
    given = iter(answers)

    def run(some: list[str], seconds: float) -> str:
        asked.append((len(some), seconds))
        return next(given)

    assert try_tests(tests, Traces(dict.fromkeys(tests, 2.0), {}), run) == fate
    assert [size for size, _ in asked] == [min(number, PARTS[0]), number - PARTS[0]][: len(answers)]
    assert all(seconds == SPARE + 6.0 * size for size, seconds in asked)


def test_tests_that_are_gone_end_the_run_and_kill_nothing() -> None:
    with pytest.raises(RuntimeError, match="no longer there"):
        try_tests(["test"], Traces({"test": 1.0}, {}), lambda _tests, _seconds: "nothing")
