"""The seam between the coordinator and whatever carries its messages: Locust's network, or a call in one process."""

from collections.abc import Mapping
from typing import Protocol

from loadgen.control.agent import Agent
from loadgen.control.messages import Answer, Command, FromAgent, Hello

LOCAL = ""
"""Id of the one agent of a run in a single process."""


class Listener(Protocol):
    """Receives the messages of the agents."""

    def receive(self, agent: str, message: FromAgent) -> None:
        """Process a message."""


class Link(Protocol):
    """Connections to the agents."""

    is_local: bool

    def connected(self) -> set[str]:
        """Ids of the agents that are currently reachable."""

    def silent(self) -> set[str]:
        """Ids of agents that are expected back: they have been silent for a while without leaving."""

    def absences(self) -> Mapping[str, int]:
        """How often each was silent so far, including agents that returned before anyone noticed."""

    def send(self, agent: str, command: Command) -> None:
        """Send a command. It may be lost."""

    def dismiss(self, agent: str) -> None:
        """Make a worker end, and exclude it."""


class LocalLink:
    """A link to the agent in this process, which carries out each command before `send` returns."""

    is_local = True

    def __init__(self, agent: Agent, hello: Hello) -> None:
        self._agent = agent
        self._listener: Listener | None = None
        self._hello = hello

    def attach(self, listener: Listener) -> None:
        """Connect the agent to this coordinator; the agent introduces itself."""
        self._listener = listener
        listener.receive(LOCAL, self._hello)

    def connected(self) -> set[str]:
        """Always the single agent."""
        return {LOCAL}

    def silent(self) -> set[str]:
        """Never the one."""
        return set()

    def absences(self) -> Mapping[str, int]:
        """Never the one."""
        return {}

    def send(self, agent: str, command: Command) -> None:
        """Carry it out, and deliver the answer."""
        answer: Answer | None = self._agent.receive(command)
        if answer is not None and self._listener is not None:
            self._listener.receive(agent, answer)

    def dismiss(self, agent: str) -> None:
        """Does nothing: a process cannot dismiss itself."""
