"""`--sweep "ef=16,32,64,128"`: each variant is measured with several values of one search parameter.

sweep = parameter "=" number { "," number }
"""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.values import INDEX_DEFAULTS, read_parameters

if TYPE_CHECKING:
    from loadgen.settings.model import Settings
    from loadgen.settings.variants import Variant

FORM = re.compile(r"\s*(?P<name>[A-Za-z]\w*)\s*=\s*(?P<values>[^=]*)")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
HINT = "Write for example ef=16,32,64,128."
VALUES_AT_LEAST = 2
PLAIN = re.compile(r"[\w.+-]+")
"""A value of a parameter that needs no JSON."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A search parameter and its values."""

    parameter: str
    values: tuple[str, ...]
    """Numbers, as they were given."""


class Swept(NamedTuple):
    """What a variant of a sweep was made of."""

    family: str
    """Name of the variant that was given."""
    value: float


def read_sweep(settings: "Settings") -> Sweep | None:
    """The sweep of a run; None without one. Raises SettingsError."""
    text = settings.sweep.strip()
    if not text:
        return None
    form = FORM.fullmatch(text)
    if form is None:
        raise SettingsError([Fault("sweep", text, "is not a search parameter with its values", HINT)])
    values = tuple(value.strip() for value in form["values"].split(","))
    if wrong := [value for value in values if not NUMBER.fullmatch(value)]:
        raise SettingsError([Fault("sweep", text, f"has a value that is no number: '{wrong[0]}'", HINT)])
    if len({float(value) for value in values}) < len(values):
        raise SettingsError([Fault("sweep", text, "names a value twice", "Give each once.")])
    if len(values) < VALUES_AT_LEAST:
        hint = f'Give several, or --search-params "{text}".'
        raise SettingsError([Fault("sweep", text, "has only one value", hint)])
    return Sweep(form["name"], values)


def spread_variants(variants: "Sequence[Variant]", settings: "Settings") -> "tuple[Variant, ...]":
    """Each variant once for each value, those of one variant together. Raises SettingsError."""
    sweep = read_sweep(settings)
    if sweep is None:
        return tuple(variants)
    return tuple(_at(one, settings, sweep, value) for one in variants for value in sweep.values)


def find_swept(variants: "Sequence[Variant]", settings: "Settings") -> dict[str, Swept]:
    """What each variant of a sweep was made of, by its name; empty without a sweep."""
    sweep = read_sweep(settings)
    if sweep is None:
        return {}
    ends = {f" {sweep.parameter}={value}": float(value) for value in sweep.values}
    return {
        one.name: Swept(one.name.removesuffix(end), value)
        for one in variants
        for end, value in ends.items()
        if one.name.endswith(end)
    }


def find_too_many(settings: "Settings", variants: int, most: int) -> Fault:
    """The fault of a sweep that makes more variants than a run may have."""
    problem = f"makes {variants} variants, one for each value"
    hint = f"Give fewer values or variants: at most {most} together."
    return Fault("sweep", settings.sweep, problem, hint)


def _at(variant: "Variant", settings: "Settings", sweep: Sweep, value: str) -> "Variant":
    """The variant with one value, beside the search parameters that it has anyway."""
    if "search_params" in variant.given:
        usual = read_parameters(variant.given["search_params"])
    else:
        usual = {} if "index_type" in variant.given else settings.search_params
    params = dict(usual) | {sweep.parameter: json.loads(value)} if isinstance(usual, Mapping) else {}
    given = {**variant.given, "search_params": _write(params)}
    return replace(variant, name=f"{variant.name} {sweep.parameter}={value}", given=given)


def _write(params: Mapping[str, Any]) -> str:
    """As `--search-params` takes them; without quotes, where that is possible, so that a variant can name them."""
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    if all(PLAIN.fullmatch(value) for value in values.values()):
        return ",".join(f"{name}={value}" for name, value in values.items())
    return json.dumps(params)


def find_sweep_conflicts(settings: "Settings") -> list[tuple[Fault, tuple[str, ...]]]:
    """Faults of the sweep itself, and between it and other settings."""
    sweep_conflicts: list[tuple[Fault, tuple[str, ...]]] = []
    try:
        sweep = read_sweep(settings)
    except SettingsError as error:
        return [(fault, ("sweep",)) for fault in error.faults]
    if sweep is None:
        if settings.at_recall:
            problem = "is of a sweep, but there is none"
            fault = Fault("at_recall", f"{settings.at_recall:g}", problem, 'Add for example --sweep "ef=16,32,64,128".')
            sweep_conflicts.append((fault, ("at_recall", "sweep")))
        return sweep_conflicts
    known = INDEX_DEFAULTS[settings.index_type][1]
    if sweep.parameter not in known and (close := difflib.get_close_matches(sweep.parameter, known, n=1)):
        problem = f"names an unknown search parameter of {settings.index_type}: '{sweep.parameter}'"
        fault = Fault("sweep", settings.sweep, problem, f"Did you mean {close[0]}?")
        sweep_conflicts.append((fault, ("sweep", "index_type")))
    if settings.mode != "compare":
        problem = f"is for --mode compare, but --mode is {settings.mode}"
        fault = Fault("sweep", settings.sweep, problem, f'Use --variants "{settings.mode}".')
        sweep_conflicts.append((fault, ("sweep", "mode")))
    if settings.find_rate or settings.arrival != "closed":
        problem = "compares throughputs, which --find-rate and --arrival choose beforehand"
        fault = Fault("sweep", settings.sweep, problem, "Omit one of them.")
        sweep_conflicts.append((fault, ("sweep", "find_rate", "arrival")))
    if not settings.recall_every:
        problem = "needs recall, but --recall-every 0 checks none"
        fault = Fault("sweep", settings.sweep, problem, "Give --recall-every 1 or more.")
        sweep_conflicts.append((fault, ("sweep", "recall_every")))
    return sweep_conflicts
