"""The states of a process, and when a run against a server that does not answer is given up."""

import pytest

from loadgen.control.states import ALLOWED, State, StateMachine
from loadgen.control.success_timeout import SuccessWatch, find_patience
from loadgen.settings.model import Settings

WAYS = [(one, other) for one in State for other in State]


def at(state: State) -> StateMachine:
    machine = StateMachine()
    machine.state = state
    return machine


def test_a_process_begins_idle() -> None:
    assert StateMachine().state is State.IDLE


@pytest.mark.parametrize(("one", "other"), WAYS)
def test_a_way_is_taken_where_it_is_allowed_and_is_an_error_elsewhere(one: State, other: State) -> None:
    machine = at(one)
    if other in ALLOWED[one]:
        machine.move(other)
        assert machine.state is other
    else:
        with pytest.raises(RuntimeError, match=f"no way from {one} to {other}"):
            machine.move(other)
        assert machine.state is one


def test_nothing_is_measured_without_preparation_and_a_failed_process_has_to_be_prepared_again() -> None:
    into = {state: {one for one in State if state in ALLOWED[one]} for state in State}
    assert into[State.MEASURING] == {State.READY, State.MEASURING}
    assert into[State.READY] == {State.PREPARING, State.DRAINING}
    assert ALLOWED[State.FAILED] == {State.PREPARING, State.IDLE, State.FAILED}
    assert all(State.PREPARING in ALLOWED[state] for state in State), "another run may always begin"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("preparing ready measuring draining ready measuring draining idle", True),
        ("preparing failed preparing ready idle", True),
        ("preparing ready measuring preparing ready", True),
        ("ready", False),
        ("preparing measuring", False),
        ("preparing ready measuring ready", False),
        ("preparing failed ready", False),
    ],
)
def test_the_lives_of_a_process(path: str, allowed: bool) -> None:
    machine = StateMachine()
    states = [State(name) for name in path.split()]
    for state in states[:-1]:
        machine.move(state)
    if allowed:
        machine.move(states[-1])
    else:
        with pytest.raises(RuntimeError):
            machine.move(states[-1])


Look = tuple[float, int, int, int]
"""Seconds, answered and failed so far, in flight."""


def judged(limit: float, looks: list[Look]) -> list[str]:
    watch = SuccessWatch(limit)
    watch.restart(0.0)
    return [watch.judge(*look) for look in looks]


@pytest.mark.parametrize(
    ("name", "limit", "looks", "last"),
    [
        ("answers come", 10, [(t, t, 0, 1) for t in range(1, 40)], ""),
        ("one answer in nine seconds", 10, [(t, t // 9, t, 1) for t in range(1, 40)], ""),
        ("only failures", 10, [(t, 0, 7 * t, 0) for t in range(12)], "no operation succeeded for 11 s, 77 failed"),
        ("they are counted from the last answer", 10, [(0, 5, 3, 0), *[(t, 5, 3 + t, 0) for t in range(1, 11)]],
         "no operation succeeded for 10 s, 10 failed"),
        ("nothing but waiting", 10, [(t, 0, 0, 8) for t in range(12)],
         "no operation succeeded for 11 s, 8 are waiting for an answer"),
        ("just before the limit", 10, [(0, 0, 0, 8), (9.9, 0, 0, 8)], ""),
        ("nobody tries anything", 10, [(t, 3, 2, 0) for t in range(100)], ""),
        ("after a long pause", 10, [*[(t, 3, 0, 0) for t in range(60)], (60, 3, 0, 1), (61, 3, 0, 1)], ""),
        ("after a long pause and the limit", 10, [*[(t, 3, 0, 0) for t in range(60)], (60, 3, 0, 1), (69.5, 3, 0, 1)],
         "no operation succeeded for 10 s, 1 are waiting for an answer"),
        ("a failure before a pause", 10, [(0, 3, 0, 0), (1, 3, 1, 0), (11, 3, 1, 0)],
         "no operation succeeded for 11 s, 1 failed"),
        ("0 never ends it", 0, [(t, 0, t, 8) for t in range(0, 10_000, 500)], ""),
    ],
)  # fmt: skip
def test_a_run_is_given_up_where_it_tries_and_nothing_succeeds(
    name: str, limit: float, looks: list[Look], last: str
) -> None:
    said = judged(limit, looks)
    assert said[-1] == last, name
    assert set(said[:-1]) <= {""} or last, name


def test_what_went_before_a_restart_says_nothing() -> None:
    watch = SuccessWatch(10)
    watch.restart(0.0)
    assert [watch.judge(t, 0, t, 0) for t in range(1, 10)] == [""] * 9
    watch.restart(9.5)
    assert [watch.judge(t, 0, t, 0) for t in range(10, 20)] == [""] * 10, "failures between phases are none of these"
    assert watch.judge(20, 0, 20, 0) == "no operation succeeded for 10 s, 10 failed"


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({"give_up_after": 30, "deadline": 5}, 30),
        ({"give_up_after": 30, "deadline": 60}, 61),
        ({"give_up_after": 0, "deadline": 60}, 0),
    ],
)
def test_nobody_gives_up_before_an_operation_could_have_met_its_deadline(
    given: dict[str, float], seconds: float
) -> None:
    assert find_patience(Settings.model_validate(given)) == seconds
