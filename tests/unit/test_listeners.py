"""A listener of the locustfile may raise anything and stop the run: no sample is lost for anybody."""

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from locust import task
from locust.env import Environment
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from loadgen.locust_plugin.request_event import RequestEvent
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.text.masking import keep_secret
from loadgen.users import AsyncUser, SyncUser
from loadgen.users.listeners import Listeners
from tests.unit.stage import CountingStore, Stage, stage

RAISED = (
    StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet, ValueError, SystemExit,
    KeyboardInterrupt, gevent.GreenletExit,
)  # fmt: skip


class AsyncSearch(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


class SyncSearch(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())


class Raises(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())
        raise ValueError("in the task")


def samples(number: int, error: BaseException | None = None) -> list[Sample]:
    outcome = Outcome.OK if error is None else Outcome.FAILED
    return [Sample(Mode.ASYNC, "search", 1.0, 1.0, 1.5, outcome, 1, error)] * number


@pytest.mark.parametrize("kind", RAISED)
def test_every_listener_sees_every_sample_whatever_another_one_raises(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    environment = Environment()
    seen: list[str] = []

    def fail(**_: Any) -> None:
        seen.append("first")
        raise kind

    environment.events.request.add_listener(fail)  # as a locustfile does: before Locust's own, which fills its table
    runner = environment.create_local_runner()
    environment.events.request.add_listener(lambda **_: seen.append("last"))
    stopped: list[StopTest] = []
    listeners = Listeners(stopped.append)
    RequestEvent(environment.events, listeners)(samples(40))
    runner.quit()
    assert seen == ["first", "last"] * 40
    assert environment.stats.get("search", "async").num_requests == 40
    listeners.summarize()
    reported = [one.getMessage() for one in caplog.records if one.name == "loadgen.users.listeners"]
    if kind is StopTest:
        assert len(stopped) == 1, "the run is stopped once"
        assert reported == []
    else:
        assert not stopped
        assert [text.splitlines()[0] for text in reported[:1]] == [
            "A listener of the locustfile failed; others like it are only counted"
        ]
        assert f"{kind.__name__}" in reported[0]
        assert reported[1].startswith(
            f"Listeners of the locustfile failed 40 times: {kind.__name__} at test_listeners.py:"
        )


def test_an_error_that_cannot_be_put_into_words_loses_no_sample() -> None:
    class Speechless(Exception):  # noqa: N818 - a foreign one
        def __str__(self) -> str:
            raise ValueError("no words")

    environment = Environment()
    runner = environment.create_local_runner()
    RequestEvent(environment.events)(samples(3, Speechless()))
    runner.quit()
    assert environment.stats.get("search", "async").num_failures == 3
    assert [repr(row.error) for row in environment.stats.errors.values()] == ["OperationError('failed: Speechless')"]


def test_samples_behind_one_whose_listener_waits_are_not_held_back() -> None:
    environment = Environment()
    seen: list[float] = []
    event = RequestEvent(environment.events)

    @environment.events.request.add_listener  # type: ignore[untyped-decorator] # no types in Locust
    def _wait(**given: Any) -> None:
        if not seen:
            seen.append(-1.0)
            event(())  # as the hub's queue calls it while this one waits
        seen.append(given["response_time"])

    event([one._replace(finished=1.0 + number) for number, one in enumerate(samples(4))])
    assert seen == [-1.0, 1000.0, 2000.0, 3000.0, 0.0]


def stop_by(stop: Callable[[Stage], None], on: Stage, event: str) -> None:
    """Have a listener stop the run at the 20th event."""
    calls: list[int] = []

    def listen(**_: Any) -> None:
        calls.append(1)
        if len(calls) == 20:
            stop(on)

    getattr(on.environment.events, event).add_listener(listen)


@pytest.mark.parametrize("how", ["quit", "stop"])
@pytest.mark.parametrize(("kind", "event"), [(AsyncSearch, "request"), (SyncSearch, "request"), (Raises, "user_error")])
def test_a_listener_that_ends_the_run_ends_it_with_every_operation_answered_and_counted(
    kind: type[Any], event: str, how: str
) -> None:
    """Before, the users' last words waited behind this very listener: 11 s, and their operations were given up."""
    store = CountingStore()
    with stage(kind, store=store) as on:
        flushed: list[bool] = []
        on.environment.events.test_stop.add_listener(lambda **_: flushed.append(on.queue.flush()))
        stop_by(lambda on: getattr(on.runner, how)(), on, event)
        on.start(4)
        on.wait_until(lambda: bool(flushed), "the end of the run", within=60)
        on.wait_until(lambda: on.runner.user_count == 0, "all users to be over")
        assert flushed == [True]
        assert on.queue.flush()
        assert len(on.samples) == store.calls
        assert {sample.outcome for sample in on.samples} == {Outcome.OK}, "none was given up"
        assert on.environment.stats.get("search", kind.mode.value).num_requests == store.calls


class WordlessError(RuntimeError):
    def __str__(self) -> str:
        raise ValueError("no text")


def test_an_exception_with_a_secret_reaches_locusts_page_without_it() -> None:
    keep_secret("S3cret-of-a-task")
    environment, heard = Environment(), list[BaseException]()
    environment.events.user_error.add_listener(lambda exception, **_: heard.append(exception))
    errors = [ValueError("said S3cret-of-a-task"), ValueError("said nothing"), WordlessError()]
    for error in errors:
        Listeners().fire_error(environment.events.user_error, None, error)
    assert (type(heard[0]), str(heard[0])) == (RuntimeError, "ValueError: said ***")
    assert heard[1:] == errors[1:]
