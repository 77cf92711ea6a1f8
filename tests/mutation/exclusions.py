"""Places where a mutation cannot change what the program does, or changes it for nobody."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

Position = tuple[int, int]
"""Line from 1, column from 0."""
IDENTITY = ("Eq_Is", "NotEq_IsNot", "Is_Eq", "IsNot_NotEq")
"""Equality for identity and back: the same for enum members, classes, booleans and interned names."""
SEPARATOR = re.compile(r"[*/](?=[,)])")
PARAMETRISED = ("VariableReplacer", "VariableInserter")
"""Operators that need the names of variables to work on."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of source from its first to behind its last character."""

    start: Position
    end: Position

    def __contains__(self, position: Position) -> bool:
        return self.start <= position < self.end


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What is left alone in one module: all of some blocks, and what looks like a binary operator elsewhere."""

    blocks: tuple[Span, ...]
    no_operators: tuple[Span, ...]

    def cover(self, operator: str, position: Position) -> bool:
        """Whether this operator is not used there."""
        if operator.startswith(PARAMETRISED) or operator.endswith(IDENTITY):
            return True
        if any(position in block for block in self.blocks):
            return True
        return "BinaryOperator" in operator and any(position in span for span in self.no_operators)


def find_exclusions(source: str) -> Exclusions:
    """Of a module: `if TYPE_CHECKING` and `if __name__ == "__main__"`, types such as `X | None`, bare `*` and `/`."""
    nodes = list(ast.walk(ast.parse(source)))
    blocks = [span(node) for node in nodes if isinstance(node, ast.If) and is_never_run(node.test)]
    types = (span(each) for node in nodes for each in annotations_of(node))
    return Exclusions(tuple(blocks), (*types, *find_separators(source)))


def find_separators(source: str) -> Iterator[Span]:
    """The `*` and `/` that only separate kinds of parameters; cosmic-ray takes them for multiplication."""
    for number, line in enumerate(source.splitlines(), 1):
        for match in SEPARATOR.finditer(line):
            yield Span((number, match.start()), (number, match.end()))


def is_never_run(test: ast.expr) -> bool:
    """Whether this condition is false in a test."""
    return any(isinstance(node, ast.Name) and node.id in ("TYPE_CHECKING", "__name__") for node in ast.walk(test))


def annotations_of(node: ast.AST) -> Iterator[ast.expr]:
    """The annotations that this node itself has."""
    exprs: list[ast.expr | None] = []
    if isinstance(node, ast.arg | ast.AnnAssign):
        exprs = [node.annotation]
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        exprs = [node.returns]
    yield from (part for part in exprs if part is not None)


def span(node: ast.stmt | ast.expr) -> Span:
    """Where this node is."""
    return Span((node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0))
