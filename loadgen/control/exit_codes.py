"""How a run ended, and the exit code that follows: the one place where it is decided."""

import signal
from dataclasses import dataclass

from loadgen.runtime.guarding import CANNOT_START

COMPLETE, SHORT_OF = 0, 1
INTERRUPTED = 128
"""Plus the number of the signal: 130 for SIGINT, 143 for SIGTERM."""


@dataclass(frozen=True, slots=True)
class End:
    """What decides the exit code of a run. Texts are empty where nothing is to be said."""

    refused: str = ""
    """Why it did not start: no load was sent."""
    interrupted_by: int = 0
    """Number of the signal that ended it before its plan was complete."""
    incomplete: str = ""
    """Why the plan did not complete."""
    unmeasured: str = ""
    """In which phases no operation ended."""
    unrecorded: str = ""
    """Why the record could not be kept."""
    missed: tuple[str, ...] = ()
    """Requirements that were not met, the limit of failures among them."""
    failures: str = ""
    """Failed operations where no limit of failures was set, which means none."""
    failures_code: int = SHORT_OF
    """The code for those: Locust's own --exit-code-on-error."""


def find_exit_code(end: End) -> tuple[int, str]:
    """The code (see docs/exit-codes.md), and why it is not 0."""
    if end.refused:
        return CANNOT_START, end.refused
    if end.interrupted_by:
        name = signal.Signals(end.interrupted_by).name
        return INTERRUPTED + end.interrupted_by, f"ended by {name}: {end.incomplete or 'before the plan was complete'}"
    reasons = [end.incomplete, end.unmeasured, end.unrecorded, *end.missed]
    if told := [reason for reason in reasons if reason]:
        return SHORT_OF, "; ".join(told)
    return (end.failures_code, end.failures) if end.failures and end.failures_code else (COMPLETE, "")
