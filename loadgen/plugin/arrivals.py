"""Phases of the open model: places made ready, the rate split over the processes that are there, and split again."""

import logging
from collections.abc import Callable, Mapping
from math import isnan
from time import perf_counter, time
from typing import Any, Protocol

import gevent
from locust.exception import StopTest
from locust.runners import STATE_RUNNING

from loadgen.flow import hangs
from loadgen.pacing import Share
from loadgen.phase import Phase
from loadgen.tally import percentile
from loadgen.users import Station
from loadgen.users.dispatcher import Dispatcher, Turn
from loadgen.window import Window

LOOK = 0.01
"""Seconds between two looks at a condition."""
LOOK_FOR_WORKERS = 0.2
"""Seconds between two looks who is there, or whether a newcomer is ready."""
TURN_AHEAD = 0.25
"""Seconds from a new split's announcement to its moment, so that all know it before."""
COMPLETE_WITHIN = 2.0
"""Seconds that a process's schedule may last longer than the lead's."""
PLACES_WITHIN = 120.0
"""Seconds for all places of a phase to be past their on_start."""

logger = logging.getLogger("loadgen")


class Arrivals:
    """The open model in one process with users. Every method runs on the hub."""

    def __init__(self, environment: Any, station: Station, open_stores: Callable[[], object]) -> None:
        self._environment = environment
        self._station = station
        self._open_stores = open_stores
        self._opening: Any = None
        self._dispatcher: Dispatcher | None = None
        self._phase = -1

    @property
    def in_flight(self) -> int:
        """Operations under way."""
        return self._dispatcher.operations if self._dispatcher else 0

    def take_lag(self) -> float:
        """Seconds by which an arrival was handed over late at most, since this was asked last."""
        if self._dispatcher is None:
            return 0.0
        late, self._dispatcher.latest = self._dispatcher.latest, 0.0
        return late

    def count_missing(self, phase: Phase) -> int:
        """Places of this phase that are not ready yet; the first call makes them, once the stores are open.

        A worker that joins a run may get Locust's start before it listens: then its stores are opened here.
        """
        if self._dispatcher is None or self._phase != phase.number:
            if self._environment.runner.state != STATE_RUNNING or self._station.closed:
                return self._station.settings.max_in_flight
            if phase.mode not in self._station.stores:
                if self._opening is None or self._opening.ready():
                    self._opening = gevent.spawn(self._open_stores)
                return self._station.settings.max_in_flight
            if self._dispatcher is not None:  # made late, for a phase that was over meanwhile
                self._dispatcher.halt()
                self._dispatcher.dismiss()
            everyone = self._environment.user_classes
            classes = [kind for kind in everyone if kind.mode is phase.mode and not kind.style and kind.weight]
            self._dispatcher, self._phase = Dispatcher(self._environment, self._station, phase, classes), phase.number
            self._dispatcher.prepare()
        return self._dispatcher.missing

    def begin(self, start: float, turn: Mapping[str, Any]) -> None:
        """Let arrivals come; offset 0 is at `start`."""
        if self._dispatcher is not None:
            self._dispatcher.start(start, _read_turn(turn))

    def turn(self, turn: Mapping[str, Any]) -> None:
        """Go on with another share."""
        if self._dispatcher is not None:
            self._dispatcher.turn(_read_turn(turn))

    def complete(self) -> None:
        """Let the schedule come to its end: this process may have begun a little later than the lead. Then finish."""
        if (dispatcher := self._dispatcher) is not None:
            _wait(lambda: dispatcher.is_over, COMPLETE_WITHIN)
        self.finish()

    def finish(self) -> None:
        """No more arrivals; wait for what is under way (`Station.outlast`), then count it as failed. Idempotent."""
        dispatcher = self._dispatcher
        if dispatcher is None:
            return
        dispatcher.halt()
        if not self._station.outlast(lambda within: _wait(lambda: not dispatcher.in_flight, within)):
            dispatcher.abandon()
            _wait(lambda: not dispatcher.in_flight, 1.0)
        if self._dispatcher is dispatcher:  # nobody else has come this far meanwhile
            self._dispatcher = None
            self._station.ledger.offer(dispatcher.offered, dispatcher.lags)
            dispatcher.dismiss()
            _wait(lambda: not dispatcher.leaving, 1.0)


class Crews(Protocol):
    """What the lead offers to ask and tell the processes with users; a single process is called ""."""

    def find_there(self) -> set[str]:
        """The processes that are there."""

    def tell_each(self, order: str, messages: Mapping[str, Mapping[str, Any]], within: float = ...) -> dict[str, Any]:
        """Give an order with a message of its own to each; the answers of those that gave one within some seconds."""


class Splitting:
    """Keeps one phase's rate split over the processes that are there."""

    def __init__(self, crews: Crews, phase: Phase, run: Mapping[str, str]) -> None:
        self._crews = crews
        self._phase = phase
        self._told = phase.as_message()
        self._run = run
        self._sharing: list[str] = []
        self._admitted: set[str] = set()
        self._greenlets: dict[str, Any] = {}
        self._start = 0.0

    def measure(self, on_open: Callable[[], None] = lambda: None) -> None:
        """Wait for all places, let the phase run, and return at its end. Raises StopTest where places do not come.

        `on_open` is called when the first arrivals are due.
        """
        self._sharing = sorted(self._wait_for_places(self._crews.find_there(), LOOK))
        self._start, self._told = perf_counter(), self._phase.starting(time()).as_message()
        self._crews.tell_each("open_window", {name: self._opening(name, 0.0) for name in self._sharing})
        on_open()
        end = perf_counter() + self._phase.warmup_seconds + self._phase.seconds
        try:
            while (left := end - perf_counter()) > 0:
                gevent.sleep(min(left, LOOK_FOR_WORKERS))
                self._look()
        finally:
            for greenlet in self._greenlets.values():
                greenlet.kill(block=False)

    def _look(self) -> None:
        """Split again where somebody has left, or is ready to join."""
        there = self._crews.find_there()
        for name in there - set(self._sharing) - set(self._greenlets):
            self._greenlets[name] = gevent.spawn(self._admit, name)
        sharing = sorted(there & (set(self._sharing) | self._admitted))
        if sharing == self._sharing or not sharing:
            return
        joining = set(sharing) - set(self._sharing)
        self._crews.tell_each("enter", {name: {"phase": self._told, "run": self._run} for name in joining})
        self._sharing, after = sharing, perf_counter() - self._start + TURN_AHEAD
        staying = set(sharing) - joining  # first, as they are to stop in time what the others begin
        self._crews.tell_each("turn", {name: {"turn": self._turn(name, after)} for name in staying})
        self._crews.tell_each("open_window", {name: self._opening(name, after) for name in joining})
        logger.info("The rate of phase %d is split over %d workers now", self._phase.number + 1, len(sharing))

    def _admit(self, name: str) -> None:
        """Have a newcomer make its places."""
        self._wait_for_places({name}, LOOK_FOR_WORKERS)
        self._admitted.add(name)

    def _wait_for_places(self, names: set[str], pause: float) -> set[str]:
        """Returns who is still there when all of those are ready."""
        deadline = perf_counter() + PLACES_WITHIN
        missing: dict[str, int] = {}
        while perf_counter() < deadline:
            there = names & self._crews.find_there()
            asked = {name: {"phase": self._told} for name in there}
            missing = self._crews.tell_each("count_missing", asked, within=1.0)
            if all(missing.get(name, 1) == 0 for name in there):
                return there
            gevent.sleep(pause)
        raise StopTest(f"{sum(missing.values())} places were not ready after {PLACES_WITHIN:g} s: see the log above")

    def _turn(self, name: str, after: float) -> dict[str, Any]:
        return {"after": after, "index": self._sharing.index(name), "parts": len(self._sharing)}

    def _opening(self, name: str, after: float) -> dict[str, Any]:
        elapsed = perf_counter() - self._start
        return {"phase": self._told, "turn": self._turn(name, after), "elapsed": elapsed if after else 0.0}


def tell_flow(window: Window) -> None:
    """Log what the figures of their phase lack; nothing where it lacks nothing of weight."""
    flow, number = window.flow, window.phase.number + 1
    if flow.dropped:
        logger.warning("Phase %d dropped %d arrivals that led to no operation in time", number, flow.dropped)
    known = (longest for tally in window.tallies.values() if not isnan(longest := tally.percentile(100)))
    longest = max(known, default=0.0)
    oldest = percentile(flow.left, 100)
    if hangs(oldest, longest):
        told = "Phase %d ended while an operation had waited for %.3f s; the longest that ended took %.3f s"
        logger.warning(told, number, oldest, longest)


def _read_turn(turn: Mapping[str, Any]) -> Turn:
    return Turn(turn["after"], Share(turn["index"], turn["parts"]))


def _wait(true: Callable[[], bool], within: float) -> bool:
    """Whether it became true in so many seconds."""
    deadline = perf_counter() + within
    while not (over := true()) and perf_counter() < deadline:
        gevent.sleep(LOOK)
    return over
