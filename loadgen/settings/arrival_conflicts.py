"""Conflicts between the settings of the closed and of the open model."""

from typing import TYPE_CHECKING

from loadgen.settings.faults import Fault
from loadgen.settings.rate_search import is_search
from loadgen.settings.rates import show_rates

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

Conflict = tuple[Fault, tuple[str, ...]]
"""A fault between settings, and the names of the settings involved."""


def find_arrival_conflicts(settings: "Settings") -> list[Conflict]:
    """Settings of the closed and the open model together. A search for a rate has conflicts of its own."""
    if is_search(settings):
        return []
    arrival, profile = settings.arrival, settings.rate_profile
    given = {name: show for name, show in (("rate", show_rates(settings)), ("rate_profile", profile)) if show}
    names = ("arrival", "rate", "rate_profile")
    if arrival == "closed":
        problem = "is for the open model, but --arrival is closed"
        hint = "Add --arrival poisson (or constant), or omit {}."
        return [
            (Fault(name, show, problem, hint.format(f"--{name.replace('_', '-')}")), names)
            for name, show in given.items()
        ]
    conflicts: list[Conflict] = []
    if not given:
        problem = f"is required with --arrival {arrival}"
        conflicts.append((Fault("rate", "", problem, "Give arrivals per second, such as --rate 50,100,200."), names))
    if len(given) > 1:
        hint = "Omit one of the two."
        conflicts.append(
            (Fault("rate", given["rate"], "conflicts with --rate-profile, which has the rates", hint), names)
        )
    if profile and settings.phase_seconds != type(settings).model_fields["phase_seconds"].default:
        problem = "conflicts with --rate-profile: a phase lasts as long as the profile"
        fault = Fault("phase_seconds", f"{settings.phase_seconds:g}", problem, "Omit it.")
        conflicts.append((fault, ("phase_seconds", "rate_profile")))
    if settings.concurrency != type(settings).model_fields["concurrency"].default:
        users = ",".join(map(str, settings.concurrency))
        problem = f"is for the closed model, but --arrival is {arrival}"
        hint = "Omit --concurrency, or choose --arrival closed."
        conflicts.append((Fault("concurrency", users, problem, hint), ("arrival", "concurrency")))
    return conflicts
