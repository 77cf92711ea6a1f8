"""Whatever becomes of messages and of agents, a run's result is the sum of what the agents that were heard had counted.

Real are the coordinator, the agents with their ledgers, and the messages as they travel. Played are the network, which
drops, repeats, delays and reorders in both directions, the users, and the clock.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loadgen.control import agent as agent_module
from loadgen.control import agents, closed, coordinator, rate_split
from loadgen.control.agent import Agent
from loadgen.control.coordinator import Coordinator
from loadgen.control.errors import AgentError, PlanBrokenError
from loadgen.control.merged_ledger import MergedLedger
from loadgen.control.messages import (
    Answer,
    Command,
    Drain,
    FromAgent,
    OpenWindow,
    Prepare,
    Refuse,
    Report,
    ShareFrom,
    Stop,
    decode,
    encode,
)
from loadgen.control.run import Run
from loadgen.exporters import Exporter, Role
from loadgen.measure.ledger import Ledger
from loadgen.measure.operation_stats import CLASSES
from loadgen.measure.phase import Phase
from loadgen.measure.recall import Check
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.measure.slices import count_slices
from loadgen.settings.model import Settings
from tests.unit.control_support import OWN, WORKER, Process, Screen, over_the_wire

TICK = 0.25
"""Seconds that pass in each turn of the network."""
DELAYS = (0.0, 0.0, 0.0, 0.5, 2.0, 2.0, 60.0)
"""Seconds that a message is on its way."""
Key = tuple[int, int]
"""Number and attempt of a phase."""
OPERATIONS = ("search", "insert", "ask")
ANSWERED = (Outcome.OK, Outcome.EMPTY)


@dataclass
class Opened:
    """The time in which operations count for a phase, in one agent."""

    phase: Phase
    start: float
    end: float

    @property
    def key(self) -> Key:
        return self.phase.number, self.phase.attempt


@dataclass
class Counts:
    """What was counted in a run. None is outside of all phases."""

    ends: Counter[tuple[Key | None, str, str, Outcome]] = field(default_factory=Counter)
    rows: Counter[tuple[Key, str, str]] = field(default_factory=Counter)
    slices: Counter[tuple[Key, str, int]] = field(default_factory=Counter)
    dropped: Counter[tuple[Key | None, Mode]] = field(default_factory=Counter)
    checks: Counter[Key] = field(default_factory=Counter)

    def add(self, other: "Counts") -> None:
        for name in ("ends", "rows", "slices", "dropped", "checks"):
            getattr(self, name).update(getattr(other, name))

    def copy(self) -> "Counts":
        made = Counts()
        made.add(self)
        return made


@dataclass
class Account:
    """What one agent is to have counted, kept beside its ledger and by other means."""

    run_id: str = ""
    since: float = 0.0
    opened: list[Opened] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def find(self, moment: float) -> Opened | None:
        """Two phases accept late reports: the latest, and the one before."""
        return next((one for one in self.opened[:-3:-1] if one.start <= moment < one.end), None)

    def take(self, sample: Sample, number: int) -> None:
        if sample.scheduled < self.since:
            return
        result = self.find(sample.finished)
        kind = (sample.variant, sample.operation)
        self.counts.ends[result.key if result else None, *kind, sample.outcome] += number
        if result is None:
            return
        self.counts.rows[result.key, *kind] += number * sample.rows
        if sample.outcome in ANSWERED and (seconds := result.phase.seconds):
            place = int((sample.finished - result.start) / seconds * count_slices(seconds))
            self.counts.slices[result.key, sample.operation, place] += number

    def close(self, now: float) -> None:
        if self.opened and now < self.opened[-1].end:
            self.opened[-1].end = max(now, self.opened[-1].start)


class Node:
    """A worker process: an agent, and the account of what it does."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name = name
        self.clock = clock
        self.ledger = Ledger()
        self.account = Account()
        self.made: dict[tuple[str, int], Counts] = {}
        """What it had counted as it made each of its reports, by run and number."""
        self.executed: Counter[tuple[str, int]] = Counter()
        """How often it has carried out each command, by run and number."""
        process_state: Any = SimpleNamespace(
            ledger=self.ledger, phase=None, settled=set(), started=set(), over=set(), errors={}, stores={}, seen={},
            patience=1.0,
            checks=SimpleNamespace(begin=lambda: None), settle=lambda: None, begin_users=lambda: None,
            queue=SimpleNamespace(flush=lambda: True),
        )  # fmt: skip
        runner = SimpleNamespace(user_count=0, user_greenlets=[], stop=lambda: None, worker_index=0)
        exporter = Exporter(Role.WORKER, lambda: 0)
        self.agent = Agent(
            SimpleNamespace(runner=runner), process_state, exporter, lambda _settings, _collections: None, lambda: None
        )
        quiet = SimpleNamespace(in_flight=0, **dict.fromkeys(("begin", "reshare"), lambda *_: None))
        quiet.finish = quiet.complete = lambda: None
        self.agent.arrivals = quiet  # type: ignore[assignment]
        self._carry_out = self.agent._responder._execute
        self.agent._responder._execute = self._execute

    def _execute(self, command: Command) -> Any:
        self.executed[command.run_id, command.sequence] += 1
        before = self.ledger._current
        value = self._carry_out(command)
        if isinstance(command, Prepare):
            self.account = Account(command.run_id, self.clock())
        elif isinstance(command, OpenWindow) and self.ledger._current is not before:
            start = self.clock() - command.elapsed + command.phase.warmup_seconds
            end = start + (command.phase.seconds or float("inf"))
            self.account.opened.append(Opened(command.phase, start, end))
        elif isinstance(command, Drain | Stop):
            self.account.close(self.clock())
            self._note(value["sequence"])
        return value

    def _note(self, sequence: int) -> None:
        self.made[self.account.run_id, sequence] = self.account.counts.copy()

    def report(self) -> Report:
        report = self.agent.report()
        self._note(report.sequence)
        return report


@dataclass
class Transit:
    """A message on its way."""

    agent: str
    message: Command | FromAgent
    to_agent: bool
    due: float
    """It arrives then at the earliest."""


class Simulation(RuleBasedStateMachine):
    """Between two steps the result has to be right."""

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

    # What happens

    @initialize(seed=st.integers(0, 2**32), number=st.integers(1, 4))
    def begin(self, seed: int, number: int) -> None:
        self.random = Random(seed)
        for _ in range(number):
            self.join()
        self.begin_run()
        self.begin_phase(again=False, kind="closed", mode=Mode.SYNC)

    def join(self) -> None:
        """A worker connects; one that was restarted has another name."""
        name = f"w{next(self.names)}"
        self.nodes[name] = self.all_nodes[name] = Node(name, lambda: self.now)
        self.coordinator.receive(name, WORKER)

    @rule(change=st.sampled_from(["join", "restart", "freeze", "freeze", "thaw", "thaw"]))
    def disturb(self, change: str) -> None:
        """A worker joins, is killed and restarted, falls silent or goes on; its messages are still in transit."""
        if change == "restart" and self.nodes:
            self.dismiss(self.random.choice(sorted(self.nodes)))
        if change in ("join", "restart") and len(self.nodes) < 4:
            self.join()
        if change == "freeze" and (there := sorted(self.connected())):
            name = self.random.choice(there)
            self.frozen.add(name)
            self.times_frozen[name] += 1
        if change == "thaw" and self.frozen:
            self.frozen.discard(self.random.choice(sorted(self.frozen)))

    @precondition(lambda self: self.steps > 3)
    @rule()
    def begin_run(self) -> None:
        """Another run, while messages of the one before are on their way."""
        if not self.coordinator.run.over:
            self.coordinator.stop()
            self.coordinator.end_run()
        run = Run(f"run {next(self.run_ids)}", Settings(deadline=1.0, worker_grace=0.0), expected=1)
        self.latest, self.attempts, self.phase = {}, {}, None
        self.steps = 0
        try:
            self.coordinator.begin_run(run)
        except AgentError:
            run.over = True

    @precondition(lambda self: not self.coordinator.run.over)
    @rule(again=st.booleans(), kind=st.sampled_from(["closed", "open", "endless"]), mode=st.sampled_from(Mode))
    def begin_phase(self, again: bool, kind: str, mode: Mode) -> None:
        """The next phase, or the same one once more, after newcomers were made ready; its warm-up passes."""
        for name in sorted(self.coordinator.agents.newcomers()):
            self.coordinator._supervisor._admit(name, self.coordinator.run)
        if again and self.phase is not None:
            phase = replace(self.phase, attempt=self.phase.attempt + 1)
        else:
            number = self.phase.number + 1 if self.phase is not None else 0
            rate = 50.0 if kind == "open" else 0.0
            phase = Phase(number, mode, 8, 0.0 if kind == "endless" else 10.0, 2.0, rate=rate)
        try:
            self.coordinator.announce(phase)
        except PlanBrokenError:
            return
        self.phase = phase
        self.attempts[phase.number] = phase.attempt
        if phase.is_open:
            there = sorted(self.coordinator.agents.present())
            shares = {name: ShareFrom(0.0, place, len(there)) for place, name in enumerate(there)}
            commands: dict[str, Command] = {name: OpenWindow(phase, share) for name, share in shares.items()}
            self.coordinator.agents.ask(commands)
        else:
            self.coordinator._open_window(phase)
        self.now += phase.warmup_seconds
        self.work(self.random.randrange(1000), reports=False)

    @precondition(lambda self: self.phase is not None and not self.coordinator.run.over)
    @rule()
    def finish(self) -> None:
        assert self.phase is not None
        self.work(self.random.randrange(1000), reports=True)
        self.coordinator.finish(self.phase)

    @rule(choice=st.integers(0, 2**32), reports=st.sampled_from([True, True, False]))
    def work(self, choice: int, reports: bool) -> None:
        """Operations of several kinds end in all agents that are not silent, which may report then."""
        random = Random(choice)
        self.steps += 1
        for name in sorted(self.connected()):
            for _ in range(random.randrange(4)):
                finished = self.now - random.choice((0.1, 0.1, 0.1, 1.1, 12.1))
                due = finished - 0.02 - random.choice((0.0, 0.5))
                kind = (random.choice(tuple(Mode)), random.choice(OPERATIONS))
                one = Sample(*kind, due, finished - 0.02, finished, random.choice(tuple(Outcome)), 3)
                number = random.choice((1, 2, 300))
                self.nodes[name].ledger([one] * number)
                self.nodes[name].account.take(one, number)
        self.now += 2 * TICK
        if reports:
            self.report()

    @rule(place=st.integers(0, 3), number=st.integers(1, 5), recall=st.sampled_from([0.5, 1.0]))
    def count_drops_and_checks(self, place: int, number: int, recall: float) -> None:
        there = sorted(self.connected())
        if not there:
            return
        node = self.nodes[there[place % len(there)]]
        counts, moment = node.account.counts, self.now - 0.1
        result = node.account.find(moment)
        node.ledger.drop([moment] * number, at=moment)
        if result is not None:
            counts.dropped[result.key, result.phase.mode] += number
        elif node.account.opened:
            counts.dropped[None, node.account.opened[-1].phase.mode] += number
        node.ledger.check(Check(moment, number, recall, "search"))
        if result is not None:
            counts.checks[result.key] += 1

    def report(self) -> None:
        """Agents that are not silent report, as they do every 3 s."""
        for name in sorted(self.connected()):
            if self.nodes[name].agent.run_id:
                self._post(name, self.nodes[name].report(), to_agent=False)

    @rule(turns=st.integers(1, 4))
    def wait(self, turns: int) -> None:
        """The network has some turns."""
        for _ in range(turns):
            self._pause(TICK)

    # What has to be

    @invariant()
    def the_result_is_the_sum_of_what_was_heard(self) -> None:
        expected = Counts()
        run_id = self.coordinator.run.run_id
        for name, number in self.latest.items():
            expected.add(self.all_nodes[name].made[run_id, number])
        compare(self.ledger, expected, self.attempts)

    @invariant()
    def no_command_is_carried_out_twice(self) -> None:
        for node in self.all_nodes.values():
            assert max(node.executed.values(), default=0) <= 1

    @precondition(lambda self: not self.coordinator.run.over)
    @rule()
    def settle(self) -> None:
        """With a last report of all that live, nothing is missing."""
        run_id = self.coordinator.run.run_id
        for name in sorted(self.connected()):
            if self.nodes[name].agent.run_id:
                self._deliver(Transit(name, self.nodes[name].report(), False, self.now))
        expected = Counts()
        for name, node in self.all_nodes.items():
            if name in self.connected():
                if node.account.run_id == run_id:
                    expected.add(node.account.counts)
            elif name in self.latest:
                expected.add(node.made[run_id, self.latest[name]])
        compare(self.ledger, expected, self.attempts)


def compare(ledger: MergedLedger, expected: Counts, attempts: dict[int, int]) -> None:
    """Fails where anything of the result is another number than it should be."""

    def where(key: Key | None) -> int | None:
        """Attempts that were made again count in no phase."""
        return key[0] if key is not None and attempts[key[0]] == key[1] else None

    ends: Counter[tuple[int | None, str, str, Outcome]] = Counter()
    times: Counter[tuple[int, str, str, Any]] = Counter()
    slices: Counter[tuple[int, str, int]] = Counter()
    rows: Counter[tuple[int, str, str]] = Counter()
    for number, window in ledger.windows.items():
        for kind, stats in window.operation_stats.items():
            ends.update({(number, *kind, outcome): n for outcome, n in stats.outcomes.items()})
            rows[number, *kind] += stats.rows
            for place, one in stats.times.items():
                times[number, *kind, place] += one._service.get_total_count()
                assert one._response is None or one._response.get_total_count() == one._service.get_total_count()
        for operation, pieces in window.slices.items():
            slices.update({(number, operation, place): piece.operations for place, piece in enumerate(pieces)})
    for kind, outcomes in ledger.outside.items():
        ends.update({(None, *kind, outcome): n for outcome, n in outcomes.items()})

    wanted: Counter[tuple[int | None, str, str, Outcome]] = Counter()
    wanted_times: Counter[tuple[int, str, str, Any]] = Counter()
    for (key, mode, operation, outcome), n in expected.ends.items():
        wanted[where(key), mode, operation, outcome] += n
        if (number := where(key)) is not None:  # type: ignore[assignment]
            wanted_times[number, mode, operation, CLASSES[outcome]] += n
    assert ends == wanted
    assert times == wanted_times
    assert rows == Counter({(k[0], m, o): n for (k, m, o), n in expected.rows.items() if where(k) is not None})
    assert slices == Counter({(k[0], o, p): n for (k, o, p), n in expected.slices.items() if where(k) is not None})

    dropped: Counter[int | None] = Counter({n: window.flow.dropped for n, window in ledger.windows.items()})
    dropped[None] = sum(ledger.dropped_outside.values())
    wanted_dropped: Counter[int | None] = Counter()
    for (key, _), n in expected.dropped.items():
        wanted_dropped[where(key)] += n
    assert dropped == wanted_dropped
    checks = Counter({number: window.recalls.checks for number, window in ledger.windows.items()})
    assert checks == Counter({k[0]: n for k, n in expected.checks.items() if where(k) is not None})
    assert ledger.answered == sum(n for key, n in wanted.items() if key[-1] in ANSWERED)
    assert ledger.failed == sum(n for key, n in wanted.items() if key[-1] not in ANSWERED)


Simulation.TestCase.settings = settings(max_examples=50, stateful_step_count=40)
TestSimulation = Simulation.TestCase
