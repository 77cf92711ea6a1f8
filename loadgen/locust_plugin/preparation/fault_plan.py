"""Faults in the plan of a run."""

from collections.abc import Sequence
from dataclasses import replace

from loadgen.measure.phase import Phase
from loadgen.settings.fault_grammar import find_late, parse_fault, read_faults, shown
from loadgen.settings.faults import Fault
from loadgen.settings.model import Settings


def mark_drills(phases: Sequence[Phase], settings: Settings) -> tuple[Phase, ...]:
    """The plan, in whose phases faults happen if any are declared."""
    return tuple(replace(phase, is_drill=bool(settings.fault)) for phase in phases)


def find_plan_faults(settings: Settings, phases: Sequence[Phase], *, is_spread: bool) -> list[Fault]:
    """Why the faults cannot happen in this plan; `is_spread`: workers may be on other machines."""
    if not settings.fault:
        return []
    reported = f'"{"; ".join(map(shown, settings.fault))}"'
    faults: list[Fault] = []
    if not phases:
        hint = f'Use --variants "{settings.mode}".' if settings.mode != "compare" else "Run other users."
        faults.append(Fault("fault", reported, f"needs phases, which --mode {settings.mode} does not have", hint))
    elif any(phase.operations for phase in phases):
        faults.append(
            Fault("fault", reported, "needs phases with a length, but these users run bursts", "Run other users.")
        )
    elif settings.rate_profile:
        longer = "lengthen the profile"
        timed = ((text, parse_fault(text)) for text in settings.fault)
        faults += [late for text, one in timed for late in find_late(text, one, phases[0].seconds, longer)]
    if is_spread and any(one.action.is_of_proxy for one in read_faults(settings)):
        problem = "needs the proxy, which listens on the loopback of the master, not for workers elsewhere"
        faults.append(Fault("fault", reported, problem, "Use --processes, or command: with a tool of your network."))
    return faults
