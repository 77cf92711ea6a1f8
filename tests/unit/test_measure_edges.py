"""A measured block at its edges: in users, past its deadline, used twice, and outlived by what it began."""

import asyncio
import time
from collections import Counter
from typing import Any

import numpy as np
import pytest
from locust import task

from loadgen.clients.base import ClosedError, UndeclaredError
from loadgen.measure.ledger import Ledger
from loadgen.measure.operation import OperationNameError
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome
from loadgen.results.phase_result import finalise
from loadgen.users import AsyncUser, SyncUser
from loadgen.users.measured_call import AsyncCall, Call
from tests.unit.stage import CountingStore, stage
from tests.unit.test_measure import MODES, Measured, nothing


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
        [(result, _)] = on.process_state.errors.counts.items()
        assert result.name == "UndeclaredError"


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
