"""Gathers the agents' counts of each phase on the coordinator, and notes what the phase lacked."""

from collections.abc import Mapping
from typing import Any

from loadgen.control.agents import ANSWER_WITHIN, Agents
from loadgen.control.merged_ledger import MergedLedger
from loadgen.control.messages import Describe, Drain, Report, Stop
from loadgen.measure.ledger import RunCounts
from loadgen.measure.phase import Phase
from loadgen.measure.window import Window


class ReportCollector:
    """Used only on the hub. In a single process the ledger is the agent's own, and nothing has to be collected."""

    def __init__(self, agents: Agents, ledger: RunCounts) -> None:
        self._agents = agents
        self._ledger = ledger
        self.phase: Phase | None = None
        """The last announced phase of this run."""
        self.is_counted = False
        """True if everything is counted here: an agent that leaves now loses nothing."""
        self._in_flight: dict[str, int] = {}

    def begin_run(self) -> None:
        """Reset for another run."""
        self.phase, self.is_counted, self._in_flight = None, False, {}
        if isinstance(self._ledger, MergedLedger):
            self._ledger.reset()

    def expect(self, phase: Phase) -> None:
        """Note which agents are present as a phase begins."""
        self.phase, self.is_counted = phase, False
        self._agents.mark_phase(phase.workers)
        if isinstance(self._ledger, MergedLedger):
            self._ledger.expect(phase)
            self._ledger.settle_before(phase.number)

    @property
    def window(self) -> Window | None:
        """The counts of the last announced phase; None if there can be none."""
        return self._ledger.windows.get(self.phase.number) if self.phase is not None else None

    def take(self, agent: str, report: Report) -> None:
        """Process a report of this run."""
        self._in_flight[agent] = report.in_flight
        self._merge(agent, report.body)

    def count_in_flight(self) -> int:
        """Operations in flight in the agents that are present, by their latest reports."""
        there = self._agents.present()
        return sum(number for agent, number in self._in_flight.items() if agent in there)

    def collect(self, command: Drain | Stop, within: float) -> set[str]:
        """Make all present agents finish counting, process their reports, and return the silent agents."""
        call = self._agents.ask(dict.fromkeys(sorted(self._agents.present()), command), within)
        for agent, body in call.values.items():
            self._merge(agent, body)
        return self._agents.find_silent(call)

    def _merge(self, agent: str, body: Mapping[str, Any]) -> None:
        if isinstance(self._ledger, MergedLedger):
            self._ledger.merge(body, agent)
            self._agents.confirm(agent, body["sequence"])

    def count_lost(self, expected: int) -> None:
        """Mark the phase with the workers that it lacked: those that left during it, and those that never joined."""
        window = self.window
        if window is None:
            return
        lacking = max(len(self._agents.missed), expected - self._agents.began)
        if lacking > 0:
            window.lose(lacking)

    def describe_sides(self, within: float = ANSWER_WITHIN) -> None:
        """Record with the phase the number of its variant's connections, and the data that they saw."""
        window = self.window
        if window is not None:
            seen = self._agents.ask_all(Describe(window.phase.variant), within)
            window.connections = sum(one["connections"] for one in seen)
            window.data = tuple(sorted({each for one in seen for each in one["data"]}))

    @property
    def has_lost_workers(self) -> bool:
        """True if workers left during the last announced phase, or did not join it."""
        return bool(self._agents.missed) or (self.window is not None and self.window.workers_lost > 0)
