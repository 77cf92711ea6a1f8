"""The sum of all agents' reports of a run: the latest of each counts, even if others were lost or repeated."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loadgen.measure.errors import TaskErrors
from loadgen.measure.ledger import count_outside, outside_from_message
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Outcome
from loadgen.measure.window import Window


@dataclass(slots=True)
class _Part:
    """An agent's latest report of one attempt at a phase."""

    sequence: int
    window: Window


@dataclass(slots=True)
class _Agent:
    sequence: int = 0
    parts: dict[tuple[int, int], _Part] = field(default_factory=dict)
    """By number and attempt of the phase."""
    outside: dict[tuple[str, str], Counter[Outcome]] = field(default_factory=dict)
    nested_outside: dict[tuple[str, str], Counter[Outcome]] = field(default_factory=dict)
    dropped_outside: Counter[str] = field(default_factory=Counter)
    errors_outside: TaskErrors = field(default_factory=TaskErrors)


class MergedLedger:
    """The sum of the latest reports of all agents; used only on the hub, by the coordinator.

    If a phase is repeated, the counts of earlier attempts are outside of all phases.
    """

    def __init__(self) -> None:
        self._agents: dict[str, _Agent] = {}
        self._windows: dict[int, Window] = {}
        self._attempts: dict[int, int] = {}
        self._stale: set[int] = set()
        self._settled_before = 0
        """The number of the first phase whose parts are not packed."""

    def reset(self) -> None:
        """Reset for another run."""
        self._agents, self._windows, self._attempts, self._stale = {}, {}, {}, set()
        self._settled_before = 0

    def expect(self, phase: Phase) -> None:
        """Begin a phase, or repeat it: its window exists even if no agent reports it."""
        if self._attempts.get(phase.number, -1) < phase.attempt:
            self._attempts[phase.number] = phase.attempt
            self._windows[phase.number] = Window(phase, 0.0)
            self._windows = dict(sorted(self._windows.items()))  # a report may be the first to contain several phases
            self._stale.add(phase.number)

    def settle_before(self, number: int) -> None:
        """Pack what was reported of the phases before this one: a hundred workers take 20 MB for each otherwise.

        Their reports may still be replaced.
        """
        for agent in self._agents.values():
            for (phase, _), part in agent.parts.items():
                if self._settled_before <= phase < number:
                    part.window.settle()
        for phase, window in self.windows.items():
            if self._settled_before <= phase < number:
                window.settle()
        self._settled_before = max(self._settled_before, number)

    def merge(self, report: Mapping[str, Any], agent: str) -> None:
        """Replace an agent's earlier reports by this one. Idempotent, in any order."""
        known = self._agents.setdefault(agent, _Agent())
        sequence = int(report["sequence"])
        if sequence > known.sequence:
            known.sequence = sequence
            known.outside = outside_from_message(report["outside"])
            known.nested_outside = outside_from_message(report["nested_outside"])
            known.errors_outside = TaskErrors()
            known.errors_outside.merge(report["errors_outside"])
            known.dropped_outside = Counter(report["dropped_outside"])
        for message in report["windows"]:
            self._take_part(known, agent, sequence, message)

    def _take_part(self, known: _Agent, agent: str, sequence: int, message: Mapping[str, Any]) -> None:
        phase = Phase.from_message(message["phase"])
        key = (phase.number, phase.attempt)
        earlier = known.parts.get(key)
        if earlier is not None and earlier.sequence >= sequence:
            return
        part = Window.from_message(message)
        part.seconds = float(message["seconds"])
        if earlier is not None:
            part.keep_slices(earlier.window)
        known.parts[key] = _Part(sequence, part)
        self.expect(phase)
        if self._attempts[phase.number] == phase.attempt:
            window = self._windows[phase.number]
            window.phase = phase  # as opened, including its start time
            window.seconds = max(window.seconds, part.seconds)
            window.heard[agent] = float(message["covered"])
        self._stale.add(phase.number)

    @property
    def windows(self) -> Mapping[int, Window]:
        """Each phase by its number, summed over the agents."""
        stale, self._stale = self._stale, set()
        for number in stale:
            key = (number, self._attempts[number])
            result = {name: one.parts[key].window for name, one in self._agents.items() if key in one.parts}
            self._windows[number].combine(result)
        if stale:
            self._spread_change()
        return self._windows

    def _spread_change(self) -> None:
        """Data changed by one agent stay changed for all, even after it has left."""
        first = min((number for number, window in self._windows.items() if window.recalls.changed), default=math.inf)
        for number, window in self._windows.items():
            window.recalls.changed = number >= first

    @property
    def outside(self) -> Mapping[tuple[str, str], Counter[Outcome]]:
        """Outcomes of operations outside of all phases."""
        total: dict[tuple[str, str], Counter[Outcome]] = {}
        for agent in self._agents.values():
            for key, ends in agent.outside.items():
                total.setdefault(key, Counter()).update(ends)
            for window in self._replaced(agent):
                for key, stats in window.operation_stats.items():
                    total.setdefault(key, Counter()).update(stats.totals)
        return total

    @property
    def nested_outside(self) -> Mapping[tuple[str, str], Counter[Outcome]]:
        """The same for nested operations."""
        total: dict[tuple[str, str], Counter[Outcome]] = {}
        for agent in self._agents.values():
            for key, ends in agent.nested_outside.items():
                total.setdefault(key, Counter()).update(ends)
            for window in self._replaced(agent):
                for key, stats in window.operation_stats.items():
                    total.setdefault(key, Counter()).update(stats.nested)
        return {key: ends for key, ends in total.items() if ends}

    @property
    def dropped_outside(self) -> Mapping[str, int]:
        """Arrivals dropped outside of all phases."""
        total: Counter[str] = Counter()
        for agent in self._agents.values():
            total.update(agent.dropped_outside)
            for window in self._replaced(agent):
                total[window.phase.variant] += window.flow.dropped
        return total

    @property
    def errors_outside(self) -> TaskErrors:
        """Exceptions raised by tasks outside of all phases."""
        total = TaskErrors()
        for agent in self._agents.values():
            total.merge(agent.errors_outside.as_message())
            for window in self._replaced(agent):
                total.merge(window.errors.as_message())
        return total

    def _replaced(self, agent: _Agent) -> list[Window]:
        """Windows of attempts that were repeated."""
        return [part.window for (number, attempt), part in agent.parts.items() if attempt < self._attempts[number]]

    @property
    def answered(self) -> int:
        """Operations with a usable answer, in phases and outside of them."""
        return sum(window.answered for window in self.windows.values()) + count_outside(self.outside, failed=False)

    @property
    def failed(self) -> int:
        """Operations without one."""
        return sum(window.failed for window in self.windows.values()) + count_outside(self.outside, failed=True)
