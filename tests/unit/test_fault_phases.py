"""What the coordinator asks around a phase with faults: an agent that does not answer is no proof of anything."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from loadgen.control.agents import Agents
from loadgen.control.fault_phases import FaultPhases
from loadgen.control.fault_schedule import FaultSchedule, Injector
from loadgen.control.report_collection import ReportCollector
from loadgen.measure.fault_notes import FaultNotes, InsertCheck
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode

PHASE = Phase(0, Mode.ASYNC, 8, 10.0, variant="async", is_drill=True)
KEPT: dict[str, Any] = {"connections": 2, "acknowledged": 5, "missing": 0, "names": [], "problem": ""}
NONE = KEPT | {"acknowledged": 0}


class Some:
    """Two agents, as `Agents`; some do not answer, or are gone, and another one joins."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {"a": NONE, "b": NONE}

    def present(self) -> set[str]:
        return {"a", "b", *self.answers}

    def ask(self, commands: dict[str, object], within: float) -> SimpleNamespace:
        assert within > 0
        return SimpleNamespace(values={name: self.answers[name] for name in commands if name in self.answers})


@pytest.mark.parametrize(
    ("answers", "inserts", "connections"),
    [
        ({"a": KEPT, "b": KEPT}, InsertCheck(10, 0), 4),
        ({"a": NONE, "b": NONE}, None, 4),
        ({"a": KEPT}, InsertCheck(5, 0, (), "no answer from 1 of 2 workers"), None),
        ({"a": NONE}, None, None),
        ({"a": KEPT, "b": KEPT, "c": NONE}, InsertCheck(10, 0, (), "1 worker joined during the phase"), 6),
        ({"a": NONE, "b": NONE, "c": NONE}, None, 6),
        ({}, InsertCheck(0, 0, (), "no answer from 2 of 2 workers"), None),
        (
            {"a": KEPT | {"problem": "unavailable", "connections": None}},
            InsertCheck(5, 0, (), "unavailable; no answer from 1 of 2 workers"),
            None,
        ),
    ],
)
def test_inserts_of_an_agent_that_does_not_answer_are_not_said_to_be_kept(
    answers: dict[str, dict[str, Any]], inserts: InsertCheck | None, connections: int | None
) -> None:
    ledger, agents = Ledger(), Some()
    ledger.open(PHASE, 0.0, 10.0)
    window = ledger.windows[0]
    faults = FaultPhases(
        cast("Agents", agents), cast("ReportCollector", SimpleNamespace(window=window)), lambda *_: None
    )
    faults.use(FaultSchedule((), cast("Injector", None), 30.0))
    faults.announce(PHASE)
    window.faults = FaultNotes(30.0)
    agents.answers = answers
    faults.check()
    assert window.faults == FaultNotes(30.0, inserts=inserts, connections_after=connections)
