"""Which rows each query may find: filters and partitions evaluated over the metadata, block by block."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from loadgen.datasets.metadata import Column, Metadata, Partitioning
from loadgen.settings.filter_grammar import (
    Expression,
    FieldComparison,
    Junction,
    Likeness,
    Negation,
    Operand,
    Placeholder,
    bind_values,
    find_placeholders,
)
from loadgen.settings.model import Settings
from loadgen.settings.narrowing import read_filter

Mask = npt.NDArray[np.bool_]
RELATIONS: dict[str, Callable[[Any, Any], Mask]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
QUERIES_AT_MOST = 1_000
"""Queries of which the selectivity is determined: the first ones."""
CELLS_IN_BLOCK = 4_000_000


def evaluate(expression: Expression, columns: Mapping[str, Column], drawn: Mapping[str, Column], number: int) -> Mask:
    """Whether rows match, (queries, rows): `columns` has values by row, `drawn` by query, of `number` queries.

    Raises KeyError for a field that neither has, TypeError for `like`.
    """
    if isinstance(expression, Negation):
        return ~evaluate(expression.part, columns, drawn, number)
    if isinstance(expression, Junction):
        combine = np.logical_and if expression.word == "and" else np.logical_or
        return reduce(combine, (evaluate(part, columns, drawn, number) for part in expression.parts))
    if isinstance(expression, Likeness):
        raise TypeError("like is not evaluated here")
    # Each different value of the block is compared once: texts are slow to compare.
    values, places = np.unique(columns[expression.field], return_inverse=True)
    if isinstance(expression, FieldComparison):
        result = _compare(values, expression.relation, expression.value, drawn, number)
    else:
        result = reduce(np.logical_or, (_compare(values, "==", one, drawn, number) for one in expression.values))
        result = ~result if expression.is_negated else result
    mask: Mask = result[:, places]
    return mask


def _compare(values: Column, relation: str, value: Operand, drawn: Mapping[str, Column], number: int) -> Mask:
    given = drawn[value.name][:, None] if isinstance(value, Placeholder) else value
    return np.broadcast_to(RELATIONS[relation](values[None, :], given), (number, len(values)))


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What narrows one search."""

    expression: Expression | None = None
    """The filter, with all values."""
    text: str = ""
    """A filter that only the server can read."""
    partition: str = ""
    """The partition that is searched; empty: all."""


@dataclass(frozen=True, slots=True)
class Selectivity:
    """The share of the rows that a search may find, over the distinct queries."""

    mean: float
    least: float
    most: float
    queries: int
    """Queries looked at."""
    without_match: int
    """Those that no row matches."""


class Described(Protocol):
    """Rows with metadata: a `Dataset`."""

    @property
    def size(self) -> int:
        """Number of rows."""

    @property
    def metadata(self) -> Metadata:
        """Their fields."""


@dataclass(frozen=True, slots=True)
class OnServer:
    """The rows of an existing collection; its metadata describe the values that filters draw."""

    size: int
    metadata: Metadata


class Narrowings:
    """What narrows the distinct queries of a variant, and the rows that match each."""

    def __init__(self, settings: Settings, dataset: Described) -> None:
        self._dataset = dataset
        self._expression = read_filter(settings)
        self._text = settings.filter if self._expression is None else ""
        self._queries = settings.queries
        self._partitioning = Partitioning.of(settings)
        names = find_placeholders(self._expression) if self._expression else ()
        values = dataset.metadata.draw_values(settings.queries, names) if names else {}
        self._drawn = {name: values[name] for name in names}
        self._numbers = (
            self._partitioning.numbers(dataset.metadata.draw_places(settings.queries))
            if self._partitioning.names
            else np.zeros(settings.queries, dtype=np.int64)
        )

    def make(self) -> list[Narrowing]:
        """One for each distinct query; equal ones are the same object."""
        names = self._partitioning.names
        columns = [column.tolist() for column in self._drawn.values()]
        made: dict[tuple[Any, ...], Narrowing] = {}
        result = []
        for key in zip(self._numbers.tolist(), *columns, strict=True):
            if key not in made:
                values = dict(zip(self._drawn, key[1:], strict=True))
                bound = bind_values(self._expression, values) if self._expression else None
                made[key] = Narrowing(bound, self._text, names[key[0]] if names else "")
            result.append(made[key])
        return result

    def find_matches(self, queries: int) -> Callable[[int, int], Mask]:
        """A function of a range of rows: whether they match each of the first queries, (queries, rows)."""
        distinct, owners = self._find_distinct(queries)

        def find(start: int, stop: int) -> Mask:
            return self._match(distinct, start, stop)[owners]

        return find

    def _find_distinct(self, queries: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Queries of which no two are narrowed alike, and for each of the first queries the one that is."""
        codes = [np.unique(column[:queries], return_inverse=True)[1] for column in self._drawn.values()]
        table = np.stack([self._numbers[:queries], *codes], axis=1)
        _, first, owners = np.unique(table, axis=0, return_index=True, return_inverse=True)
        return first, owners.reshape(-1)

    def _match(self, queries: npt.NDArray[np.int64], start: int, stop: int) -> Mask:
        metadata = self._dataset.metadata
        mask: Mask = np.ones((len(queries), stop - start), dtype=np.bool_)
        if self._partitioning.names:
            rows = self._partitioning.numbers(metadata.places(start, stop))
            mask &= rows[None, :] == self._numbers[queries][:, None]
        if self._expression is not None:
            drawn = {name: column[queries] for name, column in self._drawn.items()}
            mask &= evaluate(self._expression, metadata.columns(start, stop), drawn, len(queries))
        return mask

    def measure(self) -> Selectivity:
        """The selectivity, of the first 1,000 queries. Reads the metadata of all rows."""
        queries = min(self._queries, QUERIES_AT_MOST)
        distinct, owners = self._find_distinct(queries)
        counts = np.zeros(len(distinct), dtype=np.int64)
        width = max(1, CELLS_IN_BLOCK // len(distinct))
        for start in range(0, self._dataset.size, width):
            counts += self._match(distinct, start, min(start + width, self._dataset.size)).sum(axis=1)
        return summarise(counts[owners], self._dataset.size)


def summarise(matches: Sequence[int] | npt.NDArray[np.int64], rows: int) -> Selectivity:
    """The selectivity, from the number of matching rows of each query."""
    counts = np.asarray(matches, dtype=np.float64) / max(1, rows)
    return Selectivity(
        float(counts.mean()), float(counts.min()), float(counts.max()), len(counts), int((counts == 0).sum())
    )


def name_narrowing(settings: Settings) -> str:
    """Equal for variants whose searches are narrowed alike; empty if they are not narrowed."""
    if not settings.filter and not settings.partitions:
        return ""
    skew = settings.partition_skew if settings.partitions else ""
    return f"{settings.filter} | {settings.partitions} | {skew}"
