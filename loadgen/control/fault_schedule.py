"""Carries out the faults of each phase at their seconds, once, on the coordinator."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Protocol

from loadgen.measure.errors import describe_error
from loadgen.measure.fault_notes import FaultEvent
from loadgen.runtime.hub import pause, run_in_thread, spawn
from loadgen.settings.fault_grammar import Action, PlannedFault

ENDED_BEFORE = "the phase ended before it was in effect"

logger = logging.getLogger("loadgen")


@dataclass(frozen=True, slots=True)
class Effect:
    """What a fault that was carried out has shown; empty for all but commands."""

    exit_code: int | None = None
    output: tuple[str, ...] = ()
    error: str = ""


class Injector(Protocol):
    """Does to the server what a fault says. Every method blocks, on a thread, and raises what went wrong."""

    def describe(self, fault: PlannedFault) -> str:
        """The fault as it may be shown: with the text of a command, its secrets masked."""

    def begin(self, fault: PlannedFault) -> Effect:
        """Carry it out; returns when it is in effect, a command or a restart when it has ended."""

    def end(self, fault: PlannedFault) -> None:
        """End a fault with a duration: resume, restart, or let the traffic pass again."""

    def restore(self) -> None:
        """Undo everything that is still in effect, and end commands that still run."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Clock and threads; tests bring their own."""

    clock: Callable[[], float] = perf_counter
    sleep: Callable[[float], object] = pause
    call: Callable[[Callable[[], Any]], Any] = run_in_thread
    spawn: Callable[..., Any] = spawn


class FaultSchedule:
    """The faults of one run. Used on the hub."""

    def __init__(
        self, faults: Sequence[PlannedFault], injector: Injector, recovery_within: float, runtime: Runtime | None = None
    ) -> None:
        self.faults = tuple(faults)
        self.recovery_within = recovery_within
        self._injector = injector
        self._runtime = runtime or Runtime()
        self._start: float | None = None
        """Start of the measured part of the current phase; None between phases."""
        self._events: dict[int, FaultEvent] = {}
        self._greenlets: list[Any] = []
        self._phase = 0
        self.tell: Callable[[Action, int], object] = lambda _action, _change: None
        """Called with 1 as a fault begins and with -1 as it ends."""
        self._active: set[int] = set()
        """Places of the faults that are in effect."""
        self._beginning: set[int] = set()
        """Places of those that are about to be: a signal is sent, or what was there before is restored first."""

    @property
    def events(self) -> tuple[FaultEvent, ...]:
        """What has happened in the current or latest phase."""
        return tuple(one for _, one in sorted(self._events.items()))

    def begin(self, warmup_seconds: float, number: int) -> None:
        """The warm-up of a phase begins now; `number` is shown in the log."""
        self._phase, self._events, self._beginning = number, {}, set()
        self._start = self._runtime.clock() + warmup_seconds
        self._greenlets = [self._runtime.spawn(self._carry_out, place, one) for place, one in enumerate(self.faults)]

    def suspends(self) -> bool:
        """Whether a fault is in effect or its recovery limit is not over: a silent or dead server is no surprise."""
        if self._start is None:
            return False
        now = self._runtime.clock() - self._start
        return any(one.at <= now < self._limit(place) for place, one in enumerate(self.faults))

    def _limit(self, place: int) -> float:
        """Second of the phase at which the recovery limit of a fault is over."""
        event, planned = self._events.get(place), self.faults[place].end
        if event is None or event.ended is None:
            return planned + self.recovery_within
        return max(planned, event.ended) + self.recovery_within

    def end(self) -> None:
        """The measured part of a phase is over, or the run: undo what is still in effect, and wait for that."""
        if self._start is None:
            return
        for one in self._greenlets:
            one.kill(block=False)
        self._note_missed()
        try:
            self._runtime.call(self._injector.restore)
        except Exception as error:  # noqa: BLE001 - the supervisor looks after a server that does not come back
            logger.error("The server could not be restored after phase %d: %s", self._phase, describe_error(error))  # noqa: TRY400
        for place in sorted(self._active):
            self._note_end(place)
        self._start, self._greenlets = None, []

    def _note_missed(self) -> None:
        """Note the faults that the phase has not seen: what follows from them was not measured."""
        for place, fault in enumerate(self.faults):
            event = self._events.get(place)
            if event is None:
                event = FaultEvent(fault, f"{fault.at:g}s {self._injector.describe(fault)}", fault.at)
            elif place not in self._beginning:
                continue
            self._events[place] = replace(event, error=ENDED_BEFORE)

    def _note_end(self, place: int) -> None:
        self._active.discard(place)
        self.tell(self.faults[place].action, -1)

    def _carry_out(self, place: int, fault: PlannedFault) -> None:
        start, runtime = self._start or 0.0, self._runtime
        self._wait_until(start + fault.at)
        text = self._injector.describe(fault)
        logger.warning("Phase %d, second %g: %s", self._phase, fault.at, fault.name)  # Locust's page shows the log
        began = runtime.clock() - start
        event = FaultEvent(fault, f"{fault.at:g}s {text}", began)
        try:
            self._events[place] = event
            self._active.add(place)
            self.tell(fault.action, 1)
            is_signal = fault.action not in (Action.COMMAND, Action.RESTART)
            self._beginning |= {place} if is_signal else set()
            effect = runtime.call(lambda: self._injector.begin(fault))
            self._beginning.discard(place)
            if is_signal:
                event = replace(event, began=runtime.clock() - start)
            event = replace(event, exit_code=effect.exit_code, output=effect.output, error=effect.error)
            self._events[place] = event
            if fault.seconds:
                self._wait_until(start + event.began + fault.seconds)
                runtime.call(lambda: self._injector.end(fault))
            elif fault.until:
                self._wait_until(start + fault.until)
            self._events[place] = replace(event, ended=runtime.clock() - start)
            self._note_end(place)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on and reports it
            self._beginning.discard(place)
            self._note_end(place)
            self._events[place] = replace(event, error=describe_error(error))
            logger.error("Phase %d: %s failed: %s", self._phase, fault.name, describe_error(error))  # noqa: TRY400

    def _wait_until(self, moment: float) -> None:
        while (left := moment - self._runtime.clock()) > 0:
            self._runtime.sleep(left)
