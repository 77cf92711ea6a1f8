"""What narrows searches, filters and partitions: read from the settings, and checked against the metadata."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from loadgen.settings.faults import Fault
from loadgen.settings.filter_grammar import (
    Expression,
    FieldComparison,
    FilterError,
    Likeness,
    Membership,
    find_conditions,
    find_placeholders,
    operands_of,
    parse_filter,
)
from loadgen.settings.metadata import MetadataField, find_metadata_faults, parse_metadata
from loadgen.text.listing import join_some

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

PARTITIONS_AT_MOST = 1_024
"""Milvus's default limit from 2.4 on."""
PARTITION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}", re.ASCII)
SKEWED_AT_MOST = 1_000_000
"""Values of a partition key that can be skewed."""
ORDERING = ("<", "<=", ">", ">=")
NO_FIELDS = 'Describe it with --metadata, such as "tenant:int:100".'
Conflict = tuple[Fault, tuple[str, ...]]


def find_partitions(text: str) -> tuple[str, ...]:
    """Names of the partitions: p0 ... p63 for the number 64, or the names that are given; empty for none."""
    number = _count_partitions(text)
    if number is not None:
        return tuple(f"p{place}" for place in range(min(number, PARTITIONS_AT_MOST)))
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _count_partitions(text: str) -> int | None:
    return int(text[:9]) if text.strip().isdecimal() and text.isascii() else None


def narrows(settings: "Settings") -> bool:
    """Whether searches are narrowed at all."""
    return bool(settings.filter or settings.partitions)


def read_filter(settings: "Settings") -> Expression | None:
    """The filter; None if there is none, or if only the server of an existing collection can read it."""
    if not settings.filter:
        return None
    try:
        return parse_filter(settings.filter)
    except FilterError:
        return None


def find_sampled(settings: "Settings") -> tuple[str, ...]:
    """Names in the filter whose values are those of rows of an existing collection: --metadata describes no others."""
    expression = read_filter(settings) if settings.existing else None
    described = {one.name for one in parse_metadata(settings.metadata)}
    return tuple(name for name in find_placeholders(expression) if name not in described) if expression else ()


def find_filter_hint(text: str) -> str:
    """How to correct a filter that a server refuses, if we can tell."""
    try:
        parse_filter(text)
    except FilterError as error:
        return error.hint
    return "Correct it."


def find_narrowing_conflicts(settings: "Settings") -> list[Conflict]:
    """All faults of metadata, filter and partitions, each with the names of the settings involved."""
    fields = {one.name: one for one in parse_metadata(settings.metadata)}
    conflicts: list[Conflict] = [(fault, ("metadata",)) for fault in find_metadata_faults(settings.metadata)]
    conflicts += [(fault, ("filter", "metadata")) for fault in _find_filter_faults(settings, fields)]
    names = ("partitions", "partition_key", "partition_skew", "metadata")
    conflicts += [(fault, names) for fault in _find_partition_faults(settings, fields)]
    return [*conflicts, *_find_existing_faults(settings)]


def _find_filter_faults(settings: "Settings", fields: dict[str, MetadataField]) -> Iterator[Fault]:
    if not settings.filter:
        return
    try:
        expression = parse_filter(settings.filter)
    except FilterError as error:
        is_drawn = re.search(r"\{\s*\w+\s*\}", settings.filter)
        if is_drawn or not settings.existing:  # the server of an existing collection knows more than we do
            yield Fault("filter", settings.filter, error.problem, error.hint)
        return
    if settings.existing:
        return  # it has fields and values that only its server knows
    for name in find_placeholders(expression):
        if name not in fields and not _is_of_file(settings):
            problem = f"draws {{{name}}}, and no metadata field has this name"
            yield Fault("filter", settings.filter, problem, _known(fields))
    for name in dict.fromkeys(condition.field for condition in find_conditions(expression)):
        if name not in fields and not _is_of_file(settings):
            problem = f"compares {name}, which is no metadata field"
            yield Fault("filter", settings.filter, problem, _known(fields))
    for condition in find_conditions(expression):
        yield from _find_type_faults(settings, condition, fields)


def _is_of_file(settings: "Settings") -> bool:
    """Whether the rows are of a file, whose fields are known once it is open."""
    return settings.dataset != "synthetic"


def _known(fields: dict[str, MetadataField]) -> str:
    return f"The metadata fields are {join_some(list(fields))}." if fields else NO_FIELDS


def _find_type_faults(
    settings: "Settings", condition: FieldComparison | Membership | Likeness, fields: dict[str, MetadataField]
) -> Iterator[Fault]:
    """Values of another type than the field."""
    if isinstance(condition, Likeness):
        problem, hint = "has like, which only filters of an existing collection may have", "Use == or in."
        yield Fault("filter", settings.filter, problem, hint)
        return
    field = fields.get(condition.field)
    if field is None:
        return
    if field.kind == "enum" and isinstance(condition, FieldComparison) and condition.relation in ORDERING:
        yield Fault("filter", settings.filter, f"orders {field.name}, an enum", "Use ==, != or in.")
    for value in operands_of(condition):
        other = fields.get(value.name) if not isinstance(value, int | float | str) else None
        is_text = isinstance(value, str) or (other is not None and other.kind == "enum")
        if is_text != (field.kind == "enum") and (isinstance(value, int | float | str) or other):
            reported = "a text" if is_text else "a number"
            hint = f"Give a text in quotes: {field.name} is an enum." if field.kind == "enum" else "Give a number."
            yield Fault("filter", settings.filter, f"compares {field.name} ({field.kind}) with {reported}", hint)
            return


def _find_partition_faults(settings: "Settings", fields: dict[str, MetadataField]) -> Iterator[Fault]:
    names = find_partitions(settings.partitions)
    number = _count_partitions(settings.partitions)
    shown = settings.partitions
    if number is not None and not 1 <= number <= PARTITIONS_AT_MOST:
        yield Fault("partitions", shown, f"is no number from 1 to {PARTITIONS_AT_MOST:,}", "Milvus allows no more.")
    elif len(names) > PARTITIONS_AT_MOST:
        yield Fault("partitions", shown, f"are {len(names):,}", f"Give {PARTITIONS_AT_MOST:,} at most.")
    elif settings.partitions and not names:
        yield Fault("partitions", shown, "names no partition", "Give a number such as 64, or names with commas.")
    for name in names:
        if not PARTITION.fullmatch(name):
            hint = "Give a number such as 64, or names of letters, digits and underscores with commas."
            yield Fault("partitions", name, "is no name of a partition", hint)
    if len(set(names)) < len(names):
        yield Fault("partitions", shown, "names a partition twice", "Name each once.")
    key = settings.partition_key
    if key and names:
        yield Fault("partition_key", key, "does not go with --partitions, which Milvus then makes itself", "Omit one.")
    if key:
        yield from _find_key_faults(settings, fields)
    is_partitioned = bool(names or key or settings.variants)
    if settings.partition_skew != "none" and not is_partitioned:
        problem = "is for --partitions or --partition-key, and neither is given"
        yield Fault("partition_skew", settings.partition_skew, problem, "Give one of them, or omit it.")


def _find_key_faults(settings: "Settings", fields: dict[str, MetadataField]) -> Iterator[Fault]:
    key = settings.partition_key
    field = fields.get(key)
    if settings.existing:
        return
    if field is None:
        yield Fault("partition_key", key, "is no metadata field", _known(fields))
    elif field.kind == "float":
        yield Fault("partition_key", key, "is a float, and Milvus takes ints and texts", "Choose another field.")
    elif settings.partition_skew != "none" and field.count > SKEWED_AT_MOST:
        problem = f"has {field.count:,} values, too many for a skew"
        yield Fault("partition_key", key, problem, f"Use {SKEWED_AT_MOST:,} at most.")


def _find_existing_faults(settings: "Settings") -> list[Conflict]:
    if not settings.existing:
        return []
    conflicts: list[Conflict] = []
    if settings.text_bytes:
        problem = "describes rows to load, and --existing loads none"
        conflicts.append(
            (Fault("text_bytes", str(settings.text_bytes), problem, "Omit it."), ("text_bytes", "existing"))
        )
    if settings.partition_key:
        problem = "is decided when a collection is made, and --existing makes none"
        hint = "Omit it: a filter on the collection's partition key is used by the server itself."
        conflicts.append((Fault("partition_key", settings.partition_key, problem, hint), ("partition_key", "existing")))
    return conflicts
