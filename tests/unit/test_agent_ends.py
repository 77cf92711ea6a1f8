"""How an agent ends a phase and a run, and what it answers meanwhile."""

import logging

import pytest

from loadgen.control import agent as agent_module
from loadgen.control import arrivals
from loadgen.control.messages import (
    Announce,
    Confirm,
    CountUsers,
    Describe,
    Drain,
    IsOver,
    Stop,
)
from loadgen.control.states import State
from loadgen.measure.sample import Mode
from tests.unit.test_agent import CLOSED, Process, count
from tests.unit.virtual_time import VirtualTime


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    time = VirtualTime()
    time.rule(monkeypatch, (agent_module, arrivals))
    return Process(time)


def test_a_drain_waits_for_the_users_and_answers_with_all_that_was_counted(process: Process) -> None:
    process.begin()
    process.open(CLOSED)
    process.runner.user_count = 8
    process.time.after(4.0, lambda: process.search(8))
    process.time.after(5.0, lambda: setattr(process.runner, "user_count", 0))
    began = process.time()
    answer = process.tell(Drain("one", process.number()))
    assert process.time() - began == pytest.approx(5.0, abs=0.1)
    assert count(answer.value) == 8
    assert answer.value["windows"][0]["seconds"] == pytest.approx(5.0, abs=0.1)
    assert process.noted[-2:] == ["complete", "send stats"]
    assert process.agent.state is State.READY


def test_a_drain_does_not_wait_for_ever_and_says_what_it_waits_for(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "loadgen")
    process.begin()
    process.open(CLOSED)
    process.runner.user_count = 3
    process.flushed = False
    began = process.time()
    process.tell(Drain("one", process.number()))
    assert process.time() - began == pytest.approx(36.0, abs=0.1)
    assert [record.message for record in caplog.records] == [
        "Waiting for 3 users to end, 0 operations of theirs are in flight; 28 s at most",
        "Samples were still arriving when they were to be counted: the figures lack some",
    ]


def test_a_stop_stops_the_users_first(process: Process) -> None:
    process.begin()
    process.open(CLOSED)
    process.runner.user_count = 8
    process.search(2)
    answer = process.tell(Stop("one", process.number()))
    assert process.noted[-3:] == ["stop users", "complete", "send stats"]
    assert count(answer.value) == 2


def test_a_confirmation_counts_for_its_own_run_only(process: Process) -> None:
    process.begin()
    process.open(CLOSED)
    process.search(4)
    number = process.agent.report().sequence
    process.agent.receive(Confirm(number, "another"))
    assert count(process.agent.report().body) == 4
    assert process.agent.receive(Confirm(number, "one")) is None
    assert count(process.agent.report().body) == 0
    process.search(1)
    assert count(process.agent.report().body) == 5


def test_questions_have_their_answers(process: Process) -> None:
    process.begin()
    process.tell(Announce(CLOSED, "one", process.number()))
    assert process.process_state.phase == CLOSED
    process.process_state.settled.update({1, 2, 3})
    process.process_state.started.update({1, 2, 3, 4})
    process.process_state.ended.add(4)
    process.process_state.over.add(7)
    assert process.tell(CountUsers("one", process.number())).value == {"present": 3, "started": 4, "ended": 1}
    asked = [process.tell(IsOver(number, "one", process.number())).value for number in (6, 7)]
    assert asked == [False, True]
    described = [process.tell(Describe(mode, "one", process.number())).value for mode in (Mode.SYNC, Mode.ASYNC)]
    assert described == [{"connections": 2, "data": ["abc"]}, {"connections": 0, "data": []}]


def test_a_run_that_ends_here_and_now_cuts_its_phase(process: Process) -> None:
    process.begin()
    process.open(CLOSED)
    process.time.pass_by(20)
    process.agent.break_off()
    assert process.ledger.windows[0].seconds == 20.0
    assert process.noted[-1] == "finish"
