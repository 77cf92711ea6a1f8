"""The metadata fields of generated rows: `tenant:int:100; lang:enum:de,en; year:int:2000-2026; price:float:0-99.9`."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from loadgen.settings.faults import Fault

Kind = Literal["int", "float", "enum"]
KINDS: tuple[Kind, ...] = ("int", "float", "enum")
EXAMPLE = "tenant:int:100; lang:enum:de,en; year:int:2000-2026"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}", re.ASCII)
VALUE = re.compile(r"""[^\s,;"'\\](?:[^,;"'\\\x00-\x1f\x7f]{0,98}[^\s,;"'\\])?""")
"""A value of an enum: no quote or backslash, which servers and clients escape differently."""
RANGE = re.compile(r"(?P<low>[+-]?[0-9.]+(?:e[+-]?[0-9]+)?)-(?P<high>[+-]?[0-9.]+(?:e[+-]?[0-9]+)?)", re.ASCII)
FIELDS_AT_MOST = 32
VALUES_AT_MOST = 1_000
"""Values of an enum."""
LARGEST = 2**53
"""Largest int: JSON, in which metadata are stored, has no larger exact ones."""
TAKEN = (
    "id", "doc_id", "text", "embedding", "document_id", "ref_doc_id", "node_id", "row", "cluster", "loadgen", "file_id",
)  # fmt: skip
"""Names that LlamaIndex or this tool store themselves; those that begin with an underscore are LlamaIndex's, too."""
WORDS = ("and", "or", "not", "in", "like", "true", "false", "is", "null", "exists")
"""Words of filter expressions, in any case."""


@dataclass(frozen=True, slots=True)
class MetadataField:
    """One metadata field: its name, and the values that rows have."""

    name: str
    kind: Kind
    low: float = 0
    """Lowest number."""
    high: float = 0
    """Highest number; of a float excluded."""
    values: tuple[str, ...] = ()
    """Those of an enum."""

    @property
    def count(self) -> int:
        """Number of distinct values; 0 for a float."""
        if self.kind == "enum":
            return len(self.values)
        return int(self.high) - int(self.low) + 1 if self.kind == "int" else 0

    @property
    def shortest(self) -> int:
        """Least bytes of a value as JSON."""
        if self.kind == "enum":
            return min(len(value.encode()) for value in self.values) + 2
        return 1

    def __str__(self) -> str:
        """As it was given."""
        if self.kind == "enum":
            return f"{self.name}:enum:{','.join(self.values)}"
        return f"{self.name}:{self.kind}:{self.low:g}-{self.high:g}"


class MetadataError(ValueError):
    """Why one field cannot be: the problem and a remedy."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(f"{problem}. {hint}")


def parse_metadata(text: str) -> tuple[MetadataField, ...]:
    """The fields, without those that are wrong; `find_metadata_faults` has the reasons."""
    return tuple(one for one in _parse_all(text) if isinstance(one, MetadataField))


def find_metadata_faults(text: str) -> list[Fault]:
    """A fault for each wrong field."""
    return [one for one in _parse_all(text) if isinstance(one, Fault)]


def _parse_all(text: str) -> Iterator[MetadataField | Fault]:
    seen: set[str] = set()
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if text and not parts:
        yield Fault("metadata", text, "names no field", f'Write for example "{EXAMPLE}".')
    if len(parts) > FIELDS_AT_MOST:
        problem = f"has {len(parts)} fields"
        yield Fault("metadata", text, problem, f"Give {FIELDS_AT_MOST} at most.")
    for part in parts[:FIELDS_AT_MOST]:
        try:
            field = _parse_field(part)
        except MetadataError as error:
            yield Fault("metadata", part, error.problem, error.hint)
            continue
        if field.name in seen:
            yield Fault("metadata", part, "names a field twice", "Give each field once.")
            continue
        seen.add(field.name)
        yield field


def _parse_field(part: str) -> MetadataField:
    name, _, rest = part.partition(":")
    kind, mark, given = (one.strip() for one in rest.partition(":"))
    name = name.strip()
    if not NAME.fullmatch(name):
        raise MetadataError(f"has no usable name: '{name}'", "Use letters, digits and underscores, a letter first.")
    if name in TAKEN:
        raise MetadataError(f"has the name of a field that every row has: '{name}'", "Choose another name.")
    if name.lower() in WORDS:
        raise MetadataError(f"has a word of filter expressions as its name: '{name}'", "Choose another name.")
    if kind not in KINDS:
        problem = f"has no type: '{kind}'" if kind else "has no type"
        raise MetadataError(problem, f'Types are {", ".join(KINDS)}, as in "{EXAMPLE}".')
    if not mark or not given:
        raise MetadataError("has no values", f'Write for example "{EXAMPLE}".')
    if kind == "enum":
        return MetadataField(name, "enum", values=_parse_values(given))
    return _parse_numbers(name, "int" if kind == "int" else "float", given)


def _parse_values(given: str) -> tuple[str, ...]:
    values = tuple(value.strip() for value in given.split(","))
    for value in values:
        if not VALUE.fullmatch(value):
            problem = f"has a value that cannot be used: '{value}'"
            raise MetadataError(problem, "Values have 1 to 100 characters, without quotes and backslashes.")
    if len(set(values)) < len(values):
        raise MetadataError("has a value twice", "Give each value once.")
    if len(values) > VALUES_AT_MOST:
        raise MetadataError(f"has {len(values):,} values", f"Give {VALUES_AT_MOST:,} at most, or use an int field.")
    return values


def _parse_numbers(name: str, kind: Literal["int", "float"], given: str) -> MetadataField:
    example = "Write a range such as 2000-2026" + (", or a number of values such as 100." if kind == "int" else ".")
    if kind == "int" and given.isascii() and given.isdecimal():
        number = int(given[:20])
        if not 1 <= number <= LARGEST:
            raise MetadataError("has no number of values from 1 on that fits", example)
        return MetadataField(name, "int", 0, number - 1)
    match = RANGE.fullmatch(given)
    try:
        low, high = (float(match[side]) if match else math.nan for side in ("low", "high"))
    except ValueError:
        low = high = math.nan
    if math.isnan(low) or math.isnan(high) or (kind == "int" and not (low.is_integer() and high.is_integer())):
        raise MetadataError(f"has no range of {kind}s: '{given}'", example)
    if low > high or (kind == "float" and low == high):
        raise MetadataError(f"has an empty range: '{given}'", example)
    if max(abs(low), abs(high)) > LARGEST:
        raise MetadataError(f"has numbers above 2**53: '{given}'", example)
    return MetadataField(name, kind, int(low), int(high)) if kind == "int" else MetadataField(name, kind, low, high)
