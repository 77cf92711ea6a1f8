"""Phases of the closed model: users start, are counted while the phase runs, and may end early by themselves."""

from collections.abc import Iterable, Mapping
from time import perf_counter

from loadgen.control.agents import LOOK, Agents, summed
from loadgen.control.errors import PlanBrokenError
from loadgen.control.messages import CountUsers, Enter, IsOver, OpenWindow
from loadgen.measure.phase import Phase
from loadgen.runtime.hub import pause
from loadgen.text.listing import count_of

USERS_WITHIN = 120.0
"""Seconds for all users of a phase to complete their on_start."""
LOOK_AT_USERS = 1.0
"""Seconds between two checks for ended users and for a silent server."""


class ClosedPhases:
    """Runs one phase after another in all agents, including those that join during a phase. Used only on the hub."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self._running: tuple[Phase, float, Mapping[str, str]] | None = None
        """The current phase, its start (perf_counter), and the labels of its run."""

    def wait_for_users(self, phase: Phase) -> None:
        """Wait until all users have completed their on_start, or no agent is left.

        Raises PlanBrokenError if they take too long.
        """
        deadline = perf_counter() + USERS_WITHIN
        started = 0
        while perf_counter() < deadline:
            started = summed(self._agents.ask_all(CountUsers(), within=LOOK_AT_USERS), "started")
            if started >= phase.users or (self._agents.missed and (started or not self._agents.present())):
                return
            pause(LOOK)
        raise PlanBrokenError(f"only {started} of {count_of(phase.users, 'user')} started within {USERS_WITHIN:g} s")

    def open(self, phase: Phase, labels: Mapping[str, str], names: Iterable[str]) -> None:
        """Make these agents, and those that have joined in the meantime, count for this phase from now on."""
        names = set(names)
        self._running = (phase, perf_counter(), labels)
        self._agents.ask(dict.fromkeys(sorted(names), OpenWindow(phase)))
        if joined := self._agents.present() - names:
            self.join(joined)

    def join(self, names: Iterable[str]) -> None:
        """Make agents count for the current phase, if any."""
        if self._running is not None:
            phase, begun, labels = self._running
            names = sorted(set(names) & self._agents.present())  # not one that takes no part in this phase
            self._agents.ask(dict.fromkeys(names, Enter(phase, labels)))
            self._agents.ask(dict.fromkeys(names, OpenWindow(phase, elapsed=perf_counter() - begun)))

    def end(self) -> None:
        """End the current phase."""
        self._running = None

    def let_run(self, phase: Phase) -> None:
        """Return at the phase's end, or if no agent is left. Raises PlanBrokenError if none of its users is left."""
        end = perf_counter() + phase.warmup_seconds + phase.seconds
        while (left := end - perf_counter()) > 0 and self._agents.present():
            pause(min(left, LOOK_AT_USERS))
            if left > LOOK_AT_USERS and self._count("present") == 0 and not self._agents.missed:
                raise PlanBrokenError(f"all users of phase {phase.number + 1} ended by themselves")

    def let_burst(self, phase: Phase) -> None:
        """Return when a burst has ended, or if an agent has left, which may have run its only user."""
        while self._agents.present() and not self._agents.missed:
            if any(self._agents.ask_all(IsOver(phase.number))):
                return
            pause(LOOK)

    def count_started(self) -> int:
        """Users that have completed their on_start; 0 if an agent does not answer in time."""
        return self._count("started") or 0

    def count_ended(self) -> int:
        """Users that have ended by themselves; 0 if an agent does not answer in time."""
        return self._count("ended") or 0

    def count_gone(self, phase: Phase) -> int:
        """Users that ended before the phase did; 0 if a worker was lost with them, or did not answer in time."""
        present = self._count("present")
        return 0 if present is None or self._agents.missed else max(0, phase.users - present)

    def _count(self, name: str) -> int | None:
        """A number of users over all agents; None (unknown) if one does not answer in time, or none is left."""
        there = self._agents.present()
        answers = self._agents.ask(dict.fromkeys(sorted(there), CountUsers()), within=LOOK_AT_USERS).values
        return summed(list(answers.values()), name) if there and len(answers) == len(there) else None
