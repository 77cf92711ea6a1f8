"""What goes wrong in one user ends or slows that one alone; it is counted, and nobody waits for it."""

import asyncio
import sys
import threading
from collections import Counter
from typing import Any, ClassVar

import pytest
from locust import task
from locust.exception import StopUser

from loadgen.measure.sample import Outcome
from loadgen.runtime.loop import LoopDiedError
from loadgen.settings.model import Settings
from loadgen.users import AsyncUser, SyncUser
from loadgen.users.task_loop import pause_after
from tests.unit.stage import CountingStore, Stage, stage
from tests.unit.test_dispatcher import playing

ESCAPES = (SystemExit, KeyboardInterrupt, GeneratorExit, BaseException, asyncio.CancelledError)


class Plan:
    """What the users below do: the first of them raises in its third task."""

    error: ClassVar[type[BaseException]] = SystemExit
    stopped: ClassVar[list[int]] = []
    turns: ClassVar[Counter[int]] = Counter()

    @classmethod
    def begin(cls, error: type[BaseException] = SystemExit) -> None:
        cls.error = error
        cls.stopped.clear()
        cls.turns.clear()

    @classmethod
    def act(cls, user: int) -> None:
        cls.turns[user] += 1
        if user == 0 and cls.turns[user] == 3:
            raise cls.error


class AsyncEscaping(AsyncUser):
    async def on_stop(self) -> None:
        Plan.stopped.append(self.number)

    @task
    async def search(self) -> None:
        Plan.act(self.number)
        await self.client.search(self.next_query())


class SyncEscaping(SyncUser):
    def on_stop(self) -> None:
        Plan.stopped.append(self.number)

    @task
    def search(self) -> None:
        Plan.act(self.number)
        self.client.search(self.next_query())


def exceptions(on: Stage) -> int:
    """As Locust counts them, whose exit code they decide."""
    counts: list[int] = [row["count"] for row in on.runner.exceptions.values()]
    return sum(counts)


@pytest.mark.parametrize("error", ESCAPES)
@pytest.mark.parametrize("kind", [AsyncEscaping, SyncEscaping])
def test_what_is_no_exception_ends_its_user_alone_and_is_counted_and_logged(
    kind: type[Any], error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    Plan.begin(error)
    store = CountingStore()
    with stage(kind, store=store) as on:
        on.start(4)
        on.wait_until(lambda: on.runner.user_count == 3, "the end of the one user")
        assert Plan.stopped == [0], "it has ended in good order"
        assert on.process_state.ended == {0}
        so_far = store.calls
        on.wait_until(lambda: store.calls >= so_far + 60, "the others to go on")
        assert on.runner.user_count == 3
        on.stop()
        assert len(on.samples) == store.calls
        assert exceptions(on) == 1
        [(counted, number)] = on.process_state.error_kinds.items()
        assert (counted.name, number) == (error.__name__, 1)
        assert counted.place.startswith("test_user_errors.py:")
        assert on.process_state.ended == {0}, "the others were stopped"
    reported = [one.getMessage() for one in caplog.records if "raised in a task" in one.getMessage()]
    assert len(reported) == 1
    assert "Traceback" in reported[0]


class AsyncChild(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())
        if self.number == 0:
            await asyncio.gather(self._leave())

    async def _leave(self) -> None:
        sys.exit(3)


def test_a_child_task_that_exits_ends_its_user_and_not_the_loop() -> None:
    store = CountingStore()
    with stage(AsyncChild, store=store) as on:
        on.start(3)
        on.wait_until(lambda: on.runner.user_count == 2, "the end of the one user")
        so_far = store.calls
        on.wait_until(lambda: store.calls >= so_far + 40, "the others to go on")
        assert on.loop.alive
        on.stop()
        assert exceptions(on) == 1


class AsyncBadStart(AsyncEscaping):
    async def on_start(self) -> None:  # type: ignore[override] # Locust's awaits nothing
        raise SystemExit


class SyncBadWait(SyncEscaping):
    def wait_time(self) -> float:
        if self.number == 1:
            raise SystemExit
        return 0.0


@pytest.mark.parametrize("kind", [AsyncBadStart, SyncBadWait])
def test_also_outside_of_a_task_it_ends_one_user_and_leaves_no_one_waiting(kind: type[Any]) -> None:
    Plan.begin(StopUser)
    with stage(kind) as on:
        on.start(2)
        on.wait_until(lambda: on.runner.user_count == 0, "both users to be over")
        assert exceptions(on) == (2 if kind is AsyncBadStart else 1)
        assert on.process_state.ended == {0, 1}
        assert on.process_state.started == (set() if kind is AsyncBadStart else {0, 1})


class AsyncExitingArrivals(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())
        raise SystemExit


class SyncExitingArrivals(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())
        raise SystemExit


@pytest.mark.parametrize("kind", [AsyncExitingArrivals, SyncExitingArrivals])
def test_an_arrival_that_exits_leaves_its_place_to_the_next(kind: type[Any]) -> None:
    with stage(kind) as on:
        on.process_state.settings = Settings(max_in_flight=2, max_wait=10)
        with playing(on, kind):
            pass
        assert on.process_state.ledger.windows[0].flow.offered == 50
        assert len(on.samples) >= 10, "with two places that would have been gone after two"
        assert exceptions(on) == len(on.samples)
        assert list(on.process_state.error_kinds.values()) == [len(on.samples)]


class AsyncStopping(AsyncUser):
    stopping: ClassVar[threading.Event] = threading.Event()

    @task
    async def search(self) -> None:
        if self.stopping.is_set() and self.number == 0:
            asyncio.get_running_loop().stop()
        await self.client.search(self.next_query())


def test_the_users_of_a_loop_that_a_task_stops_end_at_once_with_all_they_did_counted() -> None:
    AsyncStopping.stopping.clear()
    store = CountingStore()
    with stage(AsyncStopping, store=store) as on:
        died: list[bool] = []
        on.loop.on_death = lambda: died.append(on.loop.alive)
        on.start(4)
        on.wait_until(lambda: store.calls >= 40, "some operations")
        AsyncStopping.stopping.set()
        on.wait_until(lambda: bool(died), "word of the loop's death")
        on.wait_until(lambda: on.runner.user_count == 0, "the users to be over")
        assert died == [False]
        assert on.queue.flush()
        assert len(on.samples) == store.calls
        assert {one.outcome for one in on.samples} == {Outcome.OK, Outcome.FAILED}
        assert exceptions(on) == 0, "nothing that the users did"
        on.stop()
        on.start(2)
        on.wait_until(lambda: on.runner.user_count == 0, "users of a dead loop to be over")
        assert exceptions(on) == 2
        assert {kind.name for kind in on.process_state.error_kinds} == {LoopDiedError.__name__}


class Wrapper:
    """A client of the locustfile's own: it has only what its tasks call."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def search(self, query: Any) -> Any:
        return await self._inner.search(query)


class AsyncWrapped(AsyncUser):
    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.client = Wrapper(self.client)

    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


def test_a_client_of_the_users_own_is_stopped_and_its_operations_in_flight_are_seen() -> None:
    gate = threading.Event()
    store = CountingStore(gate=gate)
    with stage(AsyncWrapped, store=store) as on:
        on.start(3)
        on.wait_until(lambda: store.calls == 3, "3 operations")
        assert sum(one.args[0].timed_client.in_flight for one in on.runner.user_greenlets) == 3
        on.when_stopping(gate.set)
        on.stop()
        assert [one.outcome for one in on.samples] == [Outcome.OK] * 3


def test_an_operation_through_a_wrapper_is_due_when_its_arrival_is() -> None:
    with stage(AsyncWrapped, store=CountingStore(seconds=0.02)) as on:
        on.process_state.settings = Settings(max_in_flight=4, max_wait=10)
        with playing(on, AsyncWrapped) as made:
            on.wait_until(lambda: made.operations > 0, "one in flight")
        first = min(one.scheduled for one in on.samples)
        due = sorted(round((one.scheduled - first) * 100, 6) for one in on.samples)
        assert due == list(range(len(on.samples))), "by the schedule"
        assert on.process_state.ledger.windows[0].flow.dropped == 0
        assert made.operations == 0


class AsyncFailing(AsyncUser):
    pauses: ClassVar[list[float]] = []
    turns = 0

    @task
    async def work(self) -> None:
        self.turns += 1
        if self.turns not in (7, 10):
            raise ValueError("each time")
        if self.turns == 10:
            raise StopUser

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


class SyncFailing(SyncUser):
    pauses: ClassVar[list[float]] = []
    turns = 0

    @task
    def work(self) -> None:
        self.turns += 1
        if self.turns not in (7, 10):
            raise ValueError("each time")
        if self.turns == 10:
            raise StopUser

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.mark.parametrize("kind", [AsyncFailing, SyncFailing])
def test_a_user_whose_task_raises_pauses_longer_and_longer_until_one_does_not(kind: type[Any]) -> None:
    kind.pauses.clear()
    with stage(kind) as on:
        on.start(1)
        on.wait_until(lambda: on.runner.user_count == 0, "the user to be over")
        assert [one for one in kind.pauses if one] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 0.1, 0.2])
        assert exceptions(on) == 8
        assert on.samples == [], "an exception is no operation"


def test_a_pause_never_grows_beyond_a_second() -> None:
    assert [pause_after(number) for number in (0, 1, 2, 5, 10_000_000)] == [0.0, 0.1, 0.2, 1.0, 1.0]
