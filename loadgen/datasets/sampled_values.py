"""The values of fields in sampled rows of an existing collection, which the filters of queries take."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from loadgen.datasets.metadata import Column, Metadata
from loadgen.settings.filter_grammar import Value


def as_value(value: object) -> Value | None:
    """A number, a text or a truth value that a filter can compare with; None for anything else."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str) else None


class SampledValues(Metadata):
    """The described fields of a run, and the values of further fields in sampled rows.

    A query takes its values from the row near which it is, so that it matches at least this row; if that row lacks one
    of them, all are of another row.
    """

    def __init__(self, described: Metadata, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
        super().__init__(described.fields, *described.spread)
        self._names = tuple(names)
        self._rows = [{name: as_value(row.get(name)) for name in self._names} for row in rows]

    def has_together(self, names: Collection[str]) -> bool:
        """Whether any row has a value of each of these fields."""
        return any(None not in _select(row, names) for row in self._rows)

    def draw_values(self, number: int, names: Collection[str] = ()) -> dict[str, Column]:
        """The values that the distinct queries draw, by field: described ones as always, those of `names` from rows.

        Some row has to have all of these.
        """
        result = super().draw_values(number)
        wanted = [name for name in self._names if name in names]
        if not wanted:
            return result
        selected = [_select(row, wanted) for row in self._rows]
        usable = [values for values in selected if None not in values]
        chosen = (selected[query % len(selected)] for query in range(number))
        rows = [usable[query % len(usable)] if None in values else values for query, values in enumerate(chosen)]
        for place, name in enumerate(wanted):
            result[name] = np.array([values[place] for values in rows], dtype=object)
        return result


def _select(row: Mapping[str, Value | None], names: Iterable[str]) -> list[Value | None]:
    return [row[name] for name in names]
