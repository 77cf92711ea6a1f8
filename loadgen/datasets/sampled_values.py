"""The values of fields in sampled rows of an existing collection, which the filters of queries take."""

import math
from collections.abc import Mapping, Sequence
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

    A query takes its values from the row near which it is, so that it matches at least this row; if that row lacks a
    value, from another one.
    """

    def __init__(self, described: Metadata, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
        super().__init__(described.fields, *described.spread)
        self._names = tuple(names)
        self._rows = [self._read(row) for row in rows]
        self._usable = [row for row in self._rows if row is not None]

    def _read(self, row: Mapping[str, Any]) -> tuple[Value, ...] | None:
        values = tuple(as_value(row.get(name)) for name in self._names)
        return None if None in values else values  # type: ignore[return-value] # mypy does not narrow a tuple

    @property
    def is_known(self) -> bool:
        """Whether any row has a value of each field."""
        return not self._names or bool(self._usable)

    def draw_values(self, number: int) -> dict[str, Column]:
        """The values that the distinct queries draw, by field: described ones as always, others from the rows."""
        found = super().draw_values(number)
        if not self._names:
            return found
        chosen = [
            self._rows[query % len(self._rows)] or self._usable[query % len(self._usable)] for query in range(number)
        ]
        for place, name in enumerate(self._names):
            found[name] = np.array([row[place] for row in chosen], dtype=object)
        return found
