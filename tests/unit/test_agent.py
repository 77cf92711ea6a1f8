"""A process with users does what its coordinator commands, for one run at a time."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from loadgen.control import agent as agent_module
from loadgen.control import arrivals
from loadgen.control.agent import Agent
from loadgen.control.messages import (
    Announce,
    Answer,
    Command,
    IsOver,
    OpenWindow,
    Prepare,
    ReadData,
    Reshare,
    ShareFrom,
)
from loadgen.control.states import State
from loadgen.exporters import Exporter, Role
from loadgen.measure.ledger import Ledger
from loadgen.measure.loop_holds import LoopHolds
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.settings.model import Settings
from tests.unit.virtual_time import VirtualTime

OPEN = Phase(3, Mode.ASYNC, 0, seconds=60.0, model="constant", rate=50.0)
CLOSED = Phase(0, Mode.SYNC, 8, seconds=60.0)


class Process:
    """An agent whose users, stores and arrivals are played by this test."""

    def __init__(self, time: VirtualTime) -> None:
        self.time = time
        self.ledger = Ledger()
        self.noted: list[Any] = []
        """What was asked of the parts around it."""
        self.opening: Callable[[Settings], object] = lambda _settings: None
        self.flushed = True
        runner = SimpleNamespace(
            user_count=0, user_greenlets=[], stop=self._stop, user_classes_count={}, worker_index=1
        )
        runner.stop_users = lambda counts: self.noted.append(("end leftover users", counts))
        process_state = SimpleNamespace(
            ledger=self.ledger,
            phase=None,
            settled=set(),
            started=set(),
            ended=set(),
            over=set(),
            errors={},
            begin_users=lambda: self.noted.append("begin users"),
            stores={Mode.SYNC: ["store", "store"]},
            seen={Mode.SYNC: ["abc"]},
            patience=31.0,
            loop_holds=LoopHolds(),
            checks=SimpleNamespace(begin=lambda: self.noted.append("begin checks")),
            settle=lambda: None,
            queue=SimpleNamespace(flush=lambda: self.flushed),
        )
        self.runner, self.process_state = runner, process_state
        environment: Any = SimpleNamespace(runner=runner)
        exporter = Exporter(Role.WORKER, lambda: 0)
        self.agent = Agent(environment, process_state, exporter, self._open, lambda: self.noted.append("send stats"))  # type: ignore[arg-type]
        self.arrivals: Any = SimpleNamespace(
            in_flight=0,
            begin=lambda _start, share: self.noted.append(("begin", share)),
            reshare=lambda share: self.noted.append(("reshare", share)),
            complete=lambda: self.noted.append("complete"),
            finish=lambda: self.noted.append("finish"),
        )
        self.agent.arrivals = self.arrivals  # type: ignore[assignment]
        self._numbers = iter(range(1, 1000))

    def _open(self, settings: Settings, _collections: object) -> None:
        self.opening(settings)
        self.noted.append(("open", settings.top_k))

    def _stop(self) -> None:
        self.noted.append("stop users")
        self.runner.user_count = 0

    def number(self) -> int:
        """Of the next command."""
        return next(self._numbers)

    def prepare(self, run_id: str = "one", **given: Any) -> Command:
        return Prepare(Settings(**given).as_message(), run_id, self.number())

    def tell(self, command: Command) -> Answer:
        """What it answers."""
        answer = self.time.run(lambda: self.agent.receive(command))
        assert answer is not None
        return answer

    def begin(self, run_id: str = "one") -> None:
        assert self.tell(self.prepare(run_id)).error == ""

    def open(self, phase: Phase, run_id: str = "one", **given: Any) -> Answer:
        return self.tell(OpenWindow(phase, run_id=run_id, sequence=self.number(), **given))

    def search(self, number: int = 1, ago: float = 0.0) -> None:
        """Searches that began some seconds ago end now."""
        now = self.time()
        self.ledger([Sample(Mode.SYNC, "search", now - ago, now - ago, now, Outcome.OK, 1)] * number)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    time = VirtualTime()
    time.rule(monkeypatch, (agent_module, arrivals))
    return Process(time)


def count(body: Any) -> int:
    """Operations in a report, in phases and outside of them."""
    inside = [stats["outcomes"] for window in body["windows"] for stats in window["operations"]]
    return sum(sum(ends.values()) for ends in (*inside, *(part["outcomes"] for part in body["outside"])))


def test_a_process_is_ready_for_the_run_that_it_was_prepared_for_last(process: Process) -> None:
    agent = process.agent
    assert (agent.state, agent.is_ready("one"), agent.is_ready("")) == (State.IDLE, False, False)
    process.begin()
    assert (agent.state, agent.is_ready("one"), agent.is_ready("two")) == (State.READY, True, False)
    process.begin("two")
    assert (agent.is_ready("one"), agent.is_ready("two")) == (False, True)


def test_a_run_samples_operations_if_its_settings_say_so(process: Process) -> None:
    process.tell(process.prepare(trace_sample=0.5))
    assert (process.process_state.tracer is not None, process.ledger.is_traced) == (True, True)
    process.tell(process.prepare("two"))
    assert (process.process_state.tracer, process.agent.exporter.run_id) == (None, "two")


@pytest.mark.parametrize("error", [RuntimeError("no route"), KeyError("x"), MemoryError(), AssertionError("odd")])
def test_any_exception_while_its_stores_are_opened_is_the_answer_and_another_run_may_begin(
    process: Process, error: Exception
) -> None:
    def fail(_settings: Settings) -> None:
        raise error

    process.opening = fail
    answer = process.tell(process.prepare())
    assert answer.error == {
        "RuntimeError": "no route",
        "KeyError": "KeyError: 'x'",
        "MemoryError": "MemoryError",
        "AssertionError": "AssertionError: odd",
    }.get(type(error).__name__)
    assert (process.agent.state, process.agent.is_ready("one")) == (State.FAILED, False)
    process.opening = lambda _settings: None
    process.begin("two")
    assert process.agent.is_ready("two")


def test_settings_that_another_version_would_know_are_an_error_in_words(process: Process) -> None:
    answer = process.tell(Prepare({"top_k": 0, "no_such": 1}, "one", process.number()))
    assert "--top-k 0" in answer.error
    assert "--no-such" in answer.error


def test_a_worker_that_is_told_of_its_phase_again_goes_on_counting_and_keeps_one_schedule(process: Process) -> None:
    process.begin()
    process.open(OPEN, share=ShareFrom(0.0, 0, 2))
    window = process.ledger.windows[3]
    process.search()
    process.open(OPEN, share=ShareFrom(0.4, 1, 3), elapsed=0.3)
    assert process.ledger.windows[3] is window
    assert window.operation_stats[Mode.SYNC, "search"].operations == 1
    assert process.noted[-2:] == [("begin", ShareFrom(0.0, 0, 2)), ("reshare", ShareFrom(0.4, 1, 3))]
    process.tell(Reshare(ShareFrom(0.9, 0, 1), "one", process.number()))
    assert process.noted[-1] == ("reshare", ShareFrom(0.9, 0, 1))
    process.begin("two")
    process.open(OPEN, "two", share=ShareFrom(0.0, 0, 1))
    assert process.noted[-1] == ("begin", ShareFrom(0.0, 0, 1)), "another run has phases of the same numbers"


def test_a_window_that_is_opened_late_ends_with_the_others(process: Process) -> None:
    process.begin()
    phase = Phase(0, Mode.SYNC, 8, seconds=10.0, warmup_seconds=2.0)
    process.open(phase, elapsed=5.0)
    window = process.ledger.windows[0]
    assert (window.start, window.end) == (process.time() - 3.0, process.time() + 7.0)
    assert process.process_state.phase == phase
    assert process.agent.state is State.MEASURING


def test_a_phase_that_is_over_is_not_opened_again_and_its_next_attempt_is(process: Process) -> None:
    process.begin()
    process.open(Phase(0, Mode.SYNC, 8, seconds=10.0))
    process.open(Phase(1, Mode.SYNC, 8, seconds=10.0))
    assert process.open(Phase(0, Mode.SYNC, 8, seconds=10.0)).error == "phase 1 is over here"
    assert process.open(Phase(1, Mode.SYNC, 8, seconds=10.0, attempt=1)).error == ""
    assert process.ledger.windows[1].phase.attempt == 1


def test_a_report_made_while_another_run_is_prepared_is_of_the_run_whose_operations_it_has(process: Process) -> None:
    process.begin()
    process.open(CLOSED)
    process.search(5)
    process.arrivals.finish = lambda: process.time.pause(10)  # operations in flight are waited for
    reports = []
    process.time.after(5, lambda: reports.append(process.agent.report()))
    process.begin("two")
    reports.append(process.agent.report())
    assert [(report.run_id, count(report.body)) for report in reports] == [("one", 5), ("two", 0)]


def test_operations_of_an_earlier_run_that_end_in_the_next_one_do_not_count_in_it(process: Process) -> None:
    process.begin()
    process.open(CLOSED)
    process.time.pass_by(20)
    process.begin("two")
    process.time.pass_by(1)
    process.search(3, ago=15)
    process.open(CLOSED, "two")
    process.time.pass_by(1)
    process.search(3, ago=15)
    process.search(2, ago=0.5)
    assert count(process.agent.report().body) == 2
    assert process.ledger.outside == {}


def test_a_run_that_begins_while_an_earlier_one_is_still_prepared_has_the_last_word(process: Process) -> None:
    process.opening = lambda settings: process.time.pause(float(settings.top_k))
    commands = [process.prepare(run, top_k=seconds) for run, seconds in (("one", 30), ("two", 20), ("three", 10))]
    answers: dict[str, Answer | None] = {}
    for place, command in enumerate(commands):

        def tell(command: Command = command) -> None:
            answers[command.run_id] = process.agent.receive(command)

        process.time.after(place, tell)
    process.time.pass_by(100)
    assert [entry for entry in process.noted if entry[0] == "open"] == [("open", 30), ("open", 10)]
    assert {run: answer.error for run, answer in answers.items() if answer} == {
        "one": "",
        "two": "run three has begun here",
        "three": "",
    }
    assert process.agent.is_ready("three")


def test_documents_are_read_and_compared_before_a_process_is_prepared(process: Process) -> None:
    seen: list[str] = []

    def describe(settings: Settings) -> str:
        seen.append(settings.documents)
        return "3 documents (fingerprint abc)"

    process.agent.describe_data = describe
    settings = Settings(client="rag", documents="papers").as_message()
    process.begin("zero")
    same = process.tell(ReadData(settings, "3 documents (fingerprint abc)", "one", process.number()))
    assert (same.error, same.value, seen) == ("", None, ["papers"])
    assert not process.agent.is_ready("one"), "its stores are still those of the run before"
    assert process.tell(process.prepare("one")).error == ""
    assert process.agent.is_ready("one")
    other = process.tell(ReadData(settings, "4 documents (fingerprint def)", "two", process.number()))
    assert other.error == (
        "it has 3 documents (fingerprint abc), the master has 4 documents (fingerprint def). "
        "Give every machine the same --documents and --questions"
    )
    assert not process.agent.is_ready("two")


def test_documents_that_cannot_be_read_are_the_answer(process: Process) -> None:
    def fail(_settings: Settings) -> str:
        raise ValueError("papers contains no .txt, .md or .pdf files. Add some, or name another folder.")

    process.agent.describe_data = fail
    answer = process.tell(ReadData(Settings().as_message(), "3 documents", "one", process.number()))
    assert "papers contains no .txt, .md or .pdf files" in answer.error


def test_a_burst_that_is_run_again_is_not_over_because_its_first_attempt_is(process: Process) -> None:
    process.begin()
    burst = Phase(2, Mode.SYNC, 1, style="sync", operation="search", operations=10)

    def is_over() -> Any:
        return process.tell(IsOver(burst.number, "one", process.number())).value

    process.tell(Announce(burst, "one", process.number()))
    assert is_over() is False
    process.process_state.over.add(burst.number)
    assert is_over() is True
    process.tell(Announce(replace(burst, attempt=1), "one", process.number()))
    assert is_over() is False
