"""The event loop outlives what its tasks do to it, and where it does not nobody waits for it."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import gevent
import pytest

from loadgen.runtime.loop import LoopDiedError, LoopThread


@pytest.fixture(params=["uvloop", "asyncio"])
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopThread]:
    if request.param == "asyncio":
        monkeypatch.setattr("loadgen.runtime.loop.find_spec", lambda _name: None)
    else:
        pytest.importorskip("uvloop")
    made = LoopThread()
    assert made.name.startswith(request.param)
    yield made
    made.stop()


def wait_until(true: object) -> None:
    with gevent.Timeout(20, AssertionError("waited 20 s")):
        while not true():  # type: ignore[operator]
            gevent.sleep(0.005)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException])
def test_what_a_task_or_callback_of_the_users_own_raises_ends_that_one_alone(
    loop: LoopThread, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def other() -> str:
        await asyncio.sleep(0.05)
        return "still there"

    async def fail() -> None:
        raise kind

    def fail_here() -> None:
        raise kind

    async def begin() -> None:
        asyncio.get_running_loop().call_soon(fail_here)
        await asyncio.sleep(0.01)  # of two in one turn of the loop, uvloop reports one
        task = asyncio.get_running_loop().create_task(fail())
        with contextlib.suppress(BaseException):
            await task

    going_on = loop.call(other())
    loop.call(begin()).result(20)
    assert going_on.result(20) == "still there"
    assert loop.call(other()).result(20) == "still there"
    assert loop.alive
    if kind in (SystemExit, KeyboardInterrupt):
        reported = [one.getMessage() for one in caplog.records if "would have ended" in one.getMessage()]
        assert len(reported) == 2, "one for each place"
        assert all(kind.__name__ in text for text in reported)


def stop_it() -> None:
    asyncio.get_running_loop().stop()


def test_a_loop_that_a_task_stops_is_dead_and_says_so_once_on_the_hub(loop: LoopThread) -> None:
    reported: list[int] = []
    loop.on_death = lambda: reported.append(threading.get_ident())
    assert loop.alive
    loop.post(stop_it)
    wait_until(lambda: reported)
    gevent.sleep(0.05)
    assert reported == [threading.get_ident()]
    assert not loop.alive
    loop.stop()
    gevent.sleep(0.05)
    assert len(reported) == 1


def test_what_runs_on_a_loop_that_dies_is_cancelled_and_who_waits_for_it_is_told(loop: LoopThread) -> None:
    begun: list[str] = []
    ended: list[str] = []

    async def stay(name: str) -> str:
        begun.append(name)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(name)
            raise
        return name

    async def refuse() -> None:
        begun.append("refused")
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("refused")

    waiting: list[Future[Any]] = [loop.call(stay("one")), loop.call(stay("two")), loop.call(refuse())]
    wait_until(lambda: len(begun) == 3)
    loop.post(stop_it)
    for future in waiting:
        with pytest.raises(LoopDiedError, match="event loop of the async users has ended"):
            future.result(20)
    assert sorted(ended) == ["one", "refused", "two"]


@pytest.mark.filterwarnings("error")
def test_a_call_on_a_dead_loop_fails_at_once(loop: LoopThread) -> None:
    async def never() -> None:
        raise AssertionError("it ran")

    loop.post(stop_it)
    wait_until(lambda: not loop.alive)
    with pytest.raises(LoopDiedError):
        loop.call(never())
    loop.post(sys.exit)


def test_a_loop_that_is_stopped_on_purpose_is_no_death(loop: LoopThread) -> None:
    reported: list[str] = []
    loop.on_death = lambda: reported.append("dead")
    pending = loop.call(asyncio.sleep(60))
    loop.stop()
    with pytest.raises(LoopDiedError):
        pending.result(20)
    with pytest.raises(LoopDiedError):
        loop.call(asyncio.sleep(0))
    gevent.sleep(0.05)
    assert not reported
    assert not loop.alive


def test_of_what_was_started_only_that_is_lost_which_a_dying_loop_cannot_end(loop: LoopThread) -> None:
    reported: list[str] = []

    async def finish() -> None:
        reported.append("finished")

    async def refuse() -> None:
        reported.append("begun")
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    loop.start(finish(), lambda: reported.append("finished was lost"))
    loop.start(refuse(), lambda: reported.append("refused was lost"))
    wait_until(lambda: len(reported) == 2)
    loop.post(stop_it)
    wait_until(lambda: len(reported) == 3)
    assert reported == ["finished", "begun", "refused was lost"]
    with pytest.raises(LoopDiedError):
        loop.start(finish(), lambda: reported.append("lost twice"))
    assert len(reported) == 3
