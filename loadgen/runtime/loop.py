"""One asyncio event loop on an OS thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, TypeVar

T = TypeVar("T")


def new_event_loop() -> tuple[asyncio.AbstractEventLoop, str]:
    """An event loop and its name with version: uvloop where it is installed, else asyncio's own."""
    if find_spec("uvloop") is None:
        return asyncio.new_event_loop(), "asyncio"
    import uvloop

    return uvloop.new_event_loop(), f"uvloop {version('uvloop')}"


class LoopThread:
    """The loop on which all async users of a process live. `name` tells which kind of loop it is."""

    def __init__(self) -> None:
        self._loop, self.name = new_event_loop()
        self._thread = threading.Thread(target=self._run, name="loadgen-loop", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start a coroutine from any other thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def post(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a plain function on the loop, from any thread; after `stop` it does nothing."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def stop(self, within: float = 1.0) -> None:
        """End the loop and wait at most so many seconds for its thread; idempotent."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(within)
        if not self._thread.is_alive():
            self._loop.close()
