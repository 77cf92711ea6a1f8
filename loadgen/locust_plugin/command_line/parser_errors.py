"""Collects values that Locust's parser would reject one by one, to report them together with all other faults."""

import difflib
import io
import logging
import os
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from loadgen.locust_plugin.command_line.text_lists import take_lists
from loadgen.locust_plugin.patches import read_config_files
from loadgen.settings.conflicts import without_secret
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.flags import SecretFlags
from loadgen.settings.model import TEXT_LISTS, Settings, as_text

logger = logging.getLogger("loadgen")

BOOLEANS = ("true", "false", "yes", "no", "on", "off", "1", "0")
"""Values that the parser accepts for a switch."""
SWITCHES = tuple(name for name, field in Settings.model_fields.items() if field.annotation is bool)

LISTED = tuple(name for name in Settings.model_fields if name not in (*SWITCHES, *TEXT_LISTS))
"""Settings for which the parser rejects lists: a list in a file means its items joined by commas."""


class ParserErrors:
    """Errors in config files and variables, collected while parsing. One per process."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self.secret_flags: Collection[str] = ()
        """Flags whose values must not be shown, including a locustfile's own."""

    def watch(self, parser: Any) -> None:
        """Filter config files so that this parser gets only values that it accepts."""
        self.secret_flags = SecretFlags(parser)
        read_config_files(parser, self._read)

    def _read(self, reader: Any, stream: Any, known: list[str]) -> dict[str, Any]:
        """The items of a file by key, as Locust's reader returns them, without the faulty ones."""
        if stream.name.endswith(".toml"):
            return self.sift(reader.parse(stream), known, stream.name)
        rest, lists, cut = take_lists(stream.read(), TEXT_LISTS)
        for key, value in cut.items():
            self.refuse_cut(key, value, stream.name)
        return self.sift({**reader.parse(_named(rest, stream.name)), **lists}, known, stream.name)

    def hides_variable(self, name: str) -> bool:
        """True if the variable of a switch is neither true nor false: the parser must not see it."""
        variable = f"LOADGEN_{name.upper()}"
        value = os.environ.get(variable, "")
        return name in SWITCHES and variable in os.environ and not self._is_switch(name, value, f"in {variable}")

    def sift(self, items: Mapping[str, Any], known: Iterable[str], file: str) -> dict[str, Any]:
        """The items of a config file that the parser accepts; each other one is a fault."""
        keys = list(known)
        kept: dict[str, Any] = {}
        for key, value in items.items():
            name = key.removeprefix("--").replace("-", "_")
            if key not in keys:
                self._faults[key] = _unknown(key, value, keys, file)
            elif name not in SWITCHES or self._is_switch(name, str(value), f"in {file}"):
                kept[key] = as_text(value) if isinstance(value, list) and name in LISTED else value
        return kept

    def refuse_cut(self, key: str, value: str, file: str) -> None:
        """Add a fault for a list of texts that is cut off at its own " ;", which starts a comment."""
        problem = f'is cut off, as " ;" starts a comment (in {file})'
        self._faults[key] = Fault(key, value, problem, "Put the whole list in double quotes.")

    def check(self) -> None:
        """Raise SettingsError if there are faults."""
        if self._faults:
            raise SettingsError(self._faults.values())

    def join(self, error: SettingsError) -> str:
        """The faults of an error, and those collected here."""
        own = [fault for fault in self._faults.values() if fault not in error.faults]
        return str(SettingsError([*own, *error.faults]))

    def warn(self) -> None:
        """Log the faults: for a worker, whose settings come from its master."""
        for fault in self._faults.values():
            logger.warning("Ignored in this worker: %s", fault)

    def _is_switch(self, name: str, value: str, where: str) -> bool:
        if value.lower() in BOOLEANS:
            return True
        self._faults[name] = Fault(name, value, f"is neither true nor false ({where})", "Choose true or false.")
        return False


def _named(text: str, name: str) -> io.StringIO:
    """A text as a file of this name."""
    file = io.StringIO(text)
    file.name = name
    return file


def _unknown(key: str, value: object, known: list[str], file: str) -> Fault:
    close = difflib.get_close_matches(key.replace("_", "-"), [one for one in known if one[:1] != "-"], n=1)
    hint = f"Did you mean {close[0]}?" if close else "Remove it; `loadgen settings` lists all settings."
    secret = any(part in key.lower() for part in ("token", "password", "secret", "key"))
    return Fault(
        key.removeprefix("--"), "" if secret else without_secret(str(value)), f"is not a setting (in {file})", hint
    )
