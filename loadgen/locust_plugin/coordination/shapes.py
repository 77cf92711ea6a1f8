"""The plan of phases as a Locust load shape."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from locust import LoadTestShape
from locust.exception import StopTest

from loadgen.control.errors import PlanBrokenError
from loadgen.measure.phase import Phase

logger = logging.getLogger("loadgen")
Tick = tuple[int, float, list[Any]]


class Conductor(Protocol):
    """The steps around a phase, in every process with users."""

    def begin_plan(self) -> None:
        """Prepare all processes for a run. Raises StopTest if that fails: nothing was sent then."""

    def begin(self, phase: Phase) -> list[Any]:
        """Announce a phase; returns its user classes. Raises PlanBrokenError, as do the following steps."""

    def measure(self, phase: Phase) -> None:
        """Wait until all users have started, start the clock, and return when the phase is over."""

    def finish(self, phase: Phase) -> None:
        """Wait until no user is left and all counts have arrived."""

    def next_attempt(self, phase: Phase) -> Phase | None:
        """The same phase again if it must be repeated, else None."""

    def next_phase(self) -> Phase | None:
        """The phase that follows those of the plan, if any: a search finds its steps one by one."""

    def break_off(self, reason: str) -> None:
        """Abort the plan; measured phases are kept."""


class PhaseShape(LoadTestShape):
    """Consecutive phases with zero users in between: Locust does not swap the users of two classes by itself.

    Locust calls `tick` for what to run; it blocks until something changes.
    """

    def __init__(self, phases: Sequence[Phase], conductor: Conductor) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # no types in Locust
        self._phases = tuple(phases)
        self._conductor = conductor
        self._first = 0
        self.rewind()

    def surround(self, wrap: Callable[[Conductor], Conductor]) -> None:
        """Have another conductor take the steps, before the first tick; `wrap` gets the present one."""
        self._conductor = wrap(self._conductor)

    def rewind(self) -> None:
        """Restart with the first phase at the next tick."""
        self._ticks = self._walk()

    def begin_with(self, number: int) -> None:
        """Omit the phases before this one, which were measured earlier; call it before the first phase."""
        self._first = number

    @property
    def length(self) -> int:
        """Number of phases."""
        return len(self._phases)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The whole plan."""
        return self._phases

    def tick(self) -> Tick | None:
        """Users, spawn rate and classes of the next step; None after the last phase. Blocks the calling greenlet."""
        return next(self._ticks, None)

    def _walk(self) -> Iterator[Tick]:
        self._conductor.begin_plan()
        try:
            for planned in self._every():
                phase: Phase | None = planned
                while phase is not None:
                    yield from self._run(phase)
                    phase = self._conductor.next_attempt(phase)
        except PlanBrokenError as error:
            reason = str(error)
        except StopTest:
            raise
        except Exception as error:
            logger.exception("The plan of phases was aborted")
            reason = f"{type(error).__name__}: {error}"
        else:
            return
        self._conductor.break_off(reason)
        raise StopTest(f"The run ends early: {reason}")

    def _every(self) -> Iterator[Phase]:
        yield from self._phases[self._first :]
        while (phase := self._conductor.next_phase()) is not None:
            yield phase

    def _run(self, phase: Phase) -> Iterator[Tick]:
        classes = self._conductor.begin(phase)
        spawn_rate = float(max(phase.users, 1))
        yield phase.users, spawn_rate, classes
        self._conductor.measure(phase)
        yield 0, spawn_rate, classes
        self._conductor.finish(phase)
