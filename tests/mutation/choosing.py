"""Which tests can tell a mutant from the program: those that execute what it changes, the fastest first."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

SLOW = 5.0
"""A test that takes more seconds is asked only where no other executes the line."""
BUDGET = 45.0
"""Seconds for all tests of one mutant, measured on unchanged code. What these do not notice, no other test does."""
EVERYWHERE = "tests/unit/test_values.py::"
"""Tests that look at every class of the package; they execute no line of it."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What the tests execute."""

    seconds: Mapping[str, float]
    lines: Mapping[str, Mapping[str, frozenset[int]]] = field(repr=False)
    """Lines by module and test."""

    def choose(self, module: str, source: str, line: int) -> list[str]:
        """The tests for a mutant in this line, in the order in which to ask them; none where none executes its module.

        First those that execute the line, then others of the module: coverage does not see all that greenlets execute,
        and what importing executes, such as a constant or a default, it sees once. Where nobody executes a module that
        has no function, all tests are asked. As many are asked as take `BUDGET` seconds together.
        """
        by_test = self.lines.get(module, {})
        statement = statement_at(source, line)
        running = self.in_order({test for test, lines in by_test.items() if not statement.lines.isdisjoint(lines)})
        others = self.in_order(set(by_test) - set(running))
        if statement.is_in_function:
            return self.within_budget([*running, *others])
        everywhere = [test for test in self.seconds if test.startswith(EVERYWHERE)]
        others = others if by_test else self.in_order(set(self.seconds))
        return self.within_budget(list(dict.fromkeys([*everywhere, *running, *others])))

    def within_budget(self, tests: list[str]) -> list[str]:
        """As many of the first as take `BUDGET` seconds together."""
        spent = accumulate(self.seconds[test] for test in tests)
        return [test for test, seconds in zip(tests, spent, strict=True) if seconds <= BUDGET] or tests[:1]

    def in_order(self, tests: set[str]) -> list[str]:
        """The fastest first, and the slow ones only where there are no others."""
        known = sorted(tests, key=lambda test: (self.seconds[test], test))
        return [test for test in known if self.seconds[test] <= SLOW] or known


@dataclass(frozen=True, slots=True)
class Statement:
    """The lines of a statement; of one with a body, those before the body."""

    lines: frozenset[int]
    is_in_function: bool


def statement_at(source: str, line: int) -> Statement:
    """The innermost statement around this line.

    A call over several lines is executed as a whole, but coverage names only some of its lines.
    """
    result = Statement(frozenset({line}), is_in_function=False)
    nodes: list[tuple[ast.AST, bool]] = [(ast.parse(source), False)]
    for node, is_in_function in nodes:  # grows meanwhile: a node is followed by its contents
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(node, ast.stmt) and line in (lines := lines_of(node)):
            result = Statement(lines, is_in_function)
        nodes += [(child, is_in_function or is_function) for child in ast.iter_child_nodes(node)]
    return result


def lines_of(node: ast.stmt) -> frozenset[int]:
    """Of a simple statement all of them, of another the lines of its head with its decorators."""
    first = min([node.lineno, *(part.lineno for part in getattr(node, "decorator_list", []))])
    last = node.end_lineno or node.lineno
    body = getattr(node, "body", None)
    if isinstance(body, list) and body:
        last = max(node.lineno, body[0].lineno - 1)
    return frozenset(range(first, last + 1))
