"""The rate of an open phase, split over the agents that are present, and split again when one leaves or joins."""

import logging
from collections.abc import Callable, Mapping
from time import perf_counter, time
from typing import Any, Protocol

from loadgen.control.errors import PlanBrokenError
from loadgen.control.messages import Command, CountMissingSlots, CutShort, Enter, OpenWindow, Reshare, ShareFrom
from loadgen.measure.phase import Phase
from loadgen.runtime.hub import pause, spawn
from loadgen.text.listing import count_of

LOOK = 0.01
LOOK_FOR_WORKERS = 0.2
"""Seconds between two checks for present agents and ready newcomers."""
SHARE_AHEAD = 0.25
"""Seconds between the announcement of a new split and its effect, so that it reaches all in time."""
SLOTS_WITHIN = 120.0
"""Seconds for all slots of a phase to complete their on_start."""

logger = logging.getLogger("loadgen")


class Asked(Protocol):
    """The answers to commands, by agent."""

    @property
    def values(self) -> dict[str, Any]:
        """Values of the agents that carried it out."""


class Askable(Protocol):
    """Agents that accept commands; a single process has the id ""."""

    def present(self) -> set[str]:
        """Ids of the ready agents."""

    def ask(self, commands: Mapping[str, Command], within: float = ...) -> Asked:
        """Send each a separate command; returns the answers that arrive within some seconds."""


class Splitting:
    """Keeps one phase's rate split."""

    def __init__(self, agents: Askable, phase: Phase, labels: Mapping[str, str]) -> None:
        self._agents = agents
        self._phase = phase
        self._labels = labels
        self._sharing: list[str] = []
        self._admitted: set[str] = set()
        self._greenlets: dict[str, Any] = {}
        self._start = 0.0

    def measure(
        self,
        on_open: Callable[[Phase], object] = lambda _phase: None,
        is_hopeless: Callable[[float], bool] = lambda _elapsed: False,
    ) -> None:
        """Wait for all slots and let the phase run to its end. Raises PlanBrokenError if slots do not get ready.

        `on_open` is called when the first arrivals are due. Ends early if no agent is left, or if `is_hopeless` says so
        of the seconds since then.
        """
        self._sharing = sorted(self._wait_for_slots(self._agents.present(), LOOK))
        self._start, self._phase = perf_counter(), self._phase.starting(time())
        self._agents.ask({name: self._opening(name, 0.0) for name in self._sharing})
        on_open(self._phase)
        end = perf_counter() + self._phase.warmup_seconds + self._phase.seconds
        try:
            while (left := end - perf_counter()) > 0 and self._agents.present():
                pause(min(left, LOOK_FOR_WORKERS))
                self._look()
                if is_hopeless(perf_counter() - self._start):
                    self._agents.ask(dict.fromkeys(self._agents.present(), CutShort(self._phase.number)))
                    break
        finally:
            for greenlet in self._greenlets.values():
                greenlet.kill(block=False)

    def _look(self) -> None:
        """Split again if an agent has left, or is ready to join."""
        there = self._agents.present()
        for name in there - set(self._sharing) - set(self._greenlets):
            self._greenlets[name] = spawn(self._admit, name)
        sharing = sorted(there & (set(self._sharing) | self._admitted))
        if sharing == self._sharing or not sharing:
            return
        joining = set(sharing) - set(self._sharing)
        self._agents.ask(dict.fromkeys(joining, Enter(self._phase, self._labels)))
        self._sharing, after = sharing, perf_counter() - self._start + SHARE_AHEAD
        staying = set(sharing) - joining  # first, so that they stop in time what the others take over
        self._agents.ask({name: Reshare(self._share(name, after)) for name in staying})
        self._agents.ask({name: self._opening(name, after) for name in joining})
        logger.info("The rate of phase %d is split over %d workers now", self._phase.number + 1, len(sharing))

    def _admit(self, name: str) -> None:
        """Make a newcomer create its slots."""
        self._wait_for_slots({name}, LOOK_FOR_WORKERS)
        self._admitted.add(name)

    def _wait_for_slots(self, names: set[str], seconds: float) -> set[str]:
        """Wait for all slots, and return the agents that are still present."""
        deadline = perf_counter() + SLOTS_WITHIN
        missing: dict[str, int] = {}
        while perf_counter() < deadline:
            there = names & self._agents.present()
            missing = self._agents.ask(dict.fromkeys(there, CountMissingSlots(self._phase)), within=1.0).values
            if all(missing.get(name, 1) == 0 for name in there):
                return there
            pause(seconds)
        raise PlanBrokenError(
            f"{count_of(sum(missing.values()), 'concurrency slot')} not ready within {SLOTS_WITHIN:g} s"
        )

    def _share(self, name: str, after: float) -> ShareFrom:
        return ShareFrom(after, self._sharing.index(name), len(self._sharing))

    def _opening(self, name: str, after: float) -> OpenWindow:
        elapsed = perf_counter() - self._start
        return OpenWindow(self._phase, self._share(name, after), elapsed if after else 0.0)
