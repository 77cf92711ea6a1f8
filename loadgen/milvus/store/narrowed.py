"""Searches of MilvusVectorStore that are narrowed to a filter or a partition, and nodes that go into a partition."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)

from loadgen.datasets import Narrowing
from loadgen.settings.filter_grammar import (
    Expression,
    FieldComparison,
    Junction,
    Likeness,
    Membership,
    Negation,
    find_conditions,
    operands_of,
    write_filter,
)

OPERATORS: Final = {
    "==": FilterOperator.EQ,
    "!=": FilterOperator.NE,
    "<": FilterOperator.LT,
    "<=": FilterOperator.LTE,
    ">": FilterOperator.GT,
    ">=": FilterOperator.GTE,
}
UNSAFE = re.compile(r"""['"\\\x00-\x1f]""")
"""Characters that MilvusVectorStore does not escape in every place."""


@dataclass(slots=True)
class NarrowedQuery(VectorStoreQuery):
    """A query with the further arguments of `query` and `aquery` that it needs."""

    arguments: Mapping[str, Any] = field(default_factory=dict)


class PlacedNodes(list[Any]):
    """Nodes with the further arguments of `add` and `async_add`, or of pymilvus's `insert`, that place them."""

    def __init__(self, nodes: Iterable[Any], arguments: Mapping[str, Any]) -> None:
        super().__init__(nodes)
        self.arguments = arguments


def place_nodes(nodes: Iterable[BaseNode], partition: str) -> "PlacedNodes":
    """Nodes for a partition."""
    return PlacedNodes(nodes, {"milvus_partition_name": partition})


def narrow_query(query: VectorStoreQuery, narrowing: Narrowing) -> NarrowedQuery:
    """The same search, narrowed; both share the vector.

    The filter is given as `MetadataFilters` where they can express it, and otherwise as `string_expr`.
    """
    values = {one.name: getattr(query, one.name) for one in fields(VectorStoreQuery)}
    arguments: dict[str, Any] = {}
    if narrowing.partition:
        arguments["milvus_partition_names"] = [narrowing.partition]
    if narrowing.expression is not None and is_expressible(narrowing.expression):
        values["filters"] = to_filters(narrowing.expression)
    elif narrowing.expression is not None:
        arguments["string_expr"] = write_filter(narrowing.expression)
    elif narrowing.text:
        arguments["string_expr"] = narrowing.text
    return NarrowedQuery(**values, arguments=arguments)


def is_expressible(expression: Expression) -> bool:
    """Whether `MetadataFilters` can express it as Milvus understands it: no `not`, no `like`, no quotes in texts."""
    if isinstance(expression, Negation | Likeness):
        return False
    if isinstance(expression, Junction):
        return all(map(is_expressible, expression.parts))
    texts = (one for condition in find_conditions(expression) for one in operands_of(condition) if isinstance(one, str))
    kinds = {type(one) for one in operands_of(expression)}
    alike = len(kinds) == 1 and bool not in kinds  # it takes neither truth values nor a list of mixed types
    return alike and not any(UNSAFE.search(text) for text in texts)


def to_filters(expression: Expression) -> MetadataFilters:
    """The filter as LlamaIndex's. Raises TypeError for one that is not expressible."""
    if isinstance(expression, Junction):
        condition = FilterCondition.AND if expression.word == "and" else FilterCondition.OR
        return MetadataFilters(filters=[_to_part(part) for part in expression.parts], condition=condition)
    return MetadataFilters(filters=[_to_part(expression)])


def _to_part(expression: Expression) -> MetadataFilter | MetadataFilters:
    if isinstance(expression, FieldComparison):
        value: Any = expression.value
        return MetadataFilter(key=expression.field, value=value, operator=OPERATORS[expression.relation])
    if isinstance(expression, Membership):
        operator = FilterOperator.NIN if expression.is_negated else FilterOperator.IN
        values: Any = list(expression.values)
        return MetadataFilter(key=expression.field, value=values, operator=operator)
    if isinstance(expression, Junction):
        return to_filters(expression)
    raise TypeError(f"MetadataFilters cannot express {write_filter(expression)}")
