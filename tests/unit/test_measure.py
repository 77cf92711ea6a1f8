"""Calls of a locustfile's own are timed like the client's: in both modes, with stages, deadlines and parts."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from locust import task
from locust.exception import RescheduleTaskImmediately, StopUser

from loadgen.clients.base import ClosedError, UndeclaredError, UnfinishedError
from loadgen.clients.llamaindex import AsyncClient, SyncClient
from loadgen.measure.ledger import Ledger
from loadgen.measure.operation import NAMES_AT_MOST, STAGES_AT_MOST, Operation, OperationNameError
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.results.phase_result import finalise
from loadgen.users import AsyncUser, SyncUser
from loadgen.users.measured_call import AsyncCall, Call, SyncCall
from tests.unit.stage import CountingStore, stage

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


class AsyncAsk(AsyncUser):
    @task
    async def ask(self) -> None:
        async with self.measure("ask") as call:
            await self.client.search(self.next_query())
            call.stage("retrieve", 0.001)


class SyncAsk(SyncUser):
    @task
    def ask(self) -> None:
        with self.measure("ask") as call:
            self.client.search(self.next_query())
            call.stage("retrieve", 0.001)


@pytest.mark.parametrize("kind", [AsyncAsk, SyncAsk])
def test_totals_count_the_block_alone(kind: type[Any]) -> None:
    store = CountingStore()
    with stage(kind, store=store) as on:
        on.start(4)
        on.wait_until(lambda: store.calls >= 100, "100 operations")
        on.stop()
        counts = Counter((sample.operation, sample.nested) for sample in on.samples)
        assert counts == {("ask", False): store.calls, ("search", True): store.calls}
        assert on.environment.stats.total.num_requests == store.calls, "Locust adds up all rows"
        ledger = Ledger()
        first = min(sample.started for sample in on.samples)
        ledger.open(Phase(0, kind.mode, 4, seconds=600.0), first, first + 600.0)
        ledger(on.samples)
        assert (ledger.answered, ledger.failed) == (store.calls, 0)
        record = finalise(ledger.windows[0]).record
        by_name = {part.operation: part for part in record.operations}
        assert by_name["search"].nested == by_name["search"].outcomes == {Outcome.OK: store.calls}
        assert by_name["ask"].nested == {}
        assert by_name["ask"].stages["retrieve"].p50 == pytest.approx(0.001, rel=0.01)


class SyncSearch(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())


def test_an_operation_that_a_class_leaves_out_is_refused() -> None:
    kind = type("Searching", (SyncSearch,), {"operations": ("ask",)})
    with stage(kind) as on:
        on.start(1)
        on.wait_until(lambda: bool(on.process_state.errors.counts), "the first task")
        on.stop()
        assert on.samples == []
        [(found, _)] = on.process_state.errors.counts.items()
        assert found.name == "UndeclaredError"


@MODES
def test_past_the_deadline_the_outcome_is_a_timeout_whatever_the_block_says(mode: Mode) -> None:
    def fail(call: Call, _client: Any) -> None:
        time.sleep(0.05)
        call.fail("nothing was retrieved")

    def raise_late(_call: Call, _client: Any) -> None:
        time.sleep(0.05)
        raise ValueError("no")

    on = Measured(mode, deadline=0.02)
    on.run(fail)
    on.run(raise_late)
    assert [sample.outcome for sample in on.samples] == [Outcome.TIMEOUT, Outcome.TIMEOUT]


def test_a_search_that_the_deadline_of_its_block_cancels_is_a_timeout_too() -> None:
    on = Measured(Mode.ASYNC, deadline=0.02, seconds=30)
    on.run(lambda _call, client: client.search(None))
    assert [(one.operation, one.outcome) for one in on.samples] == [
        ("search", Outcome.TIMEOUT),
        ("ask", Outcome.TIMEOUT),
    ]


@MODES
@pytest.mark.parametrize(("rows", "raised"), [(None, TypeError), (2.0, TypeError), ("3", TypeError), (-1, ValueError)])
def test_rows_are_a_whole_number(mode: Mode, rows: Any, raised: type[Exception]) -> None:
    def ask(call: Call, _client: Any) -> None:
        with pytest.raises(raised):
            call.rows = rows
        call.rows = np.int64(5)

    on = Measured(mode)
    on.run(ask)
    assert [(sample.rows, type(sample.rows)) for sample in on.samples] == [(5, int)]


@MODES
def test_a_call_is_used_once_and_what_it_reports_later_changes_no_sample(mode: Mode) -> None:
    on = Measured(mode)
    call = on.run(lambda call, _client: call.stage("embed", 0.5))
    call.stage("embed", 0.5)
    assert on.samples[0].stages == {"embed": 0.5}
    with pytest.raises(RuntimeError, match="used once"):
        call._begin()


@MODES
def test_the_names_of_the_clients_operations_are_the_clients(mode: Mode) -> None:
    on = Measured(mode)
    with pytest.raises(OperationNameError, match="'search' is timed by the client itself"):
        on.run(nothing, "search")


def test_what_outlives_its_block_is_not_part_of_it() -> None:
    on = Measured(Mode.ASYNC, seconds=0.001)

    async def search_after(event: asyncio.Event) -> None:
        await event.wait()
        await on.client.search(None)

    async def outlive() -> None:
        over, closed = asyncio.Event(), asyncio.Event()
        async with AsyncCall(on.client, "ask", 10.0):
            outliving = [asyncio.create_task(search_after(event)) for event in (over, closed)]
            await asyncio.sleep(0)
        over.set()
        await outliving[0]
        on.client.close()
        closed.set()
        with pytest.raises(ClosedError):
            await outliving[1]

    asyncio.run(outlive())
    assert [(one.operation, one.nested) for one in on.samples] == [("ask", False), ("search", False)]


def test_a_block_in_a_generator_that_is_left_early_is_counted() -> None:
    on = Measured(Mode.ASYNC)

    async def tokens() -> Any:
        async with AsyncCall(on.client, "ask", 10.0):
            for number in range(10):
                yield number

    async def leave_early() -> None:
        async for _ in tokens():
            break
        await asyncio.sleep(0.01)  # the loop closes the generator
        await on.client.search(None)

    asyncio.run(leave_early())
    assert [(one.operation, one.nested) for one in on.samples] == [("ask", False), ("search", False)]
    assert on.client.in_flight == 0


@MODES
def test_what_is_refused_spoils_no_recall(mode: Mode) -> None:
    on = Measured(mode)
    on.client.refused = frozenset({"insert"})
    insert = on.client.insert if mode is Mode.SYNC else lambda nodes: asyncio.run(on.client.insert(nodes))
    with pytest.raises(UndeclaredError):
        insert([])
    assert on.client._checks.changed_at is None
