"""What users do to their phase: bursts that end, users and exceptions that are counted."""

import asyncio
import threading
from typing import Any, ClassVar

import pytest
from locust import task
from locust.exception import RescheduleTaskImmediately, StopUser

from loadgen.measure.errors import ErrorKind
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.users import AsyncUser, SyncUser
from tests.unit.stage import stage
from tests.unit.test_user_errors import AsyncFailing, exceptions


class Impatient(AsyncUser):
    weight = 1
    turns: ClassVar[list[int]] = []

    @task
    async def work(self) -> None:
        self.turns.append(1)
        raise RescheduleTaskImmediately


def test_a_user_that_always_wants_another_task_does_not_stop_the_loop() -> None:
    Impatient.turns.clear()
    with stage(Impatient) as on:
        on.start(1)
        on.wait_until(lambda: len(Impatient.turns) > 100, "some turns")

        async def other() -> str:
            return "there"

        assert on.loop.call(other()).result(20) == "there"
        on.stop()
        assert on.runner.user_count == 0


class Burst(SyncUser):
    style = "sync"
    how: ClassVar[str] = ""
    begun: ClassVar[list[str]] = []

    def on_start(self) -> None:
        if self.how == "on_start":
            raise ValueError("on_start")

    @task
    def all_of_them(self) -> None:
        self.begun.append(self.how)
        if self.how == "before":
            raise ValueError("before the burst")
        if self.how == "none":
            return
        with self.burst() as operations:
            operations[0]()
            if self.how == "within":
                raise SystemExit
            if self.how == "stop":
                raise StopUser


class AsyncBurst(AsyncUser):
    style = "async"
    how: ClassVar[str] = ""
    begun: ClassVar[list[str]] = []

    async def on_start(self) -> None:  # type: ignore[override] # Locust's awaits nothing
        if self.how == "on_start":
            raise ValueError("on_start")

    @task
    async def all_of_them(self) -> None:
        self.begun.append(self.how)
        if self.how == "before":
            raise ValueError("before the burst")
        if self.how == "none":
            return
        with self.burst() as operations:
            await operations[0]()
            if self.how == "within":
                raise SystemExit
            if self.how == "stop":
                raise StopUser


@pytest.mark.parametrize("kind", [Burst, AsyncBurst])
@pytest.mark.parametrize(
    ("how", "begun", "raised"),
    [
        ("before", 1, {"ValueError": 1}),
        ("none", 100, {"NoBurstError": 1}),
        ("on_start", 0, {"ValueError": 1}),
        ("within", 1, {"SystemExit": 1}),
        ("stop", 1, {}),
        ("good", 1, {}),
    ],
)
def test_the_phase_of_a_burst_is_over_when_its_user_is_however_that_ended(
    kind: type[Any], how: str, begun: int, raised: dict[str, int]
) -> None:
    kind.how = how
    kind.begun.clear()
    with stage(kind) as on:
        on.process_state.phase = Phase(5, kind.mode, 1, style=kind.style, operation="search", operations=3)
        on.start(1)
        on.wait_until(lambda: on.process_state.over == {5}, "the end of the phase")
        on.wait_until(lambda: on.runner.user_count == 0, "the end of its user")
        assert len(kind.begun) == begun
        assert {one.name: number for one, number in on.process_state.error_kinds.items()} == raised
        assert exceptions(on) == sum(raised.values())
        inside, outside = on.process_state.ledger.windows, on.process_state.ledger.errors_outside
        assert sum(one.errors.total for one in inside.values()) + outside.total == sum(raised.values())


class AsyncCounted(AsyncUser):
    leaving: ClassVar[threading.Event] = threading.Event()

    async def on_start(self) -> None:  # type: ignore[override] # Locust's awaits nothing
        if self.number % 4 == 3:
            raise ValueError("no start")

    @task
    async def work(self) -> None:
        await asyncio.sleep(0.01)
        if self.number % 4 == 0 and self.leaving.is_set():
            raise StopUser


def test_users_that_have_started_and_those_that_ended_by_themselves_are_counted_for_each_phase() -> None:
    AsyncCounted.leaving.clear()
    with stage(AsyncCounted) as on:
        on.process_state.begin_users()
        on.start(4)
        on.wait_until(lambda: len(on.process_state.started) == 3, "the users")
        on.wait_until(lambda: on.process_state.ended == {3}, "the one whose on_start failed")
        AsyncCounted.leaving.set()
        on.wait_until(lambda: on.process_state.ended == {0, 3}, "the one that leaves")
        assert on.process_state.started == {0, 1, 2}, "one that has left was there"
        assert on.process_state.settled == {1, 2}
        on.process_state.begin_users()
        assert (on.process_state.started, on.process_state.ended) == (set(), set())
        on.stop()
        assert on.process_state.ended == set(), "to be stopped is another thing"
        AsyncCounted.leaving.clear()
        on.start(2)
        on.wait_until(lambda: on.process_state.started == {4, 5}, "users of another phase")


def test_a_user_of_the_phase_before_that_ends_late_counts_no_more() -> None:
    AsyncCounted.leaving.clear()
    with stage(AsyncCounted) as on:
        on.process_state.begin_users()
        on.start(1)
        on.wait_until(lambda: on.process_state.started == {0}, "the user")
        on.process_state.begin_users()
        AsyncCounted.leaving.set()
        on.wait_until(lambda: on.runner.user_count == 0, "its end")
        assert (on.process_state.started, on.process_state.ended) == (set(), set())


def test_exceptions_are_counted_by_mode_and_kind_in_the_phase_in_which_they_were_raised() -> None:
    with stage(AsyncFailing) as on:
        reported: list[str] = []
        on.process_state.on_error = reported.append
        on.process_state.ledger.open(Phase(0, Mode.ASYNC, 1), 0.0)
        on.start(2)
        on.wait_until(lambda: on.runner.user_count == 0, "the users to be over")
        [(mode, kind, number)] = on.process_state.ledger.windows[0].errors
        assert (mode, kind.name, number) == (Mode.ASYNC, "ValueError", 16)
        assert isinstance(kind, ErrorKind)
        assert reported == [Mode.ASYNC] * 16


class HangingBurst(SyncUser):
    style = "sync"
    gate: ClassVar[threading.Event] = threading.Event()
    begun: ClassVar[threading.Event] = threading.Event()

    @task
    def all_of_them(self) -> None:
        self.begun.set()
        self.gate.wait(60)


def test_the_end_of_the_run_ends_a_burst_that_hangs_before_it_has_begun() -> None:
    with stage(HangingBurst) as on:
        on.process_state.phase = Phase(5, Mode.SYNC, 1, style="sync", operation="search", operations=3)
        on.start(1)
        on.wait_until(HangingBurst.begun.is_set, "its task")
        on.stop()
        HangingBurst.gate.set()
        assert on.runner.user_count == 0
        assert on.process_state.over == {5}
        assert on.process_state.ended == set()
