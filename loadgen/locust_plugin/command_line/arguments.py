"""Settings as Locust arguments: flag, `LOADGEN_*` variable, key of a config file, field of the web UI."""

import argparse
import difflib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import SecretStr, ValidationError

from loadgen.locust_plugin.command_line.parser_errors import ParserErrors
from loadgen.settings.credentials import is_secret
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.flags import take_whole_flags_only
from loadgen.settings.model import TEXT_LISTS, Settings, as_text, is_shown_on_page
from loadgen.settings.rag_settings import KEY_VARIABLES
from loadgen.settings.values import Default

LOCUSTS_OWN = "host"
"""The only setting that is also a flag and a field of Locust."""


class Offered(list[str]):
    """Choices for help and page that accept any value: the model rejects it, together with all other faults."""

    def __contains__(self, item: object) -> bool:
        """Accept everything."""
        return True


class Replacing(argparse._AppendAction):  # noqa: SLF001 - ConfigArgParse takes lists for this class only
    """A list of which the first value given replaces the default, as of faults, which happen all together."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:  # noqa: ARG002
        """Add a value."""
        given = getattr(namespace, self.dest, None)
        setattr(namespace, self.dest, [*(() if given is self.default else given or ()), values])


def add_arguments(parser: Any, defaults: Mapping[str, object], parser_errors: ParserErrors | None = None) -> None:
    """Add every setting to Locust's parser, with a locustfile's own defaults. Raises ValueError for an unknown one.

    `parser_errors` collects what the parser would reject in variables and config files.
    """
    parser_errors = parser_errors or ParserErrors()
    parser_errors.watch(parser)
    take_whole_flags_only(parser, [name for name in Settings.model_fields if name != LOCUSTS_OWN])
    unknown = set(defaults) - set(Settings.model_fields)
    if unknown:
        raise ValueError(f"plug() got unknown settings: {', '.join(sorted(unknown))}")
    for name, field in Settings.model_fields.items():
        default = defaults.get(name, field.default)
        if name == LOCUSTS_OWN:
            parser.set_defaults(host=os.environ.get("LOADGEN_HOST") or default or None)
            continue
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        unit = f" [{extra['unit']}]" if extra.get("unit") else ""
        options: dict[str, Any] = {"dest": name, "env_var": f"LOADGEN_{name.upper()}", "help": _escape(f"{field.description}{unit}")}  # fmt: skip  # noqa: E501
        if parser_errors.hides_variable(name):
            del options["env_var"]
        if field.annotation is bool:
            options |= {"action": "store_true", "default": bool(default)}
        elif name in TEXT_LISTS:
            wanted = (default,) if isinstance(default, str) and default else default
            options |= {
                "action": Replacing if name == "fault" else "append",
                "default": list(wanted) if isinstance(wanted, tuple | list) and wanted else None,
            }
        else:
            options |= {"default": Default(as_text(default)), "metavar": "<text>"}
            choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
            if choices:
                options |= {"choices": Offered(choices), "metavar": "|".join(choices)}
        options["include_in_web_ui"] = is_shown_on_page(name)
        parser.add_argument(f"--{name.replace('_', '-')}", is_secret=is_secret(field), **options)


def check_defaults(defaults: Mapping[str, object]) -> None:
    """Raise SettingsError with every fault of a locustfile's own defaults, each by itself."""
    faults = [fault for name, value in defaults.items() if (fault := _find_fault(name, value)) is not None]
    if faults:
        raise SettingsError(faults)


def _find_fault(name: str, value: object) -> Fault | None:
    if name not in Settings.model_fields:
        close = difflib.get_close_matches(name, Settings.model_fields, n=1)
        hint = f"Did you mean {close[0]}?" if close else "Remove it; `loadgen settings` lists all settings."
        return Fault(name, "", "is not a setting (in plug)", hint)
    if Settings.model_fields[name].annotation is bool and not isinstance(value, bool):
        return Fault(name, str(value), "should be True or False (in plug)", "Write it without quotes.")
    given = {name: value if isinstance(value, bool | SecretStr) or name in TEXT_LISTS else as_text(value)}
    try:
        Settings.model_validate(given)
    except ValidationError:  # conflicts between settings are checked when all are known
        try:
            Settings.parse(given)
        except SettingsError as error:
            return error.faults[0]._replace(problem=f"{error.faults[0].problem} (in plug)")
    return None


def find_unknown(names: Iterable[str]) -> list[str]:
    """Warnings about `LOADGEN_*` variables that are not settings, such as a mistyped one.

    Variables that Kubernetes sets for a Service called loadgen (LOADGEN_PORT, LOADGEN_SERVICE_HOST, ...) are ignored.
    """
    known = [*(f"LOADGEN_{name.upper()}" for name in Settings.model_fields), *KEY_VARIABLES.values()]
    warnings = []
    for name in sorted(names):
        if not name.startswith("LOADGEN_") or name in known or re.search(r"_(PORT|SERVICE)(_|$)", name):
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
        hint = f"; did you mean {close[0]}?" if close else ""
        warnings.append(f"The variable {name} is not a setting and is ignored{hint}")
    return warnings


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def read_settings(options: Any, host: str | None) -> Settings:
    """The settings in Locust's parsed options. Raises SettingsError with all faults, RuntimeError if there are none."""
    values = vars(options)
    if "top_k" not in values:
        raise RuntimeError("Locust's parser has none of loadgen's settings: see the log above for what failed")
    given = {name: values[name] for name in Settings.model_fields if name in values}
    return Settings.parse(given | {"host": host or ""})
