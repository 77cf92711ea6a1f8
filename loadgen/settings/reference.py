"""The reference of all settings, generated from the model: as Markdown for docs/reference/settings.md, and as text."""

from collections.abc import Iterator
from typing import get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from loadgen.settings.describing import find_limits
from loadgen.settings.model import Settings, as_text

SECTIONS = {
    "host": "The server",
    "collection": "The collection",
    "dataset": "The data",
    "top_k": "The operations",
    "client": "The RAG path",
    "mode": "The run",
    "record": "The result",
    "metrics_port": "The metrics",
}
"""The first setting of each section, in the order of the model."""
HEAD = """# Settings

This page is generated from the program: `loadgen settings` prints the same list, and `loadgen run search --help` has it
beside Locust's own flags. (`locust --help` cannot: it does not read the locustfile.)

Each setting is a flag, a variable `LOADGEN_<NAME>` (`--top-k` is `LOADGEN_TOP_K`), a key of Locust's config file (the
flag without its dashes) and a field of Locust's page ([some are read-only there](../guides/page.md)). The command line
takes precedence over the variable, and the variable over the file. A locustfile can set defaults:
`plug(events, top_k=20)`; `search.py` and the others use those below, `burst.py` and `tutorial.py` have 1,000 rows,
FLAT, top 3 and Strong, as in the tutorial. Flags cannot be abbreviated. All errors in settings are reported together,
before any load, with exit code 2.

Prefer `LOADGEN_TOKEN` to `--token`: a command line is visible to other users of the machine. A password in the address
(`http://user:password@host`) becomes the token and is never shown.
"""


def settings_as_markdown() -> str:
    """The whole page."""
    return "\n".join([HEAD.rstrip("\n"), *_lines()]) + "\n"


def _lines() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if name in SECTIONS:
            yield from (
                "",
                f"## {SECTIONS[name]}",
                "",
                "| flag | default | values | meaning |",
                "| --- | --- | --- | --- |",
            )
        flag = f"`--{name.replace('_', '-')}`"
        text = (field.description or "").replace("|", "\\|")
        yield f"| {flag} | {_default(field)} | {_values(field)} | {text} |"


def _default(field: FieldInfo) -> str:
    if field.annotation is bool:
        return "off"
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    shown, unit = as_text(field.default), extra.get("unit")
    return f"`{shown}`{f' {unit}' if unit else ''}" if shown else ""


def settings_as_text() -> str:
    """For a terminal: by section, each with its choices, its default in brackets and its meaning."""
    lines: list[str] = []
    for name, field in Settings.model_fields.items():
        if name in SECTIONS:
            lines += [*([""] if lines else []), SECTIONS[name], ""]
        choices = f" {'|'.join(_choices(field))}" if _choices(field) else ""
        default = "" if field.annotation is bool else _default(field).replace("`", "")
        shown = f" [{default}]" if default else ""
        lines += [f"--{name.replace('_', '-')}{choices}{shown}", f"    {field.description}"]
    foot = "Each is also a variable LOADGEN_<NAME>, a key of Locust's config file and a field of its page."
    return "\n".join((*lines, "", foot)) + "\n"


def _choices(field: FieldInfo) -> list[str]:
    return [choice for choice in get_args(field.annotation) if isinstance(choice, str)]


def _values(field: FieldInfo) -> str:
    """The choices, the range, or the kind of value."""
    if field.annotation is bool:
        return "switch"
    if field.annotation is SecretStr:
        return "secret"
    choices = _choices(field)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    limits = find_limits(field)
    if field.annotation in (int, float):
        kind = "whole number" if field.annotation is int else "number"
        return f"{kind} {limits}".strip()
    if get_origin(field.annotation) is tuple:
        part = get_args(field.annotation)[0]  # a number with its limits, or a plain text
        return "texts" if part is str else "numbers with commas"
    return "text"
