"""The tool as a person runs it; before or after each of its windows the bare loop has one, in the same process.

With BENCH_SINKS set the tool takes turns with itself instead, its ledger and its exporter switched off.
"""

import math
import os
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Sample
from loadgen.measure.window import Window
from tests.benchmarks.figures import Figures
from tests.benchmarks.turns import CostedTurns

plug(events)


class SyncSearch(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())


class AsyncSearch(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


class Counter:
    """Replaces the sinks that are off: counts the operations of one window."""

    def __init__(self, start: float, end: float) -> None:
        self._start, self._end = start, end
        self.operations = 0

    def __call__(self, samples: Sequence[Sample]) -> None:
        self.operations += sum(self._start <= sample.finished < self._end for sample in samples)


class Switching(CostedTurns):
    """Ledger and exporter on in the first and the last round of four, off in the two between."""

    def run_beside(self, phase: Phase) -> None:
        """Nothing: the tool is compared with itself."""

    def measure(self, phase: Phase) -> None:
        """One window; with the sinks off only Locust's own listener and a counter receive its samples."""
        deliver = self.process_state.queue._deliver
        sinks = deliver.__self__._sinks  # type: ignore[attr-defined]
        self._counter: Counter | None = None
        if phase.number // 4 % 4 in (1, 2):
            start = perf_counter() + phase.warmup_seconds
            self._counter = Counter(start, start + phase.seconds)
            deliver.__self__._sinks = (sinks[1], self._counter)  # type: ignore[attr-defined]
        super().measure(phase)
        deliver.__self__._sinks = sinks  # type: ignore[attr-defined]

    def _tell(self, window: Window) -> None:
        if self._counter is None:
            super()._tell(window)
            return
        mode, users, seconds = window.phase.mode.value, window.phase.users, window.seconds
        Figures("bare", mode, users, self._counter.operations, 0, seconds, math.nan, math.nan, self._cpu).tell()


@events.init.add_listener  # type: ignore[untyped-decorator] # no types in Locust
def take_turns(environment: Any, **_: Any) -> None:
    kind = Switching if "BENCH_SINKS" in os.environ else CostedTurns
    environment.shape_class.surround(lambda conductor: kind(conductor, environment.loadgen))
