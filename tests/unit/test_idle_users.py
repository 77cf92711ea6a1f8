"""What a user costs that waits: bytes and stacks, not seconds."""

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from locust import task

from loadgen.measure.sample import Outcome
from loadgen.users import AsyncUser, SyncUser, process_state
from tests.unit.stage import CountingStore, Stage, stage

BYTES_EACH = 8_000
"""Limit for an async user that waits. It has some 6,000, of which 1,000 are those of its task."""


class AsyncIdle(AsyncUser):
    @task
    async def wait_long(self) -> None:
        await asyncio.sleep(60)


class AsyncSearch(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


class SyncSearch(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())


BOTH = pytest.mark.parametrize("kind", [AsyncSearch, SyncSearch])


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def start(on: Stage, users: int) -> int:
    """Bytes that Python has allocated once this number of users runs."""
    on.start(users)
    on.wait_until(lambda: len(on.process_state.settled) == users, f"{users} users")
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.usefixtures("traced")
def test_an_async_user_that_waits_has_few_kilobytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_state, "DRAIN_SECONDS", 0.1)
    with stage(AsyncIdle) as on:
        few = start(on, 50)
        many = start(on, 350)
        on.stop()
    assert (many - few) / 300 < BYTES_EACH


@BOTH
def test_the_greenlet_of_a_user_has_no_stack_while_the_user_runs(kind: type[Any]) -> None:
    with stage(kind, store=CountingStore(seconds=0.05)) as on:
        on.start(5)
        on.wait_until(lambda: len(on.process_state.settled) == 5, "5 users")
        greenlets = list(on.runner.user_greenlets)
        assert [(one.gr_frame, one.ready(), one.dead) for one in greenlets] == [(None, False, False)] * 5
        assert {one.args[0].greenlet for one in greenlets} == set(greenlets)
        on.stop()
        assert all(one.ready() for one in greenlets)
        assert on.runner.user_count == 0


@BOTH
def test_a_user_that_locust_kills_after_its_stop_timeout_is_ended_and_its_operation_counted(kind: type[Any]) -> None:
    gate = threading.Event()
    store = CountingStore(gate=gate)
    with stage(kind, store=store) as on:
        on.environment.stop_timeout = 0.2
        on.start(3)
        on.wait_until(lambda: store.calls == 3, "3 operations in flight")
        on.stop()
        gate.set()
        assert [sample.outcome for sample in on.samples] == [Outcome.FAILED] * 3
        assert on.runner.user_count == 0
        assert not on.process_state.settled


def test_a_user_that_is_started_while_its_process_ends_does_nothing_and_leaves() -> None:
    store = CountingStore()
    with stage(AsyncSearch, store=store) as on:
        on.process_state.closed = True
        on.start(2)
        on.wait_until(lambda: on.runner.user_count == 0, "no users")
        assert store.calls == 0
