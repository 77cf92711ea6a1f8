"""The faults of a run around its phases: begun with the phase's clock, undone at its end, checked after it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from loadgen.control.agents import Agents
from loadgen.control.fault_messages import CheckFaults
from loadgen.control.fault_schedule import FaultSchedule
from loadgen.control.report_collection import ReportCollector
from loadgen.measure.fault_notes import NAMED_AT_MOST, FaultNotes, InsertCheck
from loadgen.measure.phase import Phase
from loadgen.settings.fault_grammar import Action
from loadgen.text.listing import count_of

CONNECTED_WITHIN = 60.0
"""Seconds for an agent to count its connections."""
SEARCHED_WITHIN = 900.0
"""Seconds for an agent to search for all rows of a phase."""


class FaultPhases:
    """Used on the hub; does nothing in a run without faults."""

    def __init__(self, agents: Agents, gathering: ReportCollector, tell: Callable[[Action, int], object]) -> None:
        """`tell` is called with 1 as a fault begins and with -1 as it ends."""
        self._agents, self._gathering, self._tell = agents, gathering, tell
        self._schedule: FaultSchedule | None = None
        self._connections: int | None = None
        self._noting: set[str] = set()
        """The agents that note the inserts of the phase."""

    def use(self, schedule: FaultSchedule | None) -> None:
        """Another run."""
        if self._schedule is not None:
            self._schedule.end()
        self._schedule = schedule
        if schedule is not None:
            schedule.tell = self._tell

    def announce(self, phase: Phase) -> None:
        """A phase follows: have the agents note its inserts, and count their connections."""
        if self._schedule is not None and phase.is_drill:
            answers = self._ask(CheckFaults(phase.variant, False), CONNECTED_WITHIN)
            self._noting, self._connections = set(answers), _add_up(list(answers.values()))

    def _ask(self, command: CheckFaults, within: float) -> dict[str, Any]:
        return self._agents.ask(dict.fromkeys(sorted(self._agents.present()), command), within).values

    def begin(self, phase: Phase) -> None:
        """The warm-up of a phase begins."""
        if self._schedule is not None and phase.is_drill:
            self._schedule.begin(phase.warmup_seconds, phase.number + 1)

    def end(self) -> None:
        """A phase is over or interrupted: undo what is in effect, and note with it what happened."""
        if self._schedule is not None:
            self._schedule.end()
            self.note()

    def note(self) -> None:
        """Note with a phase what has happened in it so far; no more of it counts."""
        window = self._gathering.window
        if self._schedule is None:
            return
        if window is not None and window.phase.is_drill and window.faults is None:
            notes = FaultNotes(self._schedule.recovery_within, self._schedule.events)
            window.faults = replace(notes, connections_before=self._connections)

    def check(self) -> None:
        """All of a phase is counted: search for its inserts, and count the connections again."""
        window = self._gathering.window
        if self._schedule is None or window is None or window.faults is None:
            return
        heard = self._ask(CheckFaults(window.phase.variant, True), SEARCHED_WITHIN)
        answers = list(heard.values())
        inserts = _sum_up([one for one in answers if one["acknowledged"] or one["problem"]])
        lacking = self._find_lacking(set(heard))
        if lacking and (inserts is not None or not answers):
            inserts = inserts or InsertCheck(0, 0)
            inserts = replace(inserts, problem="; ".join(filter(None, (inserts.problem, *lacking))))
        after = _add_up(answers) if self._noting <= set(heard) else None
        window.faults = replace(window.faults, inserts=inserts, connections_after=after)

    def _find_lacking(self, heard: set[str]) -> list[str]:
        """Agents whose inserts are not known to be there: they did not answer, or did not note them."""
        silent, joined = len(self._noting - heard), len(heard - self._noting)
        result = [f"no answer from {silent} of {count_of(len(self._noting), 'worker')}"] if silent else []
        return [*result, f"{count_of(joined, 'worker')} joined during the phase"] if joined else result


def _add_up(answers: Sequence[dict[str, Any]]) -> int | None:
    known = [one["connections"] for one in answers]
    return None if not known or None in known else sum(known)


def _sum_up(answers: Sequence[dict[str, Any]]) -> InsertCheck | None:
    if not answers:
        return None
    names = [name for one in answers for name in one["names"]]
    return InsertCheck(
        sum(one["acknowledged"] for one in answers),
        sum(one["missing"] for one in answers),
        tuple(names[:NAMED_AT_MOST]),
        "; ".join(dict.fromkeys(one["problem"] for one in answers if one["problem"])),
    )
