"""The fields of a run record, from its JSON schema."""

import re
from collections.abc import Iterator
from typing import Any

from docs.site.reference.tables import kind_of, plain, table_of
from loadgen.results.record.json_schema import schema

REFERENCE = re.compile(r"'\$ref': '#/\$defs/(\w+)'")


def list_record() -> Iterator[str]:
    """A section for each object: the record itself, and then all others in the order in which they are first used."""
    result = schema()
    parts: dict[str, Any] = result["$defs"]
    yield from _describe("RunRecord", result | {"$defs": {}})
    waiting, described = REFERENCE.findall(str(result["properties"])), set()
    while waiting:
        name = waiting.pop(0)
        if name not in described:
            described.add(name)
            yield from _describe(name, parts[name])
            waiting += REFERENCE.findall(str(parts[name]))


def _describe(name: str, part: dict[str, Any]) -> Iterator[str]:
    yield from (f"## {name}", "")
    if "description" in part:
        yield from (plain(part["description"]), "")
    if "properties" not in part:
        yield from (f"One of {kind_of(part)}." if "enum" in part else "Any value of JSON.", "")
        return
    rows = [
        (f"`{field}`", kind_of(about), plain(about.get("description", "")))
        for field, about in part["properties"].items()
    ]
    yield from (*table_of(("field", "type", "meaning"), rows), "")
