"""Async and sync users behave as Locust's own users do, and lose no operation."""

import threading
import time
from itertools import count
from typing import Any, ClassVar

import pytest
from locust import constant, task
from locust.exception import StopUser

from loadgen.measure.sample import Mode, Outcome
from loadgen.settings.model import Settings
from loadgen.users import AsyncUser, SyncUser, process_state
from tests.unit.stage import CountingStore, stage


class AsyncSearch(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


class SyncSearch(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())


DRAIN_SECONDS = 1.2
"""An end of the run waits for 3 s; for those that never come back, a test waits less."""
BOTH = pytest.mark.parametrize("kind", [AsyncSearch, SyncSearch])


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_state, "DRAIN_SECONDS", DRAIN_SECONDS)


@BOTH
def test_every_operation_that_the_store_was_asked_becomes_one_sample_and_one_request_event(kind: type[Any]) -> None:
    store = CountingStore()
    with stage(kind, store=store) as on:
        on.start(8)
        on.wait_until(lambda: store.calls >= 200, "200 operations")
        on.stop()
        assert len(on.samples) == store.calls
        assert len(on.requests) == store.calls
        assert on.environment.stats.get("search", kind.mode.value).num_requests == store.calls
        assert {sample.outcome for sample in on.samples} == {Outcome.OK}
        assert all(sample.variant == kind.mode and sample.rows == 1 for sample in on.samples)


@BOTH
def test_the_request_event_has_unrounded_milliseconds(kind: type[Any]) -> None:
    with stage(kind) as on:
        on.start(1)
        on.wait_until(lambda: len(on.requests) >= 5, "5 operations")
        on.stop()
        for sample, event in zip(on.samples, on.requests, strict=True):
            assert event["response_time"] == (sample.finished - sample.started) * 1000
            assert event["request_type"] == kind.mode.value
            assert event["name"] == "search"
            assert event["response_length"] == 1


def test_all_async_users_share_one_thread_and_each_sync_user_has_its_own() -> None:
    for kind, threads in ((AsyncSearch, 1), (SyncSearch, 5)):
        store = CountingStore()
        with stage(kind, store=store) as on:
            on.start(5)
            on.wait_until(lambda store=store: store.calls >= 50, "50 operations")  # type: ignore[misc]
            on.stop()
            assert len(store.threads) == threads
            assert threading.get_ident() not in store.threads


@pytest.mark.parametrize(("kind", "users"), [(AsyncSearch, 1000), (SyncSearch, 200)])
def test_many_users_start_run_and_stop(kind: type[Any], users: int) -> None:
    store = CountingStore(seconds=0.2)
    with stage(kind, store=store) as on:
        on.start(users)
        on.wait_until(lambda: len(on.process_state.settled) == users, f"{users} users", within=60)
        on.wait_until(lambda: store.calls >= users, "an operation of each")
        on.stop()
        assert on.runner.user_count == 0
        assert not on.process_state.settled
        assert len(on.samples) == store.calls
        assert {sample.outcome for sample in on.samples} == {Outcome.OK}


@BOTH
def test_an_operation_under_way_at_the_stop_is_finished_and_counted(kind: type[Any]) -> None:
    gate = threading.Event()
    store = CountingStore(gate=gate)
    with stage(kind, store=store) as on:
        on.start(4)
        on.wait_until(lambda: store.calls == 4, "4 operations in flight")
        on.when_stopping(gate.set)
        on.stop()
        assert [sample.outcome for sample in on.samples] == [Outcome.OK] * 4
        assert store.calls == 4


@pytest.mark.usefixtures("impatient")
@BOTH
def test_an_operation_that_never_comes_back_is_counted_as_failed(kind: type[Any]) -> None:
    gate = threading.Event()
    with stage(kind, store=CountingStore(gate=gate)) as on:
        on.start(3)
        on.wait_until(
            lambda: sum(user.args[0].client.in_flight for user in on.runner.user_greenlets) == 3, "3 in flight"
        )
        on.stop()
        gate.set()
        assert [sample.outcome for sample in on.samples] == [Outcome.FAILED] * 3
        assert on.runner.user_count == 0
        assert sum(error.occurrences for error in on.environment.stats.errors.values()) == 3


@pytest.mark.usefixtures("impatient")
@BOTH
def test_between_phases_an_operation_is_waited_for_beyond_the_seconds_of_an_end(kind: type[Any]) -> None:
    gate = threading.Event()
    store = CountingStore(gate=gate)
    with stage(kind, store=store) as on:
        on.process_state.is_ending = lambda: False
        on.start(4)
        on.wait_until(lambda: store.calls == 4, "4 operations in flight")
        threading.Timer(DRAIN_SECONDS + 0.5, gate.set).start()
        on.stop()
        assert [sample.outcome for sample in on.samples] == [Outcome.OK] * 4
        assert on.runner.user_count == 0


@pytest.mark.usefixtures("impatient")
@BOTH
def test_an_end_of_the_run_ends_the_waiting_for_operations_between_phases(kind: type[Any]) -> None:
    gate = threading.Event()
    store = CountingStore(gate=gate)
    with stage(kind, store=store) as on:
        looks = count()
        on.process_state.is_ending = lambda: next(looks) > 4 * 2
        on.start(2)
        on.wait_until(lambda: store.calls == 2, "2 operations in flight")
        on.stop()
        gate.set()
        assert [sample.outcome for sample in on.samples] == [Outcome.FAILED] * 2
        assert next(looks) < 20, "asked again and again, and heeded"


@pytest.mark.usefixtures("impatient")
def test_operations_are_waited_for_as_long_as_their_deadline_and_no_longer() -> None:
    with stage(AsyncSearch) as on:
        on.process_state.is_ending = lambda: False
        on.process_state.settings = Settings(deadline=0.7)
        waits: list[float] = []

        def wait(within: float) -> bool:
            waits.append(within)
            time.sleep(within)
            return False

        assert on.process_state.patience == 1.7
        assert on.process_state.outlast(wait) is False
        assert waits[0] == DRAIN_SECONDS
        assert 1 <= len(waits[1:]) <= 3, "0.5 s are left"
        on.process_state.settings = Settings(deadline=0.1)
        assert on.process_state.patience == DRAIN_SECONDS


class Diary:
    """Takes part in both forms of the user below."""

    lines: ClassVar[list[str]]


class AsyncLife(AsyncUser):
    wait_time = constant(60)
    diary: ClassVar[list[str]] = []

    async def on_start(self) -> None:  # type: ignore[override] # Locust's awaits nothing
        self.diary.append("start")

    async def on_stop(self) -> None:
        self.diary.append("stop")

    @task
    async def work(self) -> None:
        self.diary.append("task")


class SyncLife(SyncUser):
    wait_time = constant(60)
    diary: ClassVar[list[str]] = []

    def on_start(self) -> None:
        self.diary.append("start")

    def on_stop(self) -> None:
        self.diary.append("stop")

    @task
    def work(self) -> None:
        self.diary.append("task")


@pytest.mark.parametrize("kind", [AsyncLife, SyncLife])
def test_a_stop_ends_the_pause_and_calls_on_stop(kind: type[Any]) -> None:
    kind.diary.clear()
    with stage(kind) as on:
        on.start(1)
        on.wait_until(lambda: kind.diary == ["start", "task"], "one task")
        on.stop()
        assert kind.diary == ["start", "task", "stop"]
        assert on.runner.user_count == 0


class AsyncFaulty(AsyncUser):
    turns = 0

    @task
    async def work(self) -> None:
        self.turns += 1
        if self.turns == 4:
            raise StopUser
        raise ValueError("a fault of the task")


class SyncFaulty(SyncUser):
    turns = 0

    @task
    def work(self) -> None:
        self.turns += 1
        if self.turns == 4:
            raise StopUser
        raise ValueError("a fault of the task")


@pytest.mark.parametrize("kind", [AsyncFaulty, SyncFaulty])
def test_a_task_that_raises_is_counted_told_once_and_the_user_goes_on(
    kind: type[Any], caplog: pytest.LogCaptureFixture
) -> None:
    with stage(kind) as on:
        on.start(2)
        on.wait_until(lambda: on.runner.user_count == 0, "both users to raise StopUser")
        on.stop()
        assert [row["count"] for row in on.runner.exceptions.values()] == [6]
        assert list(on.process_state.error_kinds.values()) == [6]
    reported = [record for record in caplog.records if "a fault of the task" in record.getMessage()]
    assert len(reported) == 1
    assert "Traceback" in reported[0].getMessage()


class SlowTask(SyncUser):
    done: ClassVar[list[Mode]] = []

    @task
    def work(self) -> None:
        for _ in range(3):
            self.client.search(self.next_query())
        self.done.append(self.mode)


def test_a_stop_timeout_lets_the_whole_task_finish() -> None:
    SlowTask.done.clear()
    gate = threading.Event()
    store = CountingStore(gate=gate)
    with stage(SlowTask, store=store) as on:
        on.environment.stop_timeout = 15
        on.start(1)
        on.wait_until(lambda: store.calls == 1, "the first operation")
        on.when_stopping(gate.set)
        on.stop()
        assert SlowTask.done == [Mode.SYNC]
        assert len(on.samples) == store.calls == 3


def test_a_user_without_the_plugin_says_what_is_missing() -> None:
    from locust.env import Environment

    with pytest.raises(RuntimeError, match=r"plug\(events\)"):
        AsyncSearch(Environment(user_classes=[AsyncSearch]))


@BOTH
def test_a_user_that_is_spawned_while_the_process_ends_does_nothing(kind: type[Any]) -> None:
    store = CountingStore()
    with stage(kind, store=store) as on:
        on.process_state.closed = True
        on.start(3)
        on.wait_until(lambda: on.runner.user_count == 0, "all three to be over")
        on.stop()
        assert (store.calls, on.samples) == (0, [])
