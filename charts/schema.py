"""The `loadgen:` part of the chart's values.schema.json, generated from what the program accepts.

`python -m charts.schema` regenerates it (`make chart-schema`); the rest of that file is written by hand.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments
from pydantic import SecretStr

from loadgen.measure.operation import NAME
from loadgen.results.requirements.parsing import FIGURES, OF_ALL
from loadgen.settings.model import Settings

FILE = Path(__file__).parent / "milvus-loadgen" / "values.schema.json"
CHARTS = (
    "host", "token", "embedded", "ca_file", "client_cert_file", "client_key_file", "server_cert_file", "server_name",
    "record", "record_url", "resume", "print_record", "metrics_port", "metrics_bind", "metrics_targets",
    "metrics_linger", "dry_run",
)  # fmt: skip
"""Settings with separate keys in the chart, or without meaning in a pod."""
AMOUNTS = ("max_failures",)
"""Text settings with an optional unit (1%): without it, YAML gives a number."""
DURATIONS = ("find_within",)
"""Times that may have units, such as 10m."""
LOCUSTS = (
    "users", "spawn-rate", "run-time", "stop-timeout", "tags", "exclude-tags", "equal-weights", "reset-stats",
    "only-summary", "loglevel", "autostart", "web-base-path", "exit-code-on-error",
    "csv", "csv-full-history", "html", "json", "json-file", "web-login", "print-stats",
)  # fmt: skip
"""Locust's own flags that make sense in a pod and are not set by the chart."""


OURS = ("title", "default", "description", "unit", "hint", "page", "hidden", "address")
"""Keys of the model's schema that the chart does not need."""


def settings_schema() -> dict[str, Any]:
    """JSON Schema of `loadgen:`, keys as in a config file. Raises KeyError if a flag of Locust is gone."""
    own = Settings.model_json_schema()["properties"]
    properties = {
        name.replace("_", "-"): _required(name, _setting(own[name] | _unquoted(name), field.description or ""))
        for name, field in Settings.model_fields.items()
        if name not in CHARTS and field.annotation is not SecretStr
    }
    parser = get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    flags = {text: action for action in parser._actions for text in action.option_strings}  # noqa: SLF001
    properties |= {name: _flag(flags[f"--{name}"]) for name in LOCUSTS}
    return {"type": "object", "additionalProperties": False, "properties": dict(sorted(properties.items()))}


def _one_of(words: Iterable[str]) -> str:
    """A case-insensitive pattern for one of some words; Helm's patterns have no flag for that."""
    return "|".join("".join(f"[{c.upper()}{c}]" if c.isalpha() else re.escape(c) for c in word) for word in words)


def requirement_pattern() -> str:
    """The form of a requirement: an operation, optionally a variant, a level and a part, a figure, and a limit.

    A figure is one of ours, or the name of items, whose limit is per second. A recovery and a rate need no operation.
    """
    figures = (*FIGURES, "p99_9")
    start, relation = rf"\s*{NAME.pattern}\s+([^<>]*\s)?", r"\s*(<=|>=|<|>)\s*"
    items = rf"{NAME.pattern}(/s)?{relation}[0-9.]+\s*(/s)?\s*(;|at\s|$)"
    of_all = rf"\s*({_one_of(OF_ALL)})(\s[^<>]*)?{relation}[0-9.]"
    return rf"({of_all}|{start}(({_one_of(figures)}){relation}[0-9.]|{items}))"


def _required(name: str, kept: dict[str, Any]) -> dict[str, Any]:
    """The list, or one text with semicolons between several."""
    if name != "require":
        return kept
    one = requirement_pattern()
    item = {"type": "string", "pattern": f"^{one}"}
    listed, text = {"type": "array", "items": item}, {"type": "string", "pattern": rf"^(\s*$|{one})"}
    return {key: value for key, value in kept.items() if key == "description"} | {"anyOf": [listed, text]}


def _unquoted(name: str) -> dict[str, Any]:
    if name in DURATIONS:
        return {"type": ["string", "number"], "pattern": r"^\s*[0-9.]+[hms]?([0-9.]+[ms])?([0-9.]+s)?\s*$"}
    return {"type": ["string", "number"], "minimum": 0} if name in AMOUNTS else {}


def _setting(result: dict[str, Any], text: str) -> dict[str, Any]:
    """The values of the model, and for lists and maps also the text that a person would type."""
    described = {"description": text}
    kept = {key: value for key, value in result.items() if key not in OURS}
    if kept.get("type") == "array":
        item = kept["items"]
        return described | {"anyOf": [kept, item, {"type": "string"}] if item.get("type") != "string" else [kept, item]}
    if kept.get("type") == "object":
        return described | {"type": ["object", "string"]}
    return described | kept


def _flag(action: Any) -> dict[str, Any]:
    described = {"description": f"Locust's own: {' '.join((action.help or '').split())}"}
    if action.nargs == 0:
        return described | {"type": "boolean"}
    if action.nargs == "*":
        return described | {"type": "array", "items": {"type": "string"}}
    kinds = {int: "integer", float: "number"}
    return described | {"type": kinds.get(action.type, ["string", "number"])}


def with_settings(text: str) -> str:
    """The text of the file with this part regenerated."""
    schema = json.loads(text)
    schema["properties"]["loadgen"] = settings_schema()
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(with_settings(FILE.read_text()))
