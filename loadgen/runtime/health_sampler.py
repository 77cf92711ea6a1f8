"""Samples the process ten times a second: lag of hub and loop, who held the loop, its wait for a core, what is used."""

import logging
import math
import time
from collections.abc import Callable, Collection, Mapping

import gevent
from gevent import GreenletExit

from loadgen.measure.errors import ErrorLog
from loadgen.measure.health import Beat
from loadgen.runtime.core_wait import read_core_wait
from loadgen.runtime.loop import LoopThread
from loadgen.runtime.usage import TrafficMeter, read_memory

INTERVAL = 0.1
"""Seconds between two beats."""

LoadReading = tuple[int, float, Mapping[str, float]]

logger = logging.getLogger(__name__)


class HealthSampler:
    """Beats on the hub until stopped; calls `take` there with each beat.

    `look` returns the operations in flight, and since its last call, in seconds, the lag of arrivals and how long each
    stage held the loop; `find_ports` the ports of the server, whose bytes are counted. A beat that fails is skipped,
    and missing from the health.
    """

    def __init__(
        self,
        loop: LoopThread,
        take: Callable[[Beat], None],
        look: Callable[[], LoadReading],
        find_ports: Callable[[], Collection[int]] = tuple,
    ) -> None:
        self._loop = loop
        self._take = take
        self._look = look
        self._loop_lag = 0.0
        self._waited = math.nan
        self._traffic = TrafficMeter(find_ports)
        self._asked_at: float | None = None
        self._errors = ErrorLog(logger)
        self._greenlet = gevent.spawn(self._beat)

    def stop(self) -> None:
        """End it."""
        self._greenlet.kill()

    def _beat(self) -> None:
        last, used = time.perf_counter(), time.process_time()
        self._waited = read_core_wait(self._loop.thread_id)
        while True:
            self._ask_loop()
            gevent.sleep(INTERVAL)
            now, cpu = time.perf_counter(), time.process_time()
            try:
                self._tell(now, cpu - used, now - last)
            except GreenletExit:
                raise
            except BaseException as error:  # noqa: BLE001 - otherwise the process would no longer be watched
                self._errors.note(error, "A look at the load generator's own health failed")
            last, used = now, cpu

    def _tell(self, now: float, cpu: float, wall: float) -> None:
        hub_lag = max(0.0, wall - INTERVAL)
        before, self._waited = self._waited, read_core_wait(self._loop.thread_id)
        in_flight, pace_lag, held = self._look()
        waited = self._waited - before
        sent, received = self._traffic.read() or (math.nan, math.nan)
        uses = {"core_wait": waited, "memory": read_memory(), "sent": sent, "received": received}
        loop_lag = self._lag_of_loop(now)
        self._take(Beat(now, cpu, wall, hub_lag, loop_lag, in_flight, pace_lag, held=held, **uses))

    def _ask_loop(self) -> None:
        """Let the loop record when it runs a callback; a loop with a pending callback is not asked again."""
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
