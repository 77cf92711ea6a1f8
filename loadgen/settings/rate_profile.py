"""A file with a rate of arrivals over time: ramps and spikes, linear between its points.

CSV with a head `seconds,rate`, or `seconds,search,insert` for rates by operation; or YAML with the same names, each a
list, or a list of rows.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from loadgen.settings.rates import MOST, NAMED

SECONDS, RATE = "seconds", "rate"
POINTS_AT_MOST = 1_000
LARGEST_FILE = 1 << 20
LONGEST = 86_400.0
"""Seconds of a phase."""
Curves = tuple[tuple[str, tuple[tuple[float, float], ...]], ...]
"""Points in time, in seconds and arrivals per second, by operation; an empty name: any operation."""


def read_profile(path: str) -> Curves:
    """The curves of a file. Raises ValueError with the problem."""
    try:
        file = Path(path)
        if file.stat().st_size > LARGEST_FILE:
            raise ValueError(f"is larger than {LARGEST_FILE >> 20} MiB")
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is no text in UTF-8") from None
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error})") from None
    columns = _read_yaml(text) if file.suffix.lower() in (".yaml", ".yml") else _read_csv(text)
    return _make_curves(columns)


def find_length(curves: Curves) -> float:
    """Seconds to the last point."""
    return curves[0][1][-1][0]


def _read_csv(text: str) -> dict[str, list[Any]]:
    rows = [row for row in csv.reader(text.splitlines(), skipinitialspace=True) if any(cell.strip() for cell in row)]
    if not rows:
        raise ValueError("is empty")
    head = [cell.strip() for cell in rows[0]]
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(head):
            raise ValueError(f"has {len(row)} values in row {number}, but {len(head)} columns")
    return {name: [row[place].strip() for row in rows[1:]] for place, name in enumerate(head)}


def _read_yaml(text: str) -> dict[str, list[Any]]:
    import yaml

    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"is no YAML ({str(error).splitlines()[0]})") from None
    if isinstance(loaded, Mapping) and all(isinstance(column, list) for column in loaded.values()):
        return {str(name): column for name, column in loaded.items()}
    if isinstance(loaded, list) and loaded and all(isinstance(row, Mapping) for row in loaded):
        names = [str(name) for name in loaded[0]]
        if any([str(name) for name in row] != names for row in loaded):
            raise ValueError("has rows with different names")
        return {name: [row[name] for row in loaded] for name in names}
    raise ValueError("is neither lists by name nor a list of rows")


def _make_curves(columns: Mapping[str, Sequence[Any]]) -> Curves:
    names = [name for name in columns if name != SECONDS]
    if SECONDS not in columns or not names:
        raise ValueError(f"has no columns {SECONDS},{RATE}, or {SECONDS} and one for each operation")
    if RATE in names and len(names) > 1:
        raise ValueError(f"has {RATE} beside rates by operation")
    if wrong := [name for name in names if not NAMED.fullmatch(f"{name}: 1")]:
        raise ValueError(f"has a column {wrong[0]!r}, which is no name of an operation")
    read = {name: [_number(name, cell) for cell in columns[name]] for name in columns}
    seconds = read[SECONDS]
    if len({len(column) for column in read.values()}) > 1:
        raise ValueError("has columns of different lengths")
    _check_seconds(seconds)
    for name in names:
        if max(read[name]) > MOST or min(read[name]) < 0:
            raise ValueError(f"has a {name} that is not from 0 to {MOST:,}")
        if not any(read[name]):
            raise ValueError(f"has a {name} of 0 at all times")
    return tuple(("" if name == RATE else name, tuple(zip(seconds, read[name], strict=True))) for name in names)


def _check_seconds(seconds: Sequence[float]) -> None:
    if not 2 <= len(seconds) <= POINTS_AT_MOST:  # noqa: PLR2004 - a line has two
        raise ValueError(f"has {len(seconds)} points, but 2 to {POINTS_AT_MOST:,} are needed")
    if seconds[0] != 0:
        raise ValueError(f"begins at {seconds[0]:g} s instead of 0")
    if any(after <= before for before, after in pairwise(seconds)):
        raise ValueError("has seconds that do not ascend")
    if seconds[-1] > LONGEST:
        raise ValueError(f"is longer than {LONGEST:,.0f} s")


def _number(name: str, cell: object) -> float:
    try:
        number = float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(cell, bool) or not math.isfinite(number):
        raise ValueError(f"has {cell!r} as {name}, which is no number")
    return number
