"""Filter expressions: read into a tree, and written for Milvus again.

expression = conjunction { "or" conjunction }                        also ||
conjunction = negation { "and" negation }                            also &&
negation   = ( "not" | "!" ) negation | "(" expression ")" | condition
condition  = field relation value | field [ "not" ] "in" "[" value { "," value } "]" | field "like" text
relation   = "==" | "!=" | "<" | "<=" | ">" | ">="
value      = number | 'text' | "text" | {metadata field, whose value is drawn for each query}
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

LONGEST = 4_000
"""Characters of an expression."""
DEEPEST = 40
"""Parentheses and negations within each other."""
VALUES_AT_MOST = 1_000
"""Values of a list."""
RELATIONS = ("==", "!=", "<=", ">=", "<", ">")
EXAMPLE = "tenant == {tenant} and year >= 2020"
TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_.])
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |\{\s*(?P<placeholder>[A-Za-z_][A-Za-z0-9_]*)\s*\}
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<mark>==|!=|<=|>=|<|>|&&|\|\||!|\(|\)|\[|\]|,)
    )""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)

Value = int | float | str


@dataclass(frozen=True, slots=True)
class Placeholder:
    """The value of a metadata field, drawn for each query."""

    name: str


Operand = Value | Placeholder


@dataclass(frozen=True, slots=True)
class FieldComparison:
    """A field compared with a value."""

    field: str
    relation: str
    """One of `RELATIONS`."""
    value: Operand


@dataclass(frozen=True, slots=True)
class Membership:
    """A field with one of some values, or with none of them."""

    field: str
    values: tuple[Operand, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Likeness:
    """A text field that matches a pattern with %."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Negation:
    """Not."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Junction:
    """Two or more parts, all of which or any of which are true."""

    word: Literal["and", "or"]
    parts: tuple["Expression", ...]


Expression = FieldComparison | Membership | Likeness | Negation | Junction


class FilterError(ValueError):
    """Why a text is no filter expression, with a remedy."""

    def __init__(self, problem: str, hint: str = f'Write for example "{EXAMPLE}".') -> None:
        self.problem, self.hint = problem, hint
        super().__init__(f"{problem}. {hint}")


def parse_filter(text: str) -> Expression:
    """Read an expression. Raises FilterError."""
    if len(text) > LONGEST:
        raise FilterError(f"has {len(text):,} characters", f"Use {LONGEST:,} at most.")
    return _Parser(text).parse()


class _Parser:
    """Reads one text by recursive descent."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_find_tokens(text))
        self._at = 0
        self._depth = 0

    def parse(self) -> Expression:
        junction = self._read_junction("or")
        if self._kind != "end":
            raise FilterError(f"has something after its end: {self._shown}")
        return junction

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _text(self) -> str:
        return self._tokens[self._at][1]

    @property
    def _shown(self) -> str:
        return f"'{self._text}'" if self._kind != "end" else "its end"

    def _take(self, *texts: str) -> bool:
        """Whether the next token is one of these words (in any case) or marks; moves past it."""
        is_taken = self._kind in ("word", "mark") and self._text.lower() in texts
        self._at += is_taken
        return is_taken

    def _read_junction(self, word: Literal["and", "or"]) -> Expression:
        mark = "&&" if word == "and" else "||"
        parts = [self._read_part(word)]
        while self._take(word, mark):
            parts.append(self._read_part(word))
        return parts[0] if len(parts) == 1 else Junction(word, tuple(parts))

    def _read_part(self, word: Literal["and", "or"]) -> Expression:
        return self._read_junction("and") if word == "or" else self._read_negation()

    def _read_negation(self) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise FilterError("is nested too deeply", "Simplify it.")
        expression: Expression
        if self._take("not", "!"):
            expression = Negation(self._read_negation())
        elif self._take("("):
            expression = self._read_junction("or")
            self._require(")")
        else:
            expression = self._read_condition()
        self._depth -= 1
        return expression

    def _read_condition(self) -> Expression:
        if self._kind != "word":
            raise FilterError(f"needs a field where {self._shown} is")
        field = self._text
        self._at += 1
        if self._take("like"):
            if self._kind != "text":
                raise FilterError(f"needs a text in quotes after like, not {self._shown}")
            return Likeness(field, str(self._read_value()))
        is_negated = self._take("not")
        if self._take("in"):
            return Membership(field, self._read_values(), is_negated)
        if is_negated or self._kind != "mark" or self._text not in RELATIONS:
            hint = f"Relations are {' '.join(RELATIONS)}, in and like."
            raise FilterError(f"needs a relation after {field}, not {self._shown}", hint)
        relation = self._text
        self._at += 1
        return FieldComparison(field, relation, self._read_value())

    def _read_values(self) -> tuple[Operand, ...]:
        self._require("[")
        values = [self._read_value()]
        while self._take(","):
            values.append(self._read_value())
        self._require("]")
        if len(values) > VALUES_AT_MOST:
            raise FilterError(f"has a list of {len(values):,} values", f"Use {VALUES_AT_MOST:,} at most.")
        return tuple(values)

    def _read_value(self) -> Operand:
        kind, text = self._tokens[self._at]
        if kind not in ("number", "text", "placeholder"):
            hint = f"Values are numbers, texts in quotes and {{names}} of metadata fields, as in {EXAMPLE}."
            raise FilterError(f"needs a value where {self._shown} is", hint)
        self._at += 1
        if kind == "placeholder":
            return Placeholder(text)
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        number = float(text)
        if not math.isfinite(number) or abs(number) >= 2**63:
            raise FilterError(f"has a number that is too large: {text}")
        return number if re.search(r"[.eE]", text) else int(text)

    def _require(self, mark: str) -> None:
        if not self._take(mark):
            raise FilterError(f"needs '{mark}' where {self._shown} is")


def _find_tokens(text: str) -> Iterator[tuple[str, str]]:
    at, stripped = 0, text.rstrip()
    while at < len(stripped):
        match = TOKEN.match(stripped, at)
        if match is None:
            part = stripped[at:].lstrip()
            hint = "Compare with ==." if part.startswith("=") else f'Write for example "{EXAMPLE}".'
            raise FilterError(f"cannot be read from '{part[:30]}' on", hint)
        kind = str(match.lastgroup)
        yield kind, match[kind]
        at = match.end()
    yield "end", ""


def find_conditions(expression: Expression) -> Iterator[FieldComparison | Membership | Likeness]:
    """All conditions in an expression."""
    if isinstance(expression, Negation):
        yield from find_conditions(expression.part)
    elif isinstance(expression, Junction):
        for part in expression.parts:
            yield from find_conditions(part)
    else:
        yield expression


def operands_of(condition: FieldComparison | Membership | Likeness) -> tuple[Operand, ...]:
    """The values in a condition."""
    if isinstance(condition, FieldComparison):
        return (condition.value,)
    return condition.values if isinstance(condition, Membership) else (condition.pattern,)


def find_placeholders(expression: Expression) -> tuple[str, ...]:
    """Names of the placeholders, in their order."""
    every = (one for condition in find_conditions(expression) for one in operands_of(condition))
    return tuple(dict.fromkeys(one.name for one in every if isinstance(one, Placeholder)))


def bind_values(expression: Expression, values: Mapping[str, Value]) -> Expression:
    """The expression with values in place of its placeholders. Raises KeyError for one that is missing."""

    def bind(value: Operand) -> Value:
        return values[value.name] if isinstance(value, Placeholder) else value

    if isinstance(expression, Negation):
        return Negation(bind_values(expression.part, values))
    if isinstance(expression, Junction):
        return Junction(expression.word, tuple(bind_values(part, values) for part in expression.parts))
    if isinstance(expression, FieldComparison):
        return FieldComparison(expression.field, expression.relation, bind(expression.value))
    if isinstance(expression, Membership):
        return Membership(expression.field, tuple(map(bind, expression.values)), expression.is_negated)
    return expression


def write_filter(expression: Expression) -> str:
    """The expression for Milvus. Raises TypeError for a value that is not bound."""
    if isinstance(expression, Negation):
        return f"not ({write_filter(expression.part)})"
    if isinstance(expression, Junction):
        parts = (write_filter(part) for part in expression.parts)
        return f" {expression.word} ".join(f"({part})" for part in parts)
    if isinstance(expression, Likeness):
        return f"{expression.field} like {_write_value(expression.pattern)}"
    if isinstance(expression, Membership):
        word = "not in" if expression.is_negated else "in"
        return f"{expression.field} {word} [{', '.join(map(_write_value, expression.values))}]"
    return f"{expression.field} {expression.relation} {_write_value(expression.value)}"


def _write_value(value: Operand) -> str:
    if isinstance(value, Placeholder):
        raise TypeError(f"no value was drawn for {value.name}")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
