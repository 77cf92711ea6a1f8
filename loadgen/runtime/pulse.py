"""Looks at the process ten times a second: how late are hub and loop, how much CPU was used."""

import time
from collections.abc import Callable

import gevent

from loadgen.health import Beat
from loadgen.runtime.loop import LoopThread

INTERVAL = 0.1
"""Seconds between two beats."""


class Pulse:
    """Beats on the hub until it is stopped; `take` is called there with each beat.

    `look` tells how many operations are under way, and by how many seconds arrivals were late since it was asked last.
    """

    def __init__(self, loop: LoopThread, take: Callable[[Beat], None], look: Callable[[], tuple[int, float]]) -> None:
        self._loop = loop
        self._take = take
        self._look = look
        self._loop_lag = 0.0
        self._asked_at: float | None = None
        self._greenlet = gevent.spawn(self._beat)

    def stop(self) -> None:
        """End it."""
        self._greenlet.kill()

    def _beat(self) -> None:
        last, used = time.perf_counter(), time.process_time()
        while True:
            self._ask_loop()
            gevent.sleep(INTERVAL)
            now, cpu = time.perf_counter(), time.process_time()
            hub_lag = max(0.0, now - last - INTERVAL)
            self._take(Beat(now, cpu - used, now - last, hub_lag, self._lag_of_loop(now), *self._look()))
            last, used = now, cpu

    def _ask_loop(self) -> None:
        """Have the loop stamp when it comes to a callback; a loop that still owes an answer is not asked again."""
        if self._asked_at is None:
            self._asked_at = time.perf_counter()
            self._loop.post(self._answer, self._asked_at)

    def _answer(self, asked_at: float) -> None:
        self._loop_lag = time.perf_counter() - asked_at
        self._asked_at = None

    def _lag_of_loop(self, now: float) -> float:
        """The last answer's lag, or how long an answer is overdue."""
        asked_at = self._asked_at
        return self._loop_lag if asked_at is None else now - asked_at
