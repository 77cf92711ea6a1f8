"""Commands with answers: repeated until answered, carried out once. Without network or clock."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeVar

from loadgen.control.messages import Answer, Command, Prepare, ReadData
from loadgen.measure.errors import describe_error
from loadgen.runtime.hub import ENDING

T = TypeVar("T")
ANSWERS_KEPT = 256
"""Answers that an agent keeps, for commands repeated because the answer was lost."""
NUMBERS_KEPT = 10_000
"""Command numbers that it keeps, so that a repeated command is not carried out again. At 100 commands a second, the
rate at which users are counted until they have started, this is longer than any command is repeated."""


@dataclass(slots=True)
class AgentCall:
    """Commands to several agents under one number, and their answers."""

    sequence: int
    commands: dict[str, Command]
    answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def pending(self) -> set[str]:
        """Agents that have not answered yet."""
        return set(self.commands) - set(self.answers)

    @property
    def values(self) -> dict[str, Any]:
        """The answers of agents that carried it out."""
        return {agent: answer.value for agent, answer in self.answers.items() if not answer.error}

    @property
    def errors(self) -> dict[str, str]:
        """The errors of those that could not."""
        return {agent: answer.error for agent, answer in self.answers.items() if answer.error}


class Caller:
    """The coordinator's side. Sequence numbers never restart, so they also order the runs."""

    def __init__(self, send: Callable[[str, Command], None]) -> None:
        self._send = send
        self._numbers = count(1)
        self._open: dict[int, AgentCall] = {}

    def begin(self, run_id: str, commands: Mapping[str, Command]) -> AgentCall:
        """Send a command to each agent. `finish` must be called at the end."""
        number = next(self._numbers)
        call = AgentCall(number, {name: replace(one, run_id=run_id, sequence=number) for name, one in commands.items()})
        self._open[number] = call
        self.repeat(call)
        return call

    def repeat(self, call: AgentCall) -> None:
        """Send it again to agents that have not answered."""
        for agent in sorted(call.pending):
            self._send(agent, call.commands[agent])

    def receive(self, agent: str, answer: Answer) -> bool:
        """Accept an answer; False if it is not awaited, or belongs to another run."""
        call = self._open.get(answer.sequence)
        if call is None or agent not in call.commands or call.commands[agent].run_id != answer.run_id:
            return False
        call.answers.setdefault(agent, answer)
        return True

    def finish(self, call: AgentCall) -> None:
        """Stop waiting for its answers."""
        self._open.pop(call.sequence, None)


class Responder:
    """An agent's side: carries out each command once, in the run for which it was last prepared."""

    def __init__(self, execute: Callable[[Command], Any]) -> None:
        self._execute = execute
        self.run_id = ""
        self._prepared_by = 0
        self._done: OrderedDict[int, None] = OrderedDict()
        """Numbers of all commands that were or are being carried out."""
        self._answers: OrderedDict[int, Answer] = OrderedDict()

    def receive(self, command: Command) -> Answer | None:
        """Carry out a command, blocking until it is done; None if it is already in progress, or too late."""
        number = command.sequence
        if number in self._answers:
            return self._answers[number]
        if number in self._done:
            return None
        if isinstance(command, Prepare | ReadData):
            if number < self._prepared_by:
                return None  # of an earlier run: it was late
            self.run_id, self._prepared_by = command.run_id, number
        elif command.run_id != self.run_id:
            return Answer(command.run_id, number, error=f"this process is prepared for run {self.run_id or 'none'}")
        _remember(self._done, number, None, NUMBERS_KEPT)
        try:
            answer = Answer(command.run_id, number, value=self._execute(command))
        except ENDING:
            raise
        except BaseException as error:  # noqa: BLE001 - any error is the answer; none ends the process
            answer = Answer(command.run_id, number, error=describe_error(error))
        _remember(self._answers, number, answer, ANSWERS_KEPT)
        return answer


def _remember(memory: OrderedDict[int, T], number: int, value: T, at_most: int) -> None:
    memory[number] = value
    while len(memory) > at_most:
        memory.popitem(last=False)
