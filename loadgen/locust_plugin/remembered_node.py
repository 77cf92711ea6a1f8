"""Locust's node of a worker, which remembers that the worker was missing; `patches.py` has masters create it."""

from collections import Counter
from typing import ClassVar

from locust.runners import STATE_MISSING, WorkerNode


class RememberedNode(WorkerNode):
    """A missing worker returns to running with its next heartbeat, maybe 1 ms later, without a trace (#1158)."""

    absences: ClassVar[Counter[str]] = Counter()
    """How often each was missing, by id: Locust creates a new node for a worker that reports ready again."""

    @property
    def state(self) -> str:
        """Locust's name for the state."""
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        if state == STATE_MISSING:
            self.absences[self.id] += 1
        self._state = state
