"""Continue a run that was interrupted: what is kept beside its record, and what of it is measured again."""

from loadgen.results.resuming.earlier import Earlier, find_earlier
from loadgen.results.resuming.passes import count_complete, find_passes
from loadgen.results.resuming.state import NOT_SAME, Identity, RunState, describe_phase, write_state

__all__ = [
    "NOT_SAME",
    "Earlier",
    "Identity",
    "RunState",
    "count_complete",
    "describe_phase",
    "find_earlier",
    "find_passes",
    "write_state",
]
