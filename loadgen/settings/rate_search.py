"""Rules between --find-rate and the other settings of the load."""

from typing import TYPE_CHECKING

from loadgen.settings.faults import Fault
from loadgen.settings.variants import find_variants
from loadgen.text.listing import count_of

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

USUAL = "poisson"
"""The arrivals of a search, unless others are given."""
STEPS_AT_LEAST = 12
"""Steps per variant for which there must be time."""
BETWEEN = 1.0
"""Least seconds between two steps that are planned for: users start and end."""


def is_search(settings: "Settings") -> bool:
    """Whether the run searches for a rate."""
    return bool(settings.find_rate.strip())


def find_shortest(settings: "Settings", variants: int) -> float:
    """The least seconds for a search with these steps."""
    return (settings.phase_seconds + settings.warmup_seconds + BETWEEN) * STEPS_AT_LEAST * variants


def find_rate_conflicts(settings: "Settings") -> list[tuple[Fault, tuple[str, ...]]]:
    """Settings of a load that is chosen beforehand, and too little time."""
    if not is_search(settings):
        return []
    result: list[tuple[Fault, tuple[str, ...]]] = []
    if settings.arrival == "closed":
        problem = "is the closed model, but --find-rate searches for a rate of arrivals"
        hint = "Omit it, or choose poisson or constant."
        result.append((Fault("arrival", "closed", problem, hint), ("arrival", "find_rate")))
    for name in ("rate", "rate_profile", "concurrency", "rounds", "burst", "scale_workers"):
        value = getattr(settings, name)
        if value != type(settings).model_fields[name].default:
            shown = (
                ",".join(one if isinstance(one, str) else f"{one:g}" for one in value)
                if isinstance(value, tuple)
                else str(value)
            )
            fault = Fault(name, shown, "sets a load, but --find-rate searches for it", "Omit one of the two.")
            result.append((fault, (name, "find_rate")))
    return [*result, *_find_haste(settings)]


def _find_haste(settings: "Settings") -> list[tuple[Fault, tuple[str, ...]]]:
    variants = find_variants(settings) if not settings.variants or settings.mode == "compare" else []
    shortest = find_shortest(settings, max(len(variants), 1))
    if settings.find_within >= shortest:
        return []
    steps = f"{STEPS_AT_LEAST} steps of {settings.phase_seconds:g} s with {settings.warmup_seconds:g} s of warm-up"
    whose = f" for each of {count_of(len(variants), 'variant')}" if len(variants) > 1 else ""
    hint = f"Give --find-within {shortest:.0f}s or more, or lower --phase-seconds and --warmup-seconds."
    fault = Fault("find_within", f"{settings.find_within:g}", f"is too short for {steps}{whose}", hint)
    return [(fault, ("find_within", "phase_seconds", "warmup_seconds", "find_rate", "variants", "mode"))]
