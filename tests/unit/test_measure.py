"""Calls of a locustfile's own are timed like the client's: in both modes, with stages, deadlines and parts."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from locust.exception import RescheduleTaskImmediately, StopUser

from loadgen.clients.base import ClosedError, UnfinishedError
from loadgen.clients.llamaindex import AsyncClient, SyncClient
from loadgen.measure.operation import NAMES_AT_MOST, STAGES_AT_MOST, Operation, OperationNameError
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.users.measured_call import AsyncCall, Call, SyncCall
from tests.unit.stage import CountingStore

MODES = pytest.mark.parametrize("mode", list(Mode))
Within = Callable[[Call, Any], Any]


class Measured:
    """One client and its samples; `run` measures a block, the same one in both modes."""

    def __init__(self, mode: Mode, deadline: float = 10.0, seconds: float = 0.0) -> None:
        self.samples: list[Sample] = []
        self.store = CountingStore(seconds)
        kind: type[Any] = SyncClient if mode is Mode.SYNC else AsyncClient
        self.client: Any = kind(self.store, self.samples.append)
        self.mode = mode
        self.deadline = deadline

    def run(self, within: Within, operation: str = "ask") -> Call:
        """`within` may return something to await, or what it calls may be blocking."""
        if self.mode is Mode.SYNC:
            with SyncCall(self.client, operation, self.deadline) as call:
                within(call, self.client)
            return call

        async def measure() -> Call:
            async with AsyncCall(self.client, operation, self.deadline) as call:
                answer = within(call, self.client)
                if asyncio.iscoroutine(answer):
                    await answer
            return call

        return asyncio.run(measure())


def nothing(_call: Call, _client: Any) -> None:
    """Do nothing."""


@MODES
def test_a_block_is_one_sample_with_its_rows_and_stages(mode: Mode) -> None:
    def ask(call: Call, _client: Any) -> None:
        call.rows = 3
        call.stage("embed", 0.5)
        call.stage("embed", 0.25)
        call.stage("generate", 1.5)
        time.sleep(0.01)

    on = Measured(mode)
    on.run(ask)
    [sample] = on.samples
    assert (sample.variant, sample.operation, sample.outcome, sample.rows) == (mode, "ask", Outcome.OK, 3)
    assert sample.stages == {"embed": 0.75, "generate": 1.5}
    assert sample.service_seconds >= 0.01
    assert (sample.nested, sample.error, on.client.in_flight) == (False, None, 0)


@MODES
@pytest.mark.parametrize(
    ("raised", "outcome"),
    [(ValueError("no"), Outcome.REJECTED), (TimeoutError(), Outcome.TIMEOUT), (RuntimeError("no"), Outcome.FAILED)],
)
def test_an_exception_becomes_the_outcome(mode: Mode, raised: Exception, outcome: Outcome) -> None:
    def ask(_call: Call, _client: Any) -> None:
        raise raised

    on = Measured(mode)
    on.run(ask)
    [sample] = on.samples
    assert (sample.outcome, sample.error, sample.rows) == (outcome, raised, 0)


@MODES
def test_a_call_may_fail_or_be_empty_although_nothing_was_raised(mode: Mode) -> None:
    on = Measured(mode)
    on.run(lambda call, _: call.fail("no sources"))

    def find_nothing(call: Call, _client: Any) -> None:
        call.rows = 0

    on.run(find_nothing)
    assert [(sample.outcome, str(sample.error)) for sample in on.samples] == [
        (Outcome.FAILED, "no sources"),
        (Outcome.EMPTY, "None"),
    ]


def test_the_deadline_cancels_a_coroutine() -> None:
    on = Measured(Mode.ASYNC, deadline=0.02)
    begun = time.perf_counter()
    on.run(lambda _call, _client: asyncio.sleep(30))
    assert time.perf_counter() - begun < 25, "it was cancelled, not waited for"
    assert [sample.outcome for sample in on.samples] == [Outcome.TIMEOUT]


def test_past_the_deadline_a_blocking_call_is_a_timeout_when_it_returns() -> None:
    on = Measured(Mode.SYNC, deadline=0.02)
    on.run(lambda _call, _client: time.sleep(0.05))
    [sample] = on.samples
    assert sample.outcome is Outcome.TIMEOUT
    assert sample.service_seconds >= 0.05


@MODES
def test_what_the_client_does_within_is_a_sample_of_its_own_and_part_of_the_block(mode: Mode) -> None:
    on = Measured(mode)
    seen: list[int] = []

    def ask(_call: Call, client: Any) -> Any:
        seen.append(client.in_flight)
        return client.search(None)

    call = on.run(ask)
    assert [(one.operation, one.nested) for one in on.samples] == [("search", True), ("ask", False)]
    assert (seen, call.samples) == ([1], 1)
    on.run(nothing)
    assert not on.samples[-1].nested, "the block before is over"


def test_tasks_that_are_made_within_are_part_of_the_block() -> None:
    on = Measured(Mode.ASYNC)
    on.run(lambda _call, client: asyncio.wait_for(asyncio.gather(client.search(None), client.search(None)), 5))
    assert Counter(sample.nested for sample in on.samples) == {True: 2, False: 1}


@MODES
def test_the_block_takes_the_moment_at_which_the_operation_was_due(mode: Mode) -> None:
    on = Measured(mode)
    on.client.due = 5.0
    on.run(lambda _call, client: client.search(None))
    search, ask = on.samples
    assert (ask.scheduled, search.scheduled == search.started, on.client.due) == (5.0, True, None)


@MODES
@pytest.mark.parametrize("flow", [RescheduleTaskImmediately, StopUser])
def test_what_steers_a_task_is_no_outcome(mode: Mode, flow: type[Exception]) -> None:
    def leave(_call: Call, _client: Any) -> None:
        raise flow

    on = Measured(mode)
    on.client.due = 5.0
    with pytest.raises(flow):
        on.run(leave)
    assert (on.samples, on.client.in_flight, on.client.due) == ([], 0, 5.0)


@MODES
def test_a_block_that_is_left_after_something_was_measured_counts(mode: Mode) -> None:
    def leave(_call: Call, client: Any) -> Any:
        async def search() -> None:
            await client.search(None)
            raise StopUser

        if mode is Mode.ASYNC:
            return search()
        client.search(None)
        raise StopUser

    on = Measured(mode)
    with pytest.raises(StopUser):
        on.run(leave)
    assert [(one.operation, one.outcome) for one in on.samples] == [("search", Outcome.OK), ("ask", Outcome.OK)]


@MODES
def test_a_block_in_which_another_one_was_given_up_has_measured_nothing(mode: Mode) -> None:
    on = Measured(mode)

    def pick(_call: Call, client: Any) -> Any:
        async def inner() -> None:
            async with AsyncCall(client, "pick", 10.0):
                raise RescheduleTaskImmediately

        if mode is Mode.ASYNC:
            return inner()
        with SyncCall(client, "pick", 10.0):
            raise RescheduleTaskImmediately

    with pytest.raises(RescheduleTaskImmediately):
        on.run(pick)
    assert (on.samples, on.client.in_flight) == ([], 0)


@MODES
def test_a_block_goes_on_to_its_end_although_its_user_is_to_end(mode: Mode) -> None:
    def ask(_call: Call, client: Any) -> Any:
        client.close()
        return client.search(None)

    on = Measured(mode)
    on.run(ask)
    assert [sample.outcome for sample in on.samples] == [Outcome.OK, Outcome.OK]
    with pytest.raises(ClosedError):
        on.run(nothing)


@MODES
def test_a_block_that_is_abandoned_fails_once_and_refuses_more(mode: Mode) -> None:
    def ask(_call: Call, client: Any) -> Any:
        assert client.abandon() == 1
        return client.search(None)

    on = Measured(mode)
    with pytest.raises(ClosedError):
        on.run(ask)
    [sample] = on.samples
    assert isinstance(sample.error, UnfinishedError)


@MODES
def test_a_cancelled_block_is_a_failure_and_the_cancellation_goes_on(mode: Mode) -> None:
    def cancel(_call: Call, _client: Any) -> None:
        raise asyncio.CancelledError

    on = Measured(mode)
    with pytest.raises(asyncio.CancelledError):
        on.run(cancel)
    assert [(one.outcome, str(one.error)) for one in on.samples] == [
        (Outcome.FAILED, "no answer when the user was ended")
    ]


@MODES
def test_names_are_bounded(mode: Mode) -> None:
    on = Measured(mode)
    for number in range(NAMES_AT_MOST - 3):  # search, insert and delete are names, too
        on.run(nothing, f"ask_{number}")
    with pytest.raises(OperationNameError, match="'one_more' would be name 33 of a run that may have 32: use one name"):
        on.run(nothing, "one_more")
    on.run(nothing, "ask_0")
    assert len(on.samples) == NAMES_AT_MOST - 2


@MODES
def test_stages_are_bounded_and_are_durations(mode: Mode) -> None:
    def report(call: Call, _client: Any) -> None:
        for number in range(STAGES_AT_MOST):
            call.stage(f"part_{number}", 0.1)
        with pytest.raises(OperationNameError, match="name 33 of a run that may have 32"):
            call.stage("one_more", 0.1)
        for seconds in (-1.0, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="give a number of 0 or more"):
                call.stage("part_0", seconds)

    on = Measured(mode)
    on.run(report)
    assert len(on.samples[0].stages) == STAGES_AT_MOST


@pytest.mark.parametrize("name", ["", "Ask", "ask it", "1st", "ask/search", "x" * 41, None, 7])
def test_a_name_is_a_lower_case_word(name: Any) -> None:
    for make in (
        lambda: Operation(name),
        lambda: Operation("ask", stages=(name,)),
        lambda: Measured(Mode.SYNC).run(nothing, name),
    ):
        with pytest.raises(OperationNameError, match="is not a name of a"):
            make()
