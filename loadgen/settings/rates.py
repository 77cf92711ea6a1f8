"""Rates of arrivals: load levels, or rates by operation."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

LEAST, MOST = 0.001, 1_000_000
NAMED = re.compile(r"\s*(?P<name>[A-Za-z_]\w{0,63})\s*[:=]\s*(?P<rate>\S+)\s*")
"""A rate of one operation, such as `search: 200`."""


def _parts(given: object) -> object:
    """Read `50,100,200` as three levels, and `search: 200, insert: 20` as one with two operations."""
    if isinstance(given, Mapping):
        given = [f"{name}: {rate}" for name, rate in given.items()]
    parts = [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given
    if not isinstance(parts, list | tuple):
        return parts
    named = [NAMED.fullmatch(str(part)) for part in parts]
    if not any(named):
        return parts
    if not all(named):
        raise ValueError("has rates with and without an operation")
    result: dict[str, float] = {}
    for part in filter(None, named):
        if part["name"] in result:
            raise ValueError(f"names {part['name']} twice")
        result[part["name"]] = _number(part["name"], part["rate"])
    return [f"{name}: {rate:g}" for name, rate in result.items()]


def _number(name: str, text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        raise ValueError(f"has no number for {name}: {text!r}") from None
    if not LEAST <= rate <= MOST:
        raise ValueError(f"has a rate of {name} that is not from {LEAST:g} to {MOST:,}")
    return rate


Rates = Annotated[
    tuple[
        Annotated[float, Field(ge=LEAST, le=MOST, allow_inf_nan=False)]
        | Annotated[str, Field(pattern=r"^[A-Za-z_]\w*: [0-9.e+]+$")],
        ...,
    ],
    BeforeValidator(_parts),
]


def find_mix(settings: "Settings") -> dict[str, float]:
    """The rates by operation; empty if the rates are load levels."""
    named = [part.split(": ") for part in settings.rate if isinstance(part, str)]
    return {name: float(rate) for name, rate in named}


def find_rates(settings: "Settings") -> tuple[float, ...]:
    """The load levels in arrivals per second: rates by operation are one level, their sum."""
    if mix := find_mix(settings):
        return (sum(mix.values()),)
    return tuple(part for part in settings.rate if isinstance(part, float))


def show_rates(settings: "Settings") -> str:
    """The setting as a person types it."""
    return ",".join(f"{part:g}" if isinstance(part, float) else part for part in settings.rate)
