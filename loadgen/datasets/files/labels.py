"""Metadata that a file has for its rows, such as the labels of VectorDBBench, as columns that filters can use."""

import difflib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from loadgen.datasets.files.content import DataFileError, Payload
from loadgen.datasets.metadata import Column, Metadata
from loadgen.settings.faults import SettingsError
from loadgen.settings.filter_grammar import find_conditions, find_placeholders
from loadgen.settings.metadata import NAME
from loadgen.settings.model import Settings
from loadgen.settings.narrowing import read_filter
from loadgen.settings.variants import find_variants, settings_of

KINDS: dict[type, Any] = {int: np.int64, float: np.float64, str: np.str_}
"""Types of values that filters can compare, and of their columns."""
STREAM = 11
DRAWN_AT_MOST = 10_000
"""Rows whose values queries draw; more queries repeat them."""


class FileMetadata(Metadata):
    """Generated fields, and those of the file that a filter of the run uses."""

    def __init__(
        self, settings: Settings, path: Path, payloads: Callable[[int, int], list[Payload]], size: int
    ) -> None:
        made = Metadata.of(settings)
        super().__init__(made.fields, *made.spread)
        self._path, self._payloads, self._size, self._draws = path, payloads, size, settings.seed
        self._names = tuple(sorted(find_used(settings) - {field.name for field in made.fields}))

    def columns(self, start: int, stop: int) -> dict[str, Column]:
        """The values of the rows start ... stop - 1. Raises SettingsError for one that filters cannot compare."""
        own = super().columns(start, stop)
        return own | self._read(range(start, stop), self._payloads(start, stop)) if self._names else own

    def draw_values(self, number: int, names: Collection[str] = ()) -> dict[str, Column]:
        """Those of random rows, for the fields of the file."""
        own = super().draw_values(number, names)
        if not self._names:
            return own
        generator = np.random.default_rng([self._draws, STREAM])
        chosen = np.sort(generator.choice(self._size, size=min(number, DRAWN_AT_MOST)))
        read = self._read(chosen.tolist(), [self._payloads(row, row + 1)[0] for row in chosen.tolist()])
        order = generator.permutation(number) % len(chosen)
        return own | {name: column[order] for name, column in read.items()}

    def _read(self, numbers: Sequence[int], payloads: Sequence[Payload]) -> dict[str, Column]:
        return {name: self._read_column(name, numbers, payloads) for name in self._names}

    def _read_column(self, name: str, numbers: Sequence[int], payloads: Sequence[Payload]) -> Column:
        values = [payload.metadata.get(name) for payload in payloads]
        kind = type(values[0])
        for number, value in zip(numbers, values, strict=True):
            if type(value) is not kind or kind not in KINDS:
                known = sorted(key for key in payloads[0].metadata if NAME.fullmatch(key))
                problem = f"has no number or text in the field {name} of row {number}, which a filter compares"
                if value is not None and kind in KINDS:
                    problem = f"has values of several types in the field {name}, which a filter compares"
                close = difflib.get_close_matches(name, [key for key in known if key != name], n=1)
                hint = f"Filter by another field; row {numbers[0]} has {', '.join(known) or 'none'}."
                hint = f"Did you mean {close[0]}?" if close else hint
                raise SettingsError([DataFileError(self._path, problem, hint).as_fault("dataset")])
        return np.array(values, dtype=KINDS[kind])


def find_used(settings: Settings) -> set[str]:
    """Names of the fields that the filters of a run compare or draw."""
    used: set[str] = set()
    for one in find_variants(settings):
        expression = read_filter(settings_of(settings, one))
        if expression is not None:
            used |= {condition.field for condition in find_conditions(expression)} | set(find_placeholders(expression))
    return used
