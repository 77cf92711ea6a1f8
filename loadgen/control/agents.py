"""The coordinator's view of a run's agents: which belong to it, which are ready, which were absent."""

import logging
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from time import perf_counter
from typing import Any

from loadgen.control.calls import AgentCall, Caller
from loadgen.control.errors import AgentError
from loadgen.control.link import Link
from loadgen.control.messages import Answer, Command, Confirm, Hello, Learn, Prepare, ReadData, Refuse
from loadgen.runtime.hub import pause
from loadgen.text.listing import count_of

LOOK = 0.01
"""Seconds between two checks of a condition."""
ANSWER_WITHIN = 15.0
"""Seconds for an agent to carry out a command, plus the time of its users' last operations."""
PREPARE_WITHIN = 120.0
"""Seconds for an agent to open its stores and create its queries."""
READ_WITHIN = 3600.0
"""Seconds for an agent to read its documents: a large corpus of PDFs takes minutes, and each agent reads it once."""
REPEAT_SECONDS = 2.0
"""Seconds after which an unanswered command is sent again."""
GREET_WITHIN = 15.0
"""Seconds for a connected worker to report what it runs."""

logger = logging.getLogger("loadgen")


class Agents:
    """Greets, prepares and commands all agents. Used on the hub alone."""

    def __init__(self, link: Link, own: Hello) -> None:
        self._link = link
        self._own = own
        self._caller = Caller(link.send)
        self._greeted: set[str] = set()
        self._prepared: set[str] = set()
        self._refused: set[str] = set()
        self._silent_since: dict[str, float] = {}
        """When each agent that has not reported what it runs was first seen (perf_counter)."""
        self._began: set[str] = set()
        """Those that were ready when the phase began."""
        self._absences: Mapping[str, int] = {}
        """How often each had been silent before the phase."""
        self.missed: set[str] = set()
        """Those of them that were absent at some moment, and their load with them."""
        self._taking_part: set[str] | None = None
        """The agents of a phase with a number of workers; None: all."""
        self.run_id = ""

    # Membership

    def connected(self) -> set[str]:
        """Ids of reachable agents that belong here."""
        return self._link.connected() & self._greeted

    def present(self) -> set[str]:
        """Ids of agents that are ready for the run and take part in its phase.

        Also notes those that have left since the phase began.
        """
        there = self._link.connected() & self._prepared
        absences = self._link.absences()
        returned = {name for name in self._began if absences.get(name, 0) > self._absences.get(name, 0)}
        self.missed |= (self._began - there) | returned
        return there if self._taking_part is None else there & self._taking_part

    @property
    def taking_part(self) -> AbstractSet[str] | None:
        """Ids of the agents that get users in this phase; None: all that are there, and those that join."""
        return self._taking_part

    def admit_all(self) -> None:
        """No phase is running: all agents count as present."""
        self._taking_part = None

    @property
    def began(self) -> int:
        """How many were ready when the phase began."""
        return len(self._began)

    def newcomers(self) -> set[str]:
        """Agents that belong here and are not ready for the run."""
        return self.connected() - self._prepared

    def dismiss_silent(self) -> None:
        """Dismiss workers that have been connected for a while without reporting what they run."""
        silent = self._link.connected() - self._greeted
        self._silent_since = {name: self._silent_since.get(name, perf_counter()) for name in silent}
        for name, since in self._silent_since.items():
            if perf_counter() - since > GREET_WITHIN:
                self.dismiss(name, f"it has not said within {GREET_WITHIN:g} s what it runs")

    def wait_for_greetings(self) -> None:
        """Wait until all connected workers have reported what they run, or are dismissed: the next users go to all."""
        while self._link.connected() - self._greeted:
            self.dismiss_silent()
            pause(LOOK)

    def mark_phase(self, workers: int = 0) -> set[str]:
        """Begin a phase with the first `workers` agents, by id, that are present now, or all of them; returns them."""
        self.admit_all()
        if workers:
            self._taking_part = set(sorted(self.present())[:workers])
        self._began, self._absences = self.present(), self._link.absences()
        self.missed = set()
        return set(self._began)

    def greet(self, agent: str, hello: Hello) -> None:
        """Process an agent's report of what it runs: accept it, or tell it to quit."""
        if reason := find_mismatch(self._own, hello):
            if agent not in self._refused:
                self._refused.add(agent)
                logger.error("Worker %s is refused: %s", agent, reason)
            self._link.send(agent, Refuse(reason))
            self._link.dismiss(agent)
            return
        self._greeted.add(agent)

    def answer(self, agent: str, answer: Answer) -> None:
        """Process an answer."""
        if not self._caller.receive(agent, answer):
            logger.debug("Dropped an answer of %s to command %d of run %s", agent, answer.sequence, answer.run_id)

    # Commands to agents

    def begin_run(self, run_id: str, steps: "Sequence[ReadData | Prepare]", expected: int, within: float) -> None:
        """Prepare all agents for a run. Raises AgentError if one cannot be prepared, or fewer than expected connect."""
        self.run_id = run_id
        self._prepared, self._began, self.missed = set(), set(), set()
        self.admit_all()
        self._wait_for(expected, within)
        there = self.connected()
        for step in steps:
            limit = find_limit(step)
            call = self.ask(dict.fromkeys(there, step), limit)
            if call.errors:
                raise AgentError(self._say(call.errors))
            if silent := there - set(call.values):
                raise AgentError(f"{len(silent)} of {count_of(len(there), 'worker')} not ready within {limit:g} s")
        self._prepared = set(there)

    def _wait_for(self, expected: int, within: float) -> None:
        deadline = perf_counter() + within
        while (there := len(self.connected())) < expected or self._link.connected() - self._greeted:
            if perf_counter() > deadline:
                break
            self.dismiss_silent()
            pause(LOOK)
        if there < expected:
            raise AgentError(f"only {there} of {count_of(expected, 'worker')} connected")

    def wait_for_others(self, expected: int, within: float) -> bool:
        """Whether the expected number of agents is ready within these seconds."""
        deadline = perf_counter() + within
        if within and (there := len(self.present())) < expected:
            logger.warning("%d of %d workers are present; waiting up to %g s for others", there, expected, within)
        while len(self.present()) < expected:
            if perf_counter() >= deadline:
                return False
            pause(LOOK)
        return True

    def _say(self, errors: Mapping[str, str]) -> str:
        """Why agents cannot take part, without repetitions."""
        alike: dict[str, list[str]] = {}
        for agent, error in sorted(errors.items()):
            alike.setdefault(error, []).append(agent)
        if self._link.is_local:
            return "; ".join(alike)
        who = [f"{len(names)} workers" if len(names) > 1 else f"worker {names[0]}" for names in alike.values()]
        return "; ".join(f"{one} cannot take part: {error}" for one, error in zip(who, alike, strict=True))

    def prepare(
        self, agent: str, steps: "Sequence[ReadData | Prepare]", ground_truths: tuple[Mapping[str, Any], ...]
    ) -> str:
        """Prepare a newcomer for the run in progress; returns why it cannot take part, or an empty text."""
        run_id = self.run_id
        for step in steps:
            limit = find_limit(step)
            call = self.ask({agent: step}, limit)
            if self.run_id != run_id:
                return ""
            if agent not in call.values:
                return call.errors.get(agent, f"no answer within {limit:g} s")
        if ground_truths:
            self.ask({agent: Learn(ground_truths)})
        self._prepared.add(agent)
        return ""

    def dismiss(self, agent: str, reason: str) -> None:
        """Exclude an agent from now on."""
        logger.error("Worker %s cannot take part: %s", agent, reason)
        self._greeted.discard(agent)
        self._link.send(agent, Refuse(reason))
        self._link.dismiss(agent)

    def ask(self, commands: Mapping[str, Command], within: float = ANSWER_WITHIN) -> AgentCall:
        """Send a command to each agent and wait for the answers, except from agents that leave."""
        call = self._caller.begin(self.run_id, commands)
        deadline, repeat_at = perf_counter() + within, perf_counter() + REPEAT_SECONDS
        try:
            while call.pending & self._link.connected() and (now := perf_counter()) < deadline:
                if now >= repeat_at:
                    repeat_at = now + REPEAT_SECONDS
                    self._caller.repeat(call)
                pause(LOOK)
        finally:
            self._caller.finish(call)
        self._log(call, within)
        return call

    def _log(self, call: AgentCall, within: float) -> None:
        if not call.commands:
            return
        kind = next(iter(call.commands.values())).kind
        for agent, error in call.errors.items():
            level = logging.DEBUG if kind in {"prepare", "read_data"} else logging.WARNING  # reported otherwise
            logger.log(level, "%s of %s failed: %s", kind, agent, error)
        if (silent := call.pending & self._link.connected()) and within >= ANSWER_WITHIN:
            logger.warning("No answer to %s from %d of %d agents", kind, len(silent), len(call.commands))

    def find_silent(self, call: AgentCall) -> set[str]:
        """Agents that have neither answered nor left: their counts are lost."""
        return call.pending & (self._link.connected() | self._link.silent())

    def confirm(self, agent: str, report: int) -> None:
        """Confirm that a report of this run has arrived. If this is lost, the next report is larger than needed."""
        self._link.send(agent, Confirm(report, run_id=self.run_id))

    def ask_all(self, command: Command, within: float = ANSWER_WITHIN) -> list[Any]:
        """The answers of all present agents that carried out the command."""
        return list(self.ask(dict.fromkeys(sorted(self.present()), command), within).values.values())


def find_limit(step: "ReadData | Prepare") -> float:
    """Seconds that an agent may take for a step of its preparation."""
    return READ_WITHIN if isinstance(step, ReadData) else PREPARE_WITHIN


def find_mismatch(own: Hello, other: Hello) -> str:
    """Why a worker does not belong to this master; empty if it does."""
    if other.parent and other.parent != own.parent:
        return "another master on its machine has forked it, and is gone"
    if other.version != own.version:
        return f"it runs milvus-loadgen {other.version}, this master {own.version}"
    if other.locustfile != own.locustfile:
        return "it runs another locustfile than this master"
    return ""


def summed(answers: Sequence[Mapping[str, int]], name: str) -> int:
    """The sum of one number over all answers."""
    return sum(answer[name] for answer in answers)
