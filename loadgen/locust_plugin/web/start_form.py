"""The fields of our start form: the ten settings that matter first, in groups, then all others by section."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from loadgen.locust_plugin.web.form import is_switch
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import CREDENTIALS, Settings, is_set_on_page
from loadgen.text.plain_text import one_line

FIRST = {
    "Server and data": ("host", "collection", "rows"),
    "What is compared": ("mode", "variants", "top_k"),
    "Load": ("concurrency", "rate", "phase_seconds"),
    "Requirements": ("require",),
}
"""The ten settings that matter most, by group."""
USERS = "Load of a run in one mode"
"""The group of Locust's own fields, which a plan of phases does not use."""
OF_LOCUST = {
    "user_count": ("Number of users", "users of the run"),
    "spawn_rate": ("Ramp-up", "users started per second"),
    "run_time": ("Run time", "such as 90s or 5m; empty: until it is stopped"),
}
OF_LOCUSTFILE = "Locustfile"
PLACES = {"users": "user_count", "spawn-rate": "spawn_rate", "run-time": "run_time"}
"""Fields of Locust's settings in errors."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field."""

    name: str
    label: str
    help: str
    kind: str
    """text, number, switch, choice or secret."""
    value: object
    choices: tuple[str, ...] = ()
    fixed: bool = False
    """Set when the process starts."""


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields below one heading."""

    name: str
    fields: tuple[FormField, ...]
    is_first: bool
    """Shown unfolded."""


def describe_form(arguments: Mapping[str, Any], options: Any, sections: Mapping[str, str]) -> dict[str, Any]:
    """The form as plain values. `arguments` are those of Locust's template, dressed; `sections` by setting."""
    fields = {one.name: one for one in _fields(arguments, options)}
    groups = [
        FieldGroup(name, tuple(fields[one] for one in names if one in fields), True) for name, names in FIRST.items()
    ]
    groups.append(FieldGroup(USERS, tuple(fields[one] for one in OF_LOCUST), True))
    first = {one.name for group in groups for one in group.fields}
    others: dict[str, list[FormField]] = {}
    for one in fields.values():
        if one.name not in first:
            others.setdefault(sections.get(one.name, OF_LOCUSTFILE), []).append(one)
    groups += [FieldGroup(name.capitalize(), tuple(some), False) for name, some in others.items()]
    return {"users": USERS, "groups": [asdict(group) for group in groups]}


def _fields(arguments: Mapping[str, Any], options: Any) -> Iterator[FormField]:
    host = Settings.model_fields["host"]
    yield FormField("host", "Host", str(host.description), "text", arguments.get("host") or "")
    users = {"user_count": options.num_users or 1, "spawn_rate": options.spawn_rate or 1, "run_time": ""}
    for name, (label, text) in OF_LOCUST.items():
        yield FormField(name, label, text, "text", users[name])
    for name, option in arguments.get("extra_options", {}).items():
        yield _field(name, option)


def _field(name: str, option: Mapping[str, Any]) -> FormField:
    known = Settings.model_fields.get(name)
    text = (option.get("help_text") or "").partition(": ")[2] if known else option.get("help_text") or ""
    value, choices = option.get("default_value"), option.get("choices")
    kind = "text"
    if name in CREDENTIALS or option.get("is_secret"):
        kind = "secret"
    elif is_switch(name) if known else isinstance(value, bool):
        kind = "switch"
    elif choices:
        kind = "choice"
    elif known is not None and known.annotation is int:
        kind = "number"
    fixed = known is not None and name not in CREDENTIALS and not is_set_on_page(name)
    shown = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
    label = name.replace("_", " ").capitalize()
    return FormField(name, label, text, kind, "" if shown is None else shown, tuple(map(str, choices or ())), fixed)


def place_faults(error: SettingsError) -> list[dict[str, str]]:
    """Each error with the field that it belongs to."""
    return [{"field": _place(one), "text": _say(one)} for one in error.faults]


def _place(fault: Fault) -> str:
    return PLACES.get(fault.setting, fault.setting.replace("-", "_"))


def _say(fault: Fault) -> str:
    shown = one_line(f"{fault.problem}. {fault.hint}", 2_000)
    return f"{one_line(fault.value, 200)}: {shown}" if fault.value else shown[:1].upper() + shown[1:]
