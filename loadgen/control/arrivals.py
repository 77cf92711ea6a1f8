"""The open model in one process with users: its concurrency slots, and the schedule that fills them."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

from loadgen.control.messages import ShareFrom
from loadgen.measure.phase import Phase
from loadgen.runtime.hub import pause
from loadgen.users import ProcessState
from loadgen.users.arrival_schedule import Share
from loadgen.users.dispatcher import Dispatcher, ShareChange

LOOK = 0.01
"""Seconds between two checks of a condition."""
COMPLETE_WITHIN = 2.0
"""Seconds by which a process's schedule may outlast the coordinator's."""


class Arrivals:
    """Every method runs on the hub."""

    def __init__(self, environment: Any, process_state: ProcessState, is_running: Callable[[], bool]) -> None:
        self._environment = environment
        self._process_state = process_state
        self._is_running = is_running
        self._dispatcher: Dispatcher | None = None
        self._phase: tuple[int, int] | None = None

    @property
    def in_flight(self) -> int:
        """Operations in flight."""
        return self._dispatcher.operations if self._dispatcher else 0

    @property
    def waiting(self) -> int:
        """Arrivals that wait for a slot."""
        return self._dispatcher.waiting if self._dispatcher else 0

    def halt(self) -> None:
        """No more arrivals in this phase; those in flight go on."""
        if self._dispatcher is not None:
            self._dispatcher.halt()

    def take_lag(self) -> float:
        """Maximum delay of an arrival since the last call, in seconds."""
        if self._dispatcher is None:
            return 0.0
        late, self._dispatcher.latest = self._dispatcher.latest, 0.0
        return late

    def count_missing(self, phase: Phase) -> int:
        """Slots of this phase that are not ready yet; the first call creates them, once the process is running."""
        wanted = (phase.number, phase.attempt)
        if self._dispatcher is None or self._phase != wanted:
            if not self._is_running() or self._process_state.closed:
                return self._process_state.settings_for(phase.variant).max_in_flight
            if self._dispatcher is not None:  # created late, for a phase that has ended in the meantime
                self._dispatcher.halt()
                self._dispatcher.dismiss()
            self._process_state.phase = phase  # a worker that joins mid-phase has not been notified of it
            everyone = self._environment.user_classes
            classes = [kind for kind in everyone if kind.mode is phase.mode and not kind.style and kind.weight]
            self._dispatcher, self._phase = Dispatcher(self._environment, self._process_state, phase, classes), wanted
            self._dispatcher.prepare()
        return self._dispatcher.missing

    def begin(self, start: float, share: ShareFrom) -> None:
        """Start arrivals; offset 0 is at `start`."""
        if self._dispatcher is not None:
            self._dispatcher.start(start, _as_change(share))

    def reshare(self, share: ShareFrom) -> None:
        """Continue with another share."""
        if self._dispatcher is not None:
            self._dispatcher.reshare(_as_change(share))

    def complete(self) -> None:
        """Complete the schedule, which may have begun slightly later than the coordinator's, then finish."""
        if (dispatcher := self._dispatcher) is not None:
            _wait(lambda: dispatcher.is_over, COMPLETE_WITHIN)
        self.finish()

    def finish(self) -> None:
        """No more arrivals; wait for those in flight (`outlast`), then count them as failed. Idempotent."""
        dispatcher = self._dispatcher
        if dispatcher is None:
            return
        dispatcher.halt()
        if not self._process_state.outlast(lambda within: _wait(lambda: not dispatcher.in_flight, within)):
            dispatcher.abandon()
            _wait(lambda: not dispatcher.in_flight, 1.0)
        if self._dispatcher is dispatcher:  # not replaced in the meantime
            self._dispatcher = None
            self._process_state.ledger.offer(dispatcher.offered, dispatcher.lags)
            dispatcher.dismiss()
            _wait(lambda: not dispatcher.leaving, 1.0)


def _as_change(share: ShareFrom) -> ShareChange:
    return ShareChange(share.after, Share(share.index, share.parts))


def _wait(true: Callable[[], bool], within: float) -> bool:
    """Whether the condition became true within these seconds."""
    deadline = perf_counter() + within
    while not (over := true()) and perf_counter() < deadline:
        pause(LOOK)
    return over
