"""The plan of phases as a Locust load shape."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from locust import LoadTestShape
from locust.exception import StopTest

from loadgen.control.errors import PlanBrokenError
from loadgen.measure.phase import Phase

logger = logging.getLogger("loadgen")
Tick = tuple[int, float, list[Any]]


class Conductor(Protocol):
    """What has to happen around a phase, in every process that has users."""

    def begin_plan(self) -> None:
        """Make all processes ready for a run. Raises StopTest where one cannot be: nothing was sent then."""

    def begin(self, phase: Phase) -> list[Any]:
        """Announce a phase; returns the user classes that it needs. Raises PlanBrokenError, as all that follow."""

    def measure(self, phase: Phase) -> None:
        """Wait until all users are there, let the clock run, and return when the phase is over."""

    def finish(self, phase: Phase) -> None:
        """Wait until no user is left and all that was counted has arrived."""

    def next_attempt(self, phase: Phase) -> Phase | None:
        """The same phase again, where it is to be measured once more."""

    def break_off(self, reason: str) -> None:
        """The plan cannot go on; what was measured is kept."""


class PhaseShape(LoadTestShape):
    """Phases one after another, each through zero users: Locust does not swap the users of two classes by itself.

    Locust asks `tick` what is to run; the answer is held back until something is to change.
    """

    def __init__(self, phases: Sequence[Phase], conductor: Conductor) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # no types in Locust
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
        self._conductor.begin_plan()
        try:
            for planned in self._phases:
                phase: Phase | None = planned
                while phase is not None:
                    yield from self._run(phase)
                    phase = self._conductor.next_attempt(phase)
        except PlanBrokenError as error:
            reason = str(error)
        except StopTest:
            raise
        except Exception as error:
            logger.exception("The plan of phases broke off")
            reason = f"{type(error).__name__}: {error}"
        else:
            return
        self._conductor.break_off(reason)
        raise StopTest(f"The run ends early: {reason}")

    def _run(self, phase: Phase) -> Iterator[Tick]:
        classes = self._conductor.begin(phase)
        spawn_rate = float(max(phase.users, 1))
        yield phase.users, spawn_rate, classes
        self._conductor.measure(phase)
        yield 0, spawn_rate, classes
        self._conductor.finish(phase)
