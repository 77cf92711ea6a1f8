"""How a run ended, and the resulting exit code, which is decided only here."""

import signal
from dataclasses import dataclass

from loadgen.runtime.start_errors import CANNOT_START

COMPLETE, SHORT_OF = 0, 1
INTERRUPTED = 128
"""Plus the number of the signal: 130 for SIGINT, 143 for SIGTERM."""


@dataclass(frozen=True, slots=True)
class End:
    """What determines the exit code of a run. Texts are empty if they do not apply."""

    refused: str = ""
    """Why it did not start: no load was sent."""
    interrupted_by: int = 0
    """Number of the signal that ended it before its plan was complete."""
    incomplete: str = ""
    """Why the plan did not complete."""
    unmeasured: str = ""
    """Phases in which no operation finished."""
    unrecorded: str = ""
    """Why the record could not be saved."""
    missed: tuple[str, ...] = ()
    """Requirements that were not met, including the limit of failures."""
    failures: str = ""
    """Failed operations without a limit of failures, which means that none are tolerated."""
    failures_code: int = SHORT_OF
    """The code for those: Locust's own --exit-code-on-error."""


def find_exit_code(end: End) -> tuple[int, str]:
    """The code (see docs/reference/exit-codes.md), and why it is not 0."""
    if end.refused:
        return CANNOT_START, end.refused
    if end.interrupted_by:
        name = signal.Signals(end.interrupted_by).name
        return INTERRUPTED + end.interrupted_by, f"ended by {name}: {end.incomplete or 'before the plan was complete'}"
    reasons = [end.incomplete, end.unmeasured, end.unrecorded, *end.missed]
    if reported := [reason for reason in reasons if reason]:
        return SHORT_OF, "; ".join(reported)
    return (end.failures_code, end.failures) if end.failures and end.failures_code else (COMPLETE, "")
