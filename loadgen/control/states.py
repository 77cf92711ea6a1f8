"""The states of a process in a run, and the allowed transitions."""

from enum import StrEnum


class State(StrEnum):
    """State of a process. Only `ready` and `measuring` have users."""

    IDLE = "idle"
    PREPARING = "preparing"
    """Data are loaded, or stores are opened."""
    READY = "ready"
    MEASURING = "measuring"
    DRAINING = "draining"
    """Users end, and their last operations are awaited and counted."""
    FAILED = "failed"
    """It cannot take part in the run; another run may prepare it again."""


ALLOWED: dict[State, frozenset[State]] = {
    State.IDLE: frozenset({State.PREPARING}),
    State.PREPARING: frozenset({State.READY, State.FAILED, State.IDLE, State.PREPARING}),
    State.READY: frozenset({State.MEASURING, State.DRAINING, State.PREPARING, State.IDLE, State.FAILED}),
    State.MEASURING: frozenset({State.MEASURING, State.DRAINING, State.PREPARING, State.FAILED}),
    State.DRAINING: frozenset({State.READY, State.DRAINING, State.IDLE, State.PREPARING, State.FAILED}),
    State.FAILED: frozenset({State.PREPARING, State.IDLE, State.FAILED}),
}
"""`measuring -> preparing`: a process that was absent when its run ended is prepared for the next one."""


class StateMachine:
    """The state of one process."""

    def __init__(self) -> None:
        self.state = State.IDLE

    def move(self, state: State) -> None:
        """Move to another state. Raises RuntimeError for a transition that is not allowed, which is a bug."""
        if state not in ALLOWED[self.state]:
            raise RuntimeError(f"no way from {self.state} to {state}")
        self.state = state
