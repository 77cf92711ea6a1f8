"""Filter expressions: what they say, what is refused, and that numpy finds the rows that Python finds."""

import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.datasets.filtering import evaluate
from loadgen.settings.filter_grammar import (
    RELATIONS,
    Expression,
    FieldComparison,
    FilterError,
    Junction,
    Likeness,
    Membership,
    Negation,
    Placeholder,
    bind_values,
    find_placeholders,
    parse_filter,
    write_filter,
)

NUMBERS = ("tenant", "year")
TEXTS = ("de", "en", "fr")
PYTHON = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def operands(values: st.SearchStrategy[Any], name: str) -> st.SearchStrategy[Any]:
    return values | st.just(Placeholder(name))


numbers = st.integers(-3, 5)
on_numbers = st.sampled_from(NUMBERS).flatmap(
    lambda name: (
        st.builds(FieldComparison, st.just(name), st.sampled_from(RELATIONS), operands(numbers, name))
        | st.builds(
            Membership,
            st.just(name),
            st.lists(operands(numbers, name), min_size=1, max_size=3).map(tuple),
            st.booleans(),
        )
    )
)
on_texts = st.builds(
    FieldComparison, st.just("lang"), st.sampled_from(("==", "!=")), operands(st.sampled_from(TEXTS), "lang")
) | st.builds(
    Membership,
    st.just("lang"),
    st.lists(operands(st.sampled_from(TEXTS), "lang"), min_size=1, max_size=3).map(tuple),
    st.booleans(),
)
expressions: st.SearchStrategy[Expression] = st.recursive(
    on_numbers | on_texts,
    lambda parts: (
        st.builds(Negation, parts)
        | st.builds(Junction, st.sampled_from(("and", "or")), st.lists(parts, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)
rows = st.fixed_dictionaries({"tenant": numbers, "year": numbers, "lang": st.sampled_from(TEXTS)})


def is_true(expression: Any, row: dict[str, Any]) -> bool:
    """Whether a row matches, by plain Python."""
    if isinstance(expression, Negation):
        return not is_true(expression.part, row)
    if isinstance(expression, Junction):
        return (all if expression.word == "and" else any)(is_true(part, row) for part in expression.parts)
    if isinstance(expression, Membership):
        return (row[expression.field] in expression.values) != expression.is_negated
    return bool(PYTHON[expression.relation](row[expression.field], expression.value))


@given(expressions, st.lists(rows, min_size=1, max_size=6), st.lists(rows, min_size=1, max_size=4))
def test_numpy_finds_the_rows_that_python_finds(
    expression: Expression, given_rows: list[dict[str, Any]], queries: list[dict[str, Any]]
) -> None:
    columns, drawn = (
        {name: np.array([one[name] for one in some]) for name in some[0]} for some in (given_rows, queries)
    )
    result = evaluate(expression, columns, drawn, len(queries))
    assert result.tolist() == [
        [is_true(bind_values(expression, query), row) for row in given_rows] for query in queries
    ]


@given(expressions, rows)
def test_a_written_expression_is_read_as_the_same(expression: Expression, values: dict[str, Any]) -> None:
    bound = bind_values(expression, values)
    text = write_filter(bound)
    assert write_filter(parse_filter(text)) == text
    assert find_placeholders(bound) == ()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("tenant == {tenant} and year >= 2020", "(tenant == 7) and (year >= 2020)"),
        ("a==1 || b!=-2 && c<3.5", "(a == 1) or ((b != -2) and (c < 3.5))"),
        ("not a == 1 and b == 2", "(not (a == 1)) and (b == 2)"),
        ("!(a in [1, { tenant }, 3])", "not (a in [1, 7, 3])"),
        ("""lang NOT IN ['it\\'s', "x\\"y"]""", 'lang not in ["it\'s", "x\\"y"]'),
        ("a like 'ab%'", 'a like "ab%"'),
        ("((a > 1e3))", "a > 1000.0"),
    ],
)
def test_an_expression_is_written_for_milvus(text: str, written: str) -> None:
    assert write_filter(bind_values(parse_filter(text), {"tenant": 7})) == written


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("", "needs a field where its end is"),
        ("a = 1", "cannot be read from '= 1' on. Compare with ==."),
        ("a ==", "needs a value where its end is"),
        ("a == b", "needs a value where 'b' is"),
        ("5 == a", "needs a field where '5' is"),
        ("a == 1 b", "has something after its end: 'b'"),
        ("(a == 1", "needs ')' where its end is"),
        ("a in 1", "needs '[' where '1' is"),
        ("a in []", "needs a value where ']' is"),
        ("a like 5", "needs a text in quotes after like, not '5'"),
        ("a not == 1", "needs a relation after a, not '=='"),
        ("a == 'x", "cannot be read from ''x' on"),
        ("a == 12abc", "cannot be read from '12abc' on"),
        ("a == {b", "cannot be read from '{b' on"),
        ("a == 99999999999999999999", "has a number that is too large"),
        ("not " * 41 + "a == 1", "is nested too deeply"),
        ("a == 1 or " * 400 + "a == 1", "has 4,006 characters"),
        (f"a in [{','.join('1' * 1001)}]", "has a list of 1,001 values"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, reported: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert str(caught.value).startswith(reported)


def test_a_pattern_is_read_and_not_evaluated() -> None:
    result = parse_filter("lang like 'd%'")
    assert result == Likeness("lang", "d%")
    with pytest.raises(TypeError):
        evaluate(result, {"lang": np.array(["de"])}, {}, 1)
