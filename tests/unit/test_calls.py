"""A command is repeated until it is answered, and carried out once."""

from asyncio import CancelledError
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent import GreenletExit

from loadgen.control import calls
from loadgen.control.calls import Caller, Responder
from loadgen.control.messages import Answer, Command, CountUsers, Drain, IsOver, Prepare

Sent = list[tuple[str, Command]]


@pytest.fixture
def sent() -> Sent:
    return []


@pytest.fixture
def caller(sent: Sent) -> Caller:
    return Caller(lambda agent, command: sent.append((agent, command)))


def test_a_call_has_one_number_for_all_agents_and_numbers_never_start_again(caller: Caller, sent: Sent) -> None:
    caller.finish(caller.begin("one", {"a": CountUsers(), "b": Drain()}))
    caller.finish(caller.begin("two", {"a": CountUsers()}))
    assert sent == [("a", CountUsers("one", 1)), ("b", Drain("one", 1)), ("a", CountUsers("two", 2))]


def test_only_those_that_have_not_answered_are_told_again(caller: Caller, sent: Sent) -> None:
    call = caller.begin("one", {"a": CountUsers(), "b": CountUsers(), "c": CountUsers()})
    assert caller.receive("b", Answer("one", 1, 5))
    assert call.pending == {"a", "c"}
    sent.clear()
    caller.repeat(call)
    assert sent == [("a", CountUsers("one", 1)), ("c", CountUsers("one", 1))]


def test_values_and_errors_are_apart(caller: Caller) -> None:
    call = caller.begin("one", {"a": CountUsers(), "b": CountUsers(), "c": CountUsers()})
    caller.receive("a", Answer("one", 1, 0))
    caller.receive("b", Answer("one", 1, None, "no stores"))
    assert (call.values, call.errors, call.pending) == ({"a": 0}, {"b": "no stores"}, {"c"})


def test_the_first_answer_counts(caller: Caller) -> None:
    call = caller.begin("one", {"a": CountUsers()})
    caller.receive("a", Answer("one", 1, 5))
    caller.receive("a", Answer("one", 1, 6))
    assert call.values == {"a": 5}


@pytest.mark.parametrize(
    ("agent", "answer"),
    [
        ("x", Answer("one", 1, 5)),
        ("a", Answer("earlier", 1, 5)),
        ("a", Answer("two", 1, 5)),
        ("a", Answer("one", 2, 5)),
        ("a", Answer("one", 0, 5)),
    ],
)
def test_an_answer_that_nobody_waits_for_is_dropped(caller: Caller, agent: str, answer: Answer) -> None:
    call = caller.begin("one", {"a": CountUsers()})
    assert not caller.receive(agent, answer)
    assert call.answers == {}


def test_an_answer_after_the_end_of_its_call_is_dropped(caller: Caller) -> None:
    call = caller.begin("one", {"a": CountUsers()})
    caller.finish(call)
    caller.finish(call)
    assert not caller.receive("a", Answer("one", 1, 5))


class Executed(list[Command]):
    """What was carried out; `act` is how."""

    def __init__(self) -> None:
        super().__init__()
        self.act: Callable[[Command], Any] = lambda _command: len(self)

    def __call__(self, command: Command) -> Any:
        self.append(command)
        return self.act(command)


@pytest.fixture
def executed() -> Executed:
    return Executed()


@pytest.fixture
def responder(executed: Executed) -> Responder:
    """Prepared for run one by command 5."""
    made = Responder(executed)
    made.receive(Prepare({}, "one", 5))
    executed.clear()
    return made


def test_a_repeated_command_has_the_same_answer_and_is_carried_out_once(
    responder: Responder, executed: Executed
) -> None:
    answers = [responder.receive(CountUsers("one", 6)) for _ in range(3)]
    assert answers == [Answer("one", 6, 1)] * 3
    assert len(executed) == 1


def test_a_command_that_failed_is_not_tried_again(responder: Responder, executed: Executed) -> None:
    def fail(_command: Command) -> None:
        raise ValueError("no such mode")

    executed.act = fail
    assert [responder.receive(Drain("one", 6)) for _ in range(2)] == [Answer("one", 6, None, "no such mode")] * 2
    assert len(executed) == 1


def test_a_command_that_is_being_carried_out_has_no_answer_yet(responder: Responder, executed: Executed) -> None:
    gate = gevent.event.Event()
    executed.act = lambda _command: gate.wait()
    first = gevent.spawn(responder.receive, Drain("one", 6))
    gevent.sleep(0)
    assert responder.receive(Drain("one", 6)) is None
    gate.set()
    assert first.get(timeout=10) == Answer("one", 6, True)
    assert responder.receive(Drain("one", 6)) == Answer("one", 6, True)
    assert len(executed) == 1


@pytest.mark.parametrize("run_id", ["earlier", "later", ""])
def test_a_command_of_another_run_is_an_error_and_not_carried_out(
    responder: Responder, executed: Executed, run_id: str
) -> None:
    answer = responder.receive(Drain(run_id, 6))
    assert answer == Answer(run_id, 6, None, "this process is prepared for run one")
    assert executed == []


def test_a_process_that_was_never_prepared_does_nothing(executed: Executed) -> None:
    assert Responder(executed).receive(Drain("one", 1)) == Answer(
        "one", 1, None, "this process is prepared for run none"
    )
    assert executed == []


def test_another_run_begins_with_a_later_number_and_a_late_word_of_an_earlier_one_changes_nothing(
    responder: Responder, executed: Executed
) -> None:
    responder.receive(Prepare({}, "two", 9))
    executed.clear()
    assert responder.receive(Prepare({}, "one", 5)) == Answer("one", 5, 1), "the answer that it had"
    assert responder.receive(Prepare({}, "lost", 7)) is None
    assert responder.run_id == "two"
    assert executed == []
    answer = responder.receive(IsOver(3, "two", 10))
    assert answer is not None
    assert answer.error == ""


def test_answers_that_are_remembered_are_bounded_and_their_commands_are_still_carried_out_once(
    responder: Responder, executed: Executed
) -> None:
    for number in range(6, 2_006):
        responder.receive(IsOver(number, "one", number))
    assert len(responder._answers) == calls.ANSWERS_KEPT
    executed.clear()
    again = [responder.receive(IsOver(number, "one", number)) for number in range(6, 2_006)]
    assert executed == []
    assert [answer is not None for answer in again] == [False] * (2_000 - calls.ANSWERS_KEPT) + [
        True
    ] * calls.ANSWERS_KEPT


def test_numbers_that_are_remembered_are_bounded(responder: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "NUMBERS_KEPT", 300)
    for number in range(6, 2_006):
        responder.receive(IsOver(number, "one", number))
    assert len(responder._done) == 300


@pytest.mark.parametrize("error", [SystemExit("a library gives up"), CancelledError("a library gives up")])
def test_what_is_no_exception_is_the_answer_too(error: BaseException) -> None:
    def fail(_: Command) -> None:
        raise error

    answer = Responder(fail).receive(Prepare({}, run_id="one", sequence=1))
    assert answer is not None
    assert answer.error == f"{type(error).__name__}: a library gives up"


@pytest.mark.parametrize("error", [KeyboardInterrupt, GreenletExit])
def test_the_word_to_end_is_no_answer(error: type[BaseException]) -> None:
    def end(_: Command) -> None:
        raise error

    with pytest.raises(error):
        Responder(end).receive(Prepare({}, run_id="one", sequence=1))
