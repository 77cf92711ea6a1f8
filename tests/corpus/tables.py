"""Tables of bad inputs: a YAML file for each kind of input, a line for each input with the message it must produce."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
REPEATED = re.compile(r"<(.+?) x (\d+)>", re.DOTALL)
"""How a table writes a long text: `<9 x 5000>` are 5,000 nines."""
MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Case:
    """One bad input."""

    way: str
    """Its table, such as `flags`."""
    number: int
    given: Mapping[str, Any]
    """What is given, by the keys that the head of its table explains."""
    message: tuple[str, ...]
    """Pieces of the message, in their order."""

    def __str__(self) -> str:
        """Its name among the tests: the table and the line in it."""
        return f"{self.way}-{self.number}"


@cache
def read_table(way: str) -> list[Case]:
    """The cases of a table, in their order."""
    loaded = yaml.safe_load((FOLDER / f"{way}.yaml").read_text(encoding="utf-8"))
    return [_read(way, number, row) for number, row in enumerate(loaded, 1)]


def _read(way: str, number: int, row: dict[str, Any]) -> Case:
    message = row.pop(MESSAGE)
    given = {key: _expand(value) for key, value in row.items()}
    return Case(way, number, given, tuple([message] if isinstance(message, str) else message))


def _expand(value: Any) -> Any:
    if isinstance(value, str):
        return REPEATED.sub(lambda match: match[1] * int(match[2]), value)
    if isinstance(value, list):
        return [_expand(part) for part in value]
    if isinstance(value, dict):
        return {key: _expand(part) for key, part in value.items()}
    return value
