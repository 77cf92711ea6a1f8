"""Time for tests of what waits: it moves on where every greenlet waits, and costs nothing."""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count
from types import ModuleType
from typing import TypeVar

import gevent
import pytest
from gevent.event import Event

T = TypeVar("T")
SETTLED = 4
"""Turns of the hub after which every greenlet that could run has done so, those that it has started too."""


class VirtualTime:
    """Seconds since some moment, as `perf_counter` has them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._waiting: list[tuple[float, int, Event]] = []
        self._numbers = count()

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        """Wait in the calling greenlet, as `loadgen.runtime.hub.pause` does."""
        event = Event()
        heappush(self._waiting, (self.now + max(0.0, seconds), next(self._numbers), event))
        event.wait()

    def rule(self, patch: pytest.MonkeyPatch, modules: Iterable[ModuleType]) -> None:
        """Be the time of these modules."""
        for module in modules:
            for name, replaced in (("perf_counter", self), ("pause", self.pause)):
                if hasattr(module, name):
                    patch.setattr(module, name, replaced)

    def after(self, seconds: float, function: Callable[[], object]) -> None:
        """Call a function after a delay in seconds."""

        def wait() -> None:
            self.pause(seconds)
            function()

        gevent.spawn(wait)

    def run(self, function: Callable[[], T], within: float = 1_000.0) -> T:
        """What a function returns, or raises, that may wait; AssertionError where it waits longer."""
        greenlet: gevent.Greenlet[[], T] = gevent.spawn(function)
        give_up = self.now + within
        try:
            self.settle()
            while not greenlet.dead:
                assert self.now < give_up, f"not over after {within} s"
                self._move_on()
        finally:
            greenlet.kill()
        if greenlet.exception is not None:
            raise greenlet.exception
        value: T = greenlet.value
        return value

    def pass_by(self, seconds: float) -> None:
        """Let this much time pass."""
        self.run(lambda: self.pause(seconds))

    def settle(self) -> None:
        """Let all run that does not wait for time."""
        for _ in range(SETTLED):
            gevent.sleep(0)

    def _move_on(self) -> None:
        assert self._waiting, "everybody waits for somebody else"
        moment, _, event = heappop(self._waiting)
        self.now = max(self.now, moment)
        event.set()
        self.settle()
