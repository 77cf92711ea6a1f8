"""Whatever becomes of messages and of agents, a run's result is the sum of what the agents that were heard had counted.

Real are the coordinator, the agents with their ledgers, and the messages as they travel. Played are the network, which
drops, repeats, delays and reorders in both directions, the users, and the clock.
"""

from dataclasses import replace
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from loadgen.control.errors import AgentError, PlanBrokenError
from loadgen.control.messages import (
    Command,
    OpenWindow,
    ShareFrom,
)
from loadgen.control.run import Run
from loadgen.measure.phase import Phase
from loadgen.measure.recall import Check
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.settings.model import Settings
from tests.unit.control_accounts import Counts, Node, compare
from tests.unit.control_network import TICK, SimulatedNetwork, Transit
from tests.unit.worker_support import WORKER

OPERATIONS = ("search", "insert", "ask")


class Simulation(SimulatedNetwork):
    """Between two steps the result has to be right."""

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


Simulation.TestCase.settings = settings(max_examples=50, stateful_step_count=40)
TestSimulation = Simulation.TestCase
