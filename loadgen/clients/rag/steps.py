"""How long each stage blocks the event loop: every step of an operation's coroutine is timed.

A step is what a coroutine does between two waits. Nothing else runs on the loop meanwhile, so the steps of a stage are
exactly the time for which it blocks the loop, in contrast to the time of the stage, which also contains its waits.
"""

from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from types import coroutine as awaitable
from typing import Any, TypeVar

from loadgen.measure.loop_holds import LoopHolds

T = TypeVar("T")


class Steps:
    """The steps of one operation. Used on its loop only."""

    __slots__ = ("_holds", "_since", "_stage")

    def __init__(self, loop_holds: LoopHolds, stage: str = "") -> None:
        self._holds = loop_holds
        self._stage = stage
        self._since: float | None = None
        """When the current step began, or the stage within it; None between two steps (perf_counter)."""

    @property
    def is_running(self) -> bool:
        """True within a step."""
        return self._since is not None

    def enter(self, stage: str) -> None:
        """Another stage begins, perhaps within a step; empty: what follows is no part of any."""
        if (since := self._since) is not None:
            self._since = now = perf_counter()
            self._count(now - since)
        self._stage = stage

    def resume(self) -> None:
        """A step begins."""
        self._since = perf_counter()

    def pause(self) -> None:
        """It has ended."""
        since, self._since = self._since, None
        if since is not None:
            self._count(perf_counter() - since)

    def _count(self, seconds: float) -> None:
        if self._stage:
            self._holds.add(self._stage, seconds)

    @awaitable
    def drive(self, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, None, T]:
        """Await a coroutine of the operation, and time its steps."""
        context = STEPS.set(self)
        send, pause = coroutine.send, self.pause
        error: BaseException | None = None
        try:
            while True:
                self._since = perf_counter()
                try:
                    waits_for = send(None) if error is None else coroutine.throw(error)
                except StopIteration as ended:
                    value: T = ended.value
                    return value
                finally:
                    pause()
                error = None
                try:
                    yield waits_for
                except GeneratorExit:
                    coroutine.close()
                    raise
                except BaseException as raised:  # noqa: BLE001 - the coroutine's to handle, such as a cancellation
                    error = raised
        finally:
            STEPS.reset(context)


STEPS: ContextVar[Steps | None] = ContextVar("loadgen_rag_steps", default=None)
"""Those of the operation that the current code is part of. Tasks that it starts inherit them."""


@contextmanager
def computing() -> Iterator[None]:
    """What computes in the loop, perhaps in a task that the operation has started: `drive` does not see its steps."""
    steps = STEPS.get()
    if steps is None or steps.is_running:
        yield
        return
    steps.resume()
    try:
        yield
    finally:
        steps.pause()
