"""One asyncio event loop on a dedicated OS thread."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, InvalidStateError
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, TypeVar

import gevent

from loadgen.measure.errors import ErrorLog

logger = logging.getLogger(__name__)

T = TypeVar("T")
WIND_UP_SECONDS = 2.0
"""Seconds for the tasks of a stopped loop to end."""


class LoopDiedError(RuntimeError):
    """The event loop has ended, with everything that ran or was scheduled on it."""

    def __init__(self) -> None:
        super().__init__("the event loop of the async users has ended: nothing can run on it any more")


def new_event_loop() -> tuple[asyncio.AbstractEventLoop, str]:
    """An event loop and its name with version: uvloop if installed, else asyncio's own."""
    if find_spec("uvloop") is None:
        return asyncio.new_event_loop(), "asyncio"
    import uvloop

    return uvloop.new_event_loop(), f"uvloop {version('uvloop')}"


class LoopThread:
    """The loop on which all async users of a process run. `name` is the kind of loop. Created on the hub.

    It ends by `stop`, or dies if a task calls the loop's own `stop`. Then its tasks are cancelled, pending calls fail
    with LoopDiedError, and `on_death` is called once, on the hub. SystemExit and KeyboardInterrupt of a callback or
    task do not end it.
    """

    def __init__(self) -> None:
        self.on_death: Callable[[], object] = lambda: None
        """Called on the hub, in a new greenlet, if the loop ended without `stop`."""
        self._loop, self.name = new_event_loop()
        self._lock = threading.Lock()
        self._stopping = False
        self._ended = self._over = False
        self._pending: set[Future[Any]] = set()
        self._running: dict[Coroutine[Any, Any, Any], Callable[[], object]] = {}
        """Coroutines that `start` has been given, and what to call if the loop ends before them."""
        self._errors = ErrorLog(logger)
        self._watcher = gevent.get_hub().loop.async_()
        self._watcher.start(self._tell_death)
        self._thread = threading.Thread(target=self._run, name="loadgen-loop", daemon=True)
        self._thread.start()

    @property
    def thread_id(self) -> int | None:
        """The kernel's number of its thread."""
        return self._thread.native_id

    @property
    def alive(self) -> bool:
        """True until it is stopped or dies."""
        return not (self._ended or self._stopping)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            while True:
                try:
                    self._loop.run_forever()
                    break
                except (SystemExit, KeyboardInterrupt) as error:  # asyncio lets both end the loop
                    self._errors.note(error, "A task or callback on the event loop raised what would have ended it")
        finally:
            self._end()

    def _end(self) -> None:
        """Refuse new calls, and end pending ones."""
        with self._lock:
            self._ended = True
            pending, self._pending = self._pending, set()
        if not self._stopping:
            logger.error("The event loop of the async users was stopped by one of their tasks, or died")
            self._wind_up()
        self._over = True
        for future in list(pending):  # each leaves the set as it gets its exception
            with contextlib.suppress(InvalidStateError):
                future.set_exception(LoopDiedError())
        for lost in list(self._running.values()):
            lost()
        self._running.clear()
        if not self._stopping:
            self._watcher.send()

    def _wind_up(self) -> None:
        """Cancel all tasks and let them end; operations in flight become failed samples."""
        with contextlib.suppress(BaseException):
            self._loop.run_until_complete(asyncio.sleep(0))  # starts pending tasks, so that they can be cancelled
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=WIND_UP_SECONDS))

    def _tell_death(self) -> None:
        gevent.spawn(self.on_death)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start a coroutine from any other thread. Raises LoopDiedError if the loop has ended."""
        with self._lock:
            if not self._ended:
                answer: Future[T] = Future()
                self._pending.add(answer)
                done = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
                done.add_done_callback(partial(self._answer, answer))
                return answer
        coroutine.close()
        raise LoopDiedError

    def start(self, coroutine: Coroutine[Any, Any, None], lost: Callable[[], object]) -> None:
        """Start a coroutine from any other thread; `lost` is called if the loop ends before it, on the loop's thread.

        Costs 3 KB less than `call`, whose answer nobody awaits here. Raises LoopDiedError if the loop has ended.
        """
        with self._lock:
            if not self._ended:
                self._running[coroutine] = lost
                self._loop.call_soon_threadsafe(self._create_task, coroutine)
                return
        coroutine.close()
        raise LoopDiedError

    def _create_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._loop.create_task(coroutine).add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._running.pop(task.get_coro(), None)  # type: ignore[arg-type] # the coroutine that it was created of

    def _answer(self, answer: "Future[T]", done: "Future[T]") -> None:
        self._pending.discard(answer)
        with contextlib.suppress(InvalidStateError):  # the loop's end has answered
            if done.cancelled():
                answer.set_exception(LoopDiedError() if self._ended else CancelledError())
            elif (error := done.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(done.result())

    def post(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a plain function on the loop, from any thread; does nothing once the loop has ended."""
        if not self._over and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def stop(self, within: float = 1.0) -> None:
        """End the loop and wait for its thread, with a timeout; idempotent."""
        if self._loop.is_closed():
            return
        self._stopping = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(within)
        if not self._thread.is_alive():
            self._loop.close()
            self._watcher.stop()
