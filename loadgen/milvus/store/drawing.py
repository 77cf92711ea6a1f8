"""The values that filters draw from sampled rows of an existing collection, and why a field has none. Reads only."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pymilvus import DataType

from loadgen.datasets import Metadata, SampledValues, as_value
from loadgen.milvus.store.existing import CollectionInfo
from loadgen.milvus.store.sampling import fetch_rows
from loadgen.settings.faults import Fault
from loadgen.settings.model import Settings
from loadgen.settings.narrowing import find_sampled
from loadgen.text.listing import count_of, join_some

SCALAR_TYPES = (
    DataType.BOOL, DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64,
    DataType.FLOAT, DataType.DOUBLE, DataType.VARCHAR,
)  # fmt: skip
"""Types of fields whose values a filter can draw."""
DESCRIBE = "or describe its values with --metadata"


def read_drawn(settings: Settings, info: CollectionInfo) -> SampledValues:
    """The values that filters draw, without the vectors of the sampled rows. Reads nothing if there are none."""
    rows = fetch_rows(settings, info, info.sample, list(info.drawn)) if info.drawn else []
    return SampledValues(Metadata.of(settings), rows, info.drawn)


def find_undrawable(settings: Settings, info: CollectionInfo, described: Mapping[str, Any]) -> Iterator[Fault]:
    """Fields whose values the filter draws and that the schema lacks, or has with another type than a scalar one."""
    types = {field["name"]: field["type"] for field in described["fields"]}
    for name in find_sampled(settings):
        if name in types and types[name] not in SCALAR_TYPES:
            problem = f"draws {{{name}}}, a field of type {DataType(types[name]).name} in collection '{info.name}'"
            yield Fault("filter", settings.filter, problem, f"Draw a number, text or truth value, {DESCRIBE}.")
        elif name not in types and not info.is_dynamic:
            yield _absent(settings, info, name, [one for one in types if types[one] in SCALAR_TYPES])


def find_undrawn(settings: Settings, info: CollectionInfo) -> Iterator[Fault]:
    """Fields whose values the filter draws and that no sampled row has. Reads the sampled rows."""
    names = find_sampled(settings)
    if not names:
        return
    rows = fetch_rows(settings, info, info.sample, list(names))
    if SampledValues(Metadata(), rows, names).has_together(names):
        return
    where = f"in {count_of(len(rows), 'sampled row')} of collection '{info.name}'"
    values = {name: [row[name] for row in rows if row.get(name) is not None] for name in names}
    for name in names:
        if not values[name]:
            known = fetch_rows(settings, info, info.sample[:1], ["*"])
            yield _absent(settings, info, name, [one for row in known for one in row if as_value(row[one]) is not None])
        elif all(as_value(value) is None for value in values[name]):
            problem = f"draws {{{name}}}, which is a {type(values[name][0]).__name__} {where}"
            yield Fault("filter", settings.filter, problem, f"Draw a number, text or truth value, {DESCRIBE}.")
    if all(any(as_value(value) is not None for value in some) for some in values.values()):
        problem = f"draws {join_some(list(names))}, which are nowhere together {where}"
        yield Fault("filter", settings.filter, problem, f"Draw fewer, {DESCRIBE}.")


def _absent(settings: Settings, info: CollectionInfo, name: str, known: list[str]) -> Fault:
    has = "lacks" if not info.is_dynamic else "has in none of its sampled rows"
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {{{close[0]}}}?" if close else f"Draw one of {join_some(sorted(known))}, {DESCRIBE}."
    return Fault("filter", settings.filter, f"draws {{{name}}}, which collection '{info.name}' {has}", hint)
