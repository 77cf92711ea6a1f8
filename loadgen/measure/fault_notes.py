"""Faults injected in a phase and the checks after it, as the coordinator knows them."""

from dataclasses import dataclass

from loadgen.settings.fault_grammar import PlannedFault

NAMED_AT_MOST = 20
"""Missing rows that are named; all are counted."""


@dataclass(frozen=True, slots=True)
class FaultEvent:
    """One fault as it happened. Times are seconds from the start of the measured part."""

    fault: PlannedFault
    text: str
    """As it is shown: with the command, its secrets masked."""
    began: float
    """When it took effect; of a command and a restart, when it was started."""
    ended: float | None = None
    """When it was over; None if the phase ended before."""
    error: str = ""
    """Why it could not be carried out."""
    exit_code: int | None = None
    """Of a command."""
    output: tuple[str, ...] = ()
    """The last lines of a command."""


@dataclass(frozen=True, slots=True)
class InsertCheck:
    """The rows whose inserts were acknowledged in a phase, searched for by id after it."""

    acknowledged: int
    missing: int
    names: tuple[str, ...] = ()
    """The first missing ids."""
    problem: str = ""
    """Why they could not be searched for."""


@dataclass(frozen=True, slots=True)
class FaultNotes:
    """All faults of a phase."""

    recovery_within: float
    events: tuple[FaultEvent, ...] = ()
    inserts: InsertCheck | None = None
    """None: nothing was inserted."""
    connections_before: int | None = None
    """Open TCP connections of all variants and processes to the server; None if unknown."""
    connections_after: int | None = None
