"""Lists of texts in a config file: one text with semicolons, a list, or a line per item, in ini and in YAML.

Locust's parser keeps one value per key, reads anything after " ;" or " #" as a comment, and splits a list at every
comma. So these settings are removed from the file before it reads the rest.
"""

import json
import re
from collections.abc import Collection

LINE = re.compile(r"[ \t]*(?:--)?(?P<key>[\w-]+)[ \t]*[:=][ \t]*(?P<value>.*?)[ \t]*")
ITEM = re.compile(r"[ \t]*-[ \t]+(?P<value>.*?)[ \t]*")
QUOTED = re.compile(r"(?P<quote>[\"'])(?P<text>.*)(?P=quote)(?:[ \t]+[#;].*)?")
COMMENT = re.compile(r"[ \t]+[#;].*")
PARTS = re.compile(r"\s*(\"(?:\\.|[^\"\\])*\"|'[^']*'|(?:[^,\"']|\"[^\"]*\")+)\s*(?:,|$)")


def take_lists(text: str, names: Collection[str]) -> tuple[str, dict[str, list[str]], dict[str, str]]:
    """The rest of a file, the texts of each of these settings, and the values cut off by a comment in an ini file.

    A setting with several lines has the texts of all. Keys are as written in the file.
    """
    rest: list[str] = []
    taken: dict[str, list[str]] = {}
    cut: dict[str, str] = {}
    lines = text.splitlines()
    while lines:
        line = lines.pop(0)
        match = LINE.fullmatch(line)
        if match is None or match["key"].replace("-", "_") not in names:
            rest.append(line)
            continue
        key, value = match["key"], match["value"]
        while value.startswith("[") and not _is_closed(value) and lines:
            value = f"{value} {lines.pop(0).strip()}"
        items = taken.setdefault(key, [])
        if value.startswith("["):
            items += _read_list(value)
        elif COMMENT.sub("", f" {value}").strip():
            items.append(_read_text(value))
            if not QUOTED.fullmatch(value) and re.search(r"[ \t];", value):
                cut[key] = value
        else:
            while lines and (one := ITEM.fullmatch(lines[0])):
                items.append(_read_text(one["value"]))
                lines.pop(0)
    return "\n".join(rest), taken, cut


def _is_closed(value: str) -> bool:
    return COMMENT.sub("", value).rstrip().endswith("]")


def _read_text(value: str) -> str:
    """A text without the quotes around it, or without its comment."""
    quoted = QUOTED.fullmatch(value)
    return quoted["text"] if quoted else COMMENT.sub("", value).strip()


def _read_list(value: str) -> list[str]:
    """The texts of `["a", "b"]`, an inline list of JSON or YAML."""
    try:
        parts = json.loads(value)
    except json.JSONDecodeError:
        inner = value[1 : value.rindex("]")] if "]" in value else value[1:]
        return [_read_text(part.strip()) for part in PARTS.findall(inner) if part.strip()]
    return [str(part) for part in parts]
