"""Closed phases: their users start, are counted while the phase runs, and may end by themselves before its end."""

from collections.abc import Iterable, Mapping
from time import perf_counter

from loadgen.control.agents import LOOK, Agents, summed
from loadgen.control.errors import PlanBrokenError
from loadgen.control.messages import CountUsers, Enter, IsOver, OpenWindow
from loadgen.measure.phase import Phase
from loadgen.runtime.hub import pause

USERS_WITHIN = 120.0
"""Seconds for all users of a phase to be past their on_start."""
LOOK_AT_USERS = 1.0
"""Seconds between two looks whether users have ended, and whether the server still answers."""


class ClosedPhases:
    """One after another, in all agents, those that join while one runs too. Used on the hub alone."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self._running: tuple[Phase, float, Mapping[str, str]] | None = None
        """The phase that runs, when it began (perf_counter), and the labels of its run."""

    def wait_for_users(self, phase: Phase) -> None:
        """Wait until all users are past their on_start, or no agent is left.

        Raises PlanBrokenError where they do not get there in time.
        """
        deadline = perf_counter() + USERS_WITHIN
        started = 0
        while perf_counter() < deadline:
            started = summed(self._agents.ask_all(CountUsers(), within=LOOK_AT_USERS), "started")
            if started >= phase.users or (self._agents.missed and (started or not self._agents.present())):
                return
            pause(LOOK)
        raise PlanBrokenError(f"only {started} of {phase.users} users started within {USERS_WITHIN:g} s")

    def open(self, phase: Phase, labels: Mapping[str, str], names: Iterable[str]) -> None:
        """Have these agents, and those that have joined meanwhile, count for this phase from now on."""
        names = set(names)
        self._running = (phase, perf_counter(), labels)
        self._agents.ask(dict.fromkeys(sorted(names), OpenWindow(phase)))
        if joined := self._agents.present() - names:
            self.join(joined)

    def join(self, names: Iterable[str]) -> None:
        """Have agents count for the phase that runs; nothing where none does."""
        if self._running is not None:
            phase, begun, labels = self._running
            names = sorted(names)
            self._agents.ask(dict.fromkeys(names, Enter(phase, labels)))
            self._agents.ask(dict.fromkeys(names, OpenWindow(phase, elapsed=perf_counter() - begun)))

    def end(self) -> None:
        """No phase runs any more."""
        self._running = None

    def let_run(self, phase: Phase) -> None:
        """Return at the phase's end, or where no agent is left. Raises PlanBrokenError where none of its users is."""
        end = perf_counter() + phase.warmup_seconds + phase.seconds
        while (left := end - perf_counter()) > 0 and self._agents.present():
            pause(min(left, LOOK_AT_USERS))
            if left > LOOK_AT_USERS and self._count("present") == 0 and not self._agents.missed:
                raise PlanBrokenError(f"all users of phase {phase.number + 1} ended by themselves")

    def let_burst(self, phase: Phase) -> None:
        """Return when a burst has ended, or where an agent has left: its one user may have been there."""
        while self._agents.present() and not self._agents.missed:
            if any(self._agents.ask_all(IsOver(phase.number))):
                return
            pause(LOOK)

    def count_started(self) -> int:
        """Users past their on_start; 0 where an agent does not answer in time."""
        return self._count("started") or 0

    def count_ended(self) -> int:
        """Users that have ended by themselves; 0 where an agent does not answer in time."""
        return self._count("ended") or 0

    def count_gone(self, phase: Phase) -> int:
        """Users that ended before the phase did; 0 where a worker has taken them along, or did not answer in time."""
        present = self._count("present")
        return 0 if present is None or self._agents.missed else max(0, phase.users - present)

    def _count(self, name: str) -> int | None:
        """A number of users over all agents; None (unknown) if one does not answer in time, or none is left."""
        there = self._agents.present()
        answers = self._agents.ask(dict.fromkeys(sorted(there), CountUsers()), within=LOOK_AT_USERS).values
        return summed(list(answers.values()), name) if there and len(answers) == len(there) else None
