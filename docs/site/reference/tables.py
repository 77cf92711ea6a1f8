"""Tables in Markdown, and types of a JSON schema in words."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

SIMPLE = {"integer": "whole number", "boolean": "true or false"}


def table_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table. Cells are Markdown already, but for `|`."""
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def plain(text: str) -> str:
    """A text of the code in one line, in which nothing but `code` is markup."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else re.sub(r"([<*_\[\]])", r"\\\1", part) for part in parts)


def kind_of(schema: dict[str, Any]) -> str:
    """The type that a JSON schema describes; definitions are links to their headings."""
    for key, describe in DESCRIBED.items():
        if key in schema:
            return describe(schema[key])
    result = schema.get("type", "any")
    if isinstance(result, list):
        return " or ".join(kind_of({**schema, "type": one}) for one in result)
    describe_type = TYPES.get(result)
    return describe_type(schema) if describe_type else SIMPLE.get(result, result)


def _either(choices: list[dict[str, Any]]) -> str:
    return " or ".join(dict.fromkeys(map(kind_of, choices)))


def _definition(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def _list(schema: dict[str, Any]) -> str:
    if "prefixItems" in schema:
        return f"list of {', '.join(map(kind_of, schema['prefixItems']))}"
    return f"list of {kind_of(schema['items'])}" if schema.get("items") else "list"


def _object(schema: dict[str, Any]) -> str:
    values = schema.get("additionalProperties")
    return f"object: text to {kind_of(values)}" if isinstance(values, dict) else "object"


def _text(schema: dict[str, Any]) -> str:
    return "time (ISO 8601)" if schema.get("format") == "date-time" else "text"


DESCRIBED: Mapping[str, Callable[[Any], str]] = {
    "$ref": _definition,
    "enum": lambda values: ", ".join(f"`{value}`" for value in values),
    "const": lambda value: f"`{value}`",
    "anyOf": _either,
    "oneOf": _either,
}
"""By the key of a schema that says it all."""
TYPES: Mapping[str, Callable[[dict[str, Any]], str]] = {"array": _list, "object": _object, "string": _text}
"""By the type that other keys narrow."""
