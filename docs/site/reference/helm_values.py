"""The keys of the chart: defaults and comments of values.yaml, types of values.schema.json."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from docs.site.pages import ROOT
from docs.site.reference.tables import kind_of, plain, table_of

CHART = ROOT / "charts" / "milvus-loadgen"
KEY = re.compile(r"( *)([A-Za-z]\w*):(?:.*? # (.*)|.*)")
COMMENT = re.compile(r" *#( ?)( *)(.*)")
ASIDE, CONTINUED = 2, 6
"""Spaces before an example or a case of a comment, and before its next line."""


def list_values() -> Iterator[str]:
    """A table for each key at the top that has others, and one of the rest."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    defaults = yaml.safe_load(text)
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    comments = read_comments(text)
    tops = list(dict.fromkeys(path[0] for path in comments))
    groups = {top: [path for path in comments if path[0] == top] for top in tops}
    head = ("key", "type", "default", "meaning")
    rows = [path for paths in groups.values() if len(paths) == 1 for path in paths]
    yield from table_of(head, [_row(path, comments, defaults, schema) for path in rows])
    for top, paths in groups.items():
        if len(paths) > 1:
            about = comments.get((top,))
            yield from ("", f"## {top}", "", *((about, "") if about else ()))
            rows = [path for path in paths if len(path) > 1]
            yield from table_of(head, [_row(path, comments, defaults, schema) for path in rows])


def read_comments(text: str) -> dict[tuple[str, ...], str]:
    """The comment of each key that has one, above it or behind it, as Markdown."""
    comments: dict[tuple[str, ...], str] = {}
    path: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        if not line.strip():
            lines = []
        elif comment := COMMENT.fullmatch(line):
            _add(lines, len(comment[2]), comment[3])
        elif key := KEY.fullmatch(line):
            path = [*path[: len(key[1]) // 2], key[2]]
            if words := lines or ([plain(key[3])] if key[3] else []):
                comments[tuple(path)] = "<br>".join(words)
            lines = []
    return comments


def _add(lines: list[str], spaces: int, text: str) -> None:
    """Add a line of a comment: a new line of the cell if it is an example or a case, else more of the last one."""
    words = plain(re.sub(r" {2,}", ": ", text))
    if lines and (spaces >= CONTINUED or (spaces < ASIDE and "<br>" not in lines[-1] and len(lines) == 1)):
        lines[-1] += f" {words}"
    else:
        lines.append(words)


def _row(
    path: tuple[str, ...], comments: Mapping[tuple[str, ...], str], defaults: Any, schema: dict[str, Any]
) -> tuple[str, ...]:
    value, kind = defaults, schema
    for key in path:
        value = value[key]
        kind = _follow(kind.get("properties", {}).get(key, {}), schema)
    has_keys = any(other[: len(path)] == path and other != path for other in comments)
    shown = "" if has_keys else f"`{json.dumps(value)}`"
    types = "" if has_keys or not kind else kind_of(kind)
    return f"`{'.'.join(path)}`", types, shown, comments[path]


def _follow(kind: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The definition to which a type refers, or else the type itself."""
    if "$ref" not in kind:
        return kind
    result: dict[str, Any] = schema
    for key in kind["$ref"].removeprefix("#/").split("/"):
        result = result[key]
    return result
