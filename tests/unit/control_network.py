"""Real agents and a coordinator on a clock of their own, in a network that drops, repeats, delays and reorders."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from random import Random

import pytest
from hypothesis.stateful import RuleBasedStateMachine

from loadgen.control import agent as agent_module
from loadgen.control import agents, closed, coordinator, rate_split
from loadgen.control.coordinator import Coordinator
from loadgen.control.merged_ledger import MergedLedger
from loadgen.control.messages import (
    Answer,
    Command,
    FromAgent,
    Refuse,
    Report,
    decode,
    encode,
)
from loadgen.measure.phase import Phase
from tests.unit.control_accounts import Node
from tests.unit.control_support import Process, Screen
from tests.unit.worker_support import OWN, over_the_wire

TICK = 0.25
"""Seconds that pass in each turn of the network."""
DELAYS = (0.0, 0.0, 0.0, 0.5, 2.0, 2.0, 60.0)
"""Seconds that a message is on its way."""


@dataclass
class Transit:
    """A message on its way."""

    agent: str
    message: Command | FromAgent
    to_agent: bool
    due: float
    """It arrives then at the earliest."""


class SimulatedNetwork(RuleBasedStateMachine):
    """A coordinator, its agents and what is between them, without anything that happens to them."""

    is_local = False

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.patch = pytest.MonkeyPatch()
        for module in (agents, closed, coordinator, rate_split, agent_module):
            self.patch.setattr(module, "perf_counter", lambda: self.now)
            if hasattr(module, "pause"):
                self.patch.setattr(module, "pause", self._pause)
        self.nodes: dict[str, Node] = {}
        """Those that live; `frozen` among them are silent."""
        self.frozen: set[str] = set()
        self.times_frozen: Counter[str] = Counter()
        self.all_nodes: dict[str, Node] = {}
        self.transit: list[Transit] = []
        self.random = Random(0)
        self.names, self.run_ids = count(1), count(1)
        self.ledger = MergedLedger()
        self.coordinator = Coordinator(self, OWN, self.ledger, Screen(), Process())
        self.latest: dict[str, int] = {}
        """Number of the latest report of each agent that has arrived in this run."""
        self.attempts: dict[int, int] = {}
        self.phase: Phase | None = None
        self.steps = 0
        """Of this run."""

    def teardown(self) -> None:
        self.coordinator.close()
        self.patch.undo()

    # The link

    def connected(self) -> set[str]:
        return set(self.nodes) - self.frozen

    def silent(self) -> set[str]:
        return set(self.nodes) & self.frozen

    def absences(self) -> Mapping[str, int]:
        return dict(self.times_frozen)

    def send(self, agent: str, command: Command) -> None:
        self._post(agent, command, to_agent=True)

    def dismiss(self, agent: str) -> None:
        self.nodes.pop(agent, None)
        self.frozen.discard(agent)

    # The network

    def _pause(self, seconds: float) -> None:
        """Who waits gives the network a turn."""
        self.now += max(seconds, TICK)
        ready = [item for item in self.transit if item.due <= self.now]
        for item in self.random.sample(ready, len(ready)):
            fate = self.random.random()
            if fate < 0.8:
                if self._deliver(item) and fate < 0.7:
                    self.transit.remove(item)
                else:  # it is repeated
                    item.due = self.now + self.random.choice(DELAYS)
            elif fate < 0.9:
                self.transit.remove(item)

    def _post(self, agent: str, message: Command | FromAgent, *, to_agent: bool) -> None:
        self.transit.append(Transit(agent, message, to_agent, self.now + self.random.choice(DELAYS)))

    def _deliver(self, item: Transit) -> bool:
        """Whether the message has arrived, or cannot any more."""
        message = decode(over_the_wire(encode(item.message)))
        if not item.to_agent:
            assert isinstance(message, FromAgent)
            self._note_arrival(item.agent, message)
            self.coordinator.receive(item.agent, message)
            return True
        if item.agent in self.frozen:
            return False
        node = self.nodes.get(item.agent)
        if node is not None and isinstance(message, Command) and not isinstance(message, Refuse):
            answer = node.agent.receive(message)
            if answer is not None:
                self._post(item.agent, answer, to_agent=False)
        return True

    def _note_arrival(self, agent: str, message: FromAgent) -> None:
        if message.run_id != self.coordinator.run.run_id:
            return
        number = 0
        if isinstance(message, Report):
            number = message.sequence
        elif isinstance(message, Answer) and isinstance(message.value, dict) and "windows" in message.value:
            call = self.coordinator.agents._caller._open.get(message.sequence)  # nobody waits for the others
            number = message.value["sequence"] if call is not None else 0
        if number:
            self.latest[agent] = max(self.latest.get(agent, 0), number)
