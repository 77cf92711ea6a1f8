"""The load levels of an open run, and its rates by operation and over time."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from loadgen.measure.phase import Curves
from loadgen.measure.rate_curve import RateCurve
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings
from loadgen.settings.rate_profile import find_length, read_profile
from loadgen.settings.rates import find_mix, find_rates
from loadgen.text.listing import join_some

CLOSE = 0.75
"""Similarity above which a name counts as mistyped."""


@dataclass(frozen=True, slots=True)
class RatePlan:
    """What each phase of an open run is offered."""

    rates: tuple[float, ...]
    """Load levels: arrivals per second, of a profile the mean."""
    seconds: float
    """Measured length of a phase."""
    curves: Curves = ()
    """Rates by operation or over time; empty: the level at all times, for any operation."""


def plan_rates(settings: Settings) -> RatePlan:
    """The rates of a run. Raises SettingsError for a profile that cannot be used."""
    if not settings.rate_profile:
        mix = find_mix(settings)
        flat: Curves = tuple((name, ((0.0, rate),)) for name, rate in mix.items())
        return RatePlan(find_rates(settings), settings.phase_seconds, flat)
    try:
        curves = read_profile(settings.rate_profile)
    except ValueError as error:
        hint = "Write a CSV file with the head seconds,rate and a row for each point, the first at 0."
        raise SettingsError([Fault("rate_profile", settings.rate_profile, str(error), hint)]) from None
    seconds = find_length(curves)
    mean = sum(RateCurve(points).mean(0.0, seconds) for _, points in curves)
    return RatePlan((float(f"{mean:.6g}"),), seconds, curves)


def find_unknown_operations(settings: Settings, plan: RatePlan, kinds: Sequence[type[Any]]) -> Iterator[Fault]:
    """Rates of operations that no task of one of the modes is called after."""
    setting = "rate_profile" if settings.rate_profile else "rate"
    wanted = [name for name, _ in plan.curves if name]
    for mode in dict.fromkeys(kind.mode for kind in kinds):
        own = sorted({task.__name__ for kind in kinds if kind.mode is mode for task in kind.tasks})
        for name in wanted:
            if name in own:
                continue
            close = difflib.get_close_matches(name, own, n=1, cutoff=CLOSE)
            hint = f"Did you mean {close[0]}?" if close else f"Its tasks are {join_some(own)}."
            yield Fault(setting, name, f"is the name of no task of the {mode} users", hint)
