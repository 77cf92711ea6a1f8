"""The fields of Locust's form: our settings, Locust's own fields, and those that a browser must not set."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from werkzeug.datastructures import MultiDict

from loadgen.settings.credentials import MASK, is_secret
from loadgen.settings.faults import Fault
from loadgen.settings.model import TEXT_LISTS, Settings, as_text, is_set_on_page

LOCUSTS = ("user_count", "spawn_rate", "run_time", "profile")
"""Locust's own fields; its host is one of our settings."""
PICKER = ("user_classes", "shape_class")
"""Fields of Locust's class picker, which conflicts with a plan of phases."""
WAY_OUT = "Set it when starting the process."


@dataclass(frozen=True, slots=True)
class Form:
    """One parsed form."""

    asked: dict[str, object]
    """Settings that the page may set: text, or True and False for switches."""
    passed: "MultiDict[str, str]"
    """Fields for Locust's handler: Locust's own, and those of arguments added by a locustfile."""
    faults: tuple[Fault, ...]
    """Fields that only the start of the process may set, but the form would change."""


def read_form(form: "MultiDict[str, str]", options: Mapping[str, Any], custom: Collection[str]) -> Form:
    """Parse a form. `options` are Locust's parsed options, `custom` the arguments with a field on the page.

    Locust's own handler would write every other field that names an option of Locust into the options, such as the
    file of its report. Depends only on its arguments.
    """
    asked: dict[str, object] = {}
    passed: MultiDict[str, str] = MultiDict()
    faults: list[Fault] = []
    for name in form:
        if name in Settings.model_fields:
            if is_set_on_page(name):
                asked[name] = form[name] == "true" if is_switch(name) else form[name]
            elif _would_change(name, form[name], options):
                faults.append(_not_here(name, "" if is_secret(Settings.model_fields[name]) else form[name]))
        elif name in LOCUSTS or name in custom:
            passed.setlist(name, form.getlist(name))
            faults += _find_no_load(name, form[name])
        elif name in options and name not in PICKER:
            faults.append(_not_here(name, form[name]))
    return Form(asked, passed, tuple(faults))


def is_switch(name: str) -> bool:
    """True for a setting that is on or off."""
    return Settings.model_fields[name].annotation is bool


def as_field(name: str, value: object) -> object:
    """A setting's value as a form field, which `read_form` parses back into the same value."""
    if is_switch(name):
        return bool(value)
    if value is None or isinstance(value, SecretStr):
        return ""
    return "; ".join(map(str, value)) if name in TEXT_LISTS and isinstance(value, list | tuple) else as_text(value)


def _would_change(name: str, sent: str, options: Mapping[str, Any]) -> bool:
    if is_secret(Settings.model_fields[name]):
        return sent not in ("", MASK)
    standing = as_field(name, options.get(name))
    return (sent == "true") is not standing if is_switch(name) else sent != standing


def _find_no_load(name: str, sent: str) -> list[Fault]:
    """Numbers that Locust accepts but that generate no load; Locust itself rejects anything but numbers."""
    number = _number(sent)
    if name == "user_count" and number is not None and not number >= 1:
        return [Fault("users", sent, "are no users", "Give a number from 1.")]
    if name == "spawn_rate" and number is not None and not 0 < number < math.inf:
        return [Fault("spawn_rate", sent, "starts no user", "Give a number above 0.")]
    return []


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _not_here(name: str, value: str) -> Fault:
    return Fault(name, value, "cannot be set from the page", WAY_OUT)
