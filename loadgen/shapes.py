"""The plan of phases as a Locust load shape."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from locust import LoadTestShape

from loadgen.phase import Phase

Tick = tuple[int, float, list[Any]]


class Conductor(Protocol):
    """What has to happen around a phase, in every process that has users."""

    def reset(self) -> None:
        """Forget an earlier run, in every process."""

    def begin(self, phase: Phase) -> list[Any]:
        """Tell all processes which phase comes; returns the user classes that it needs."""

    def measure(self, phase: Phase) -> None:
        """Wait until all users are there, let the clock run, and return when the phase is over."""

    def finish(self) -> None:
        """Wait until no user is left and all that was counted has arrived."""


class PhaseShape(LoadTestShape):  # type: ignore[misc]
    """Phases one after another, each through zero users: Locust does not swap the users of two classes by itself.

    Locust asks `tick` what is to run; the answer is held back until something is to change.
    """

    def __init__(self, phases: Sequence[Phase], conductor: Conductor) -> None:
        super().__init__()
        self._phases = tuple(phases)
        self._conductor = conductor
        self.rewind()

    def rewind(self) -> None:
        """Begin with the first phase at the next tick."""
        self._ticks = self._walk()

    @property
    def length(self) -> int:
        """Number of phases."""
        return len(self._phases)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The whole plan."""
        return self._phases

    def tick(self) -> Tick | None:
        """Users, spawn rate and classes of what comes next; None after the last phase. Blocks the calling greenlet."""
        return next(self._ticks, None)

    def _walk(self) -> Iterator[Tick]:
        self._conductor.reset()
        for phase in self._phases:
            classes = self._conductor.begin(phase)
            spawn_rate = float(max(phase.users, 1))
            yield phase.users, spawn_rate, classes
            self._conductor.measure(phase)
            yield 0, spawn_rate, classes
            self._conductor.finish()
