"""The command around phases with faults."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CheckFaults:
    """Before and after a phase with faults. Answer: `connections`; after it also what became of the inserts."""

    variant: str
    is_over: bool
    run_id: str = ""
    sequence: int = 0
    kind: Literal["check_faults"] = "check_faults"
