"""The tool as a person runs it; before or after each of its windows the bare loop has one, in the same process.

With BENCH_SINKS set the tool takes turns with itself instead, its ledger and its exporter switched off.
"""

import math
import os
import time
from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Any

import gevent
from locust import events, task

from loadgen import AsyncUser, SyncUser, plug
from loadgen.calibrate.turns import Turns
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Sample
from loadgen.measure.window import Window
from loadgen.runtime.hub import run_in_thread
from loadgen.users import ProcessState
from tests.benchmarks.bare import Cell, make_calls, run_async, run_sync
from tests.benchmarks.figures import Figures

plug(events)
LOOK = 0.01


class SyncSearch(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())


class AsyncSearch(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


class CostedTurns(Turns):
    """Bare loops beside the tool, with what each window costs this process."""

    def __init__(self, conductor: Any, process_state: ProcessState) -> None:
        super().__init__(conductor, process_state)
        self._cpu = 0.0

    def measure(self, phase: Phase) -> None:
        """The tool's window, with what it costs this process."""
        watcher = gevent.spawn(self._watch_cost, phase)
        super().measure(phase)
        watcher.join()

    def finish(self, phase: Phase) -> None:
        """Print the tool's figures; then a bare window, if it is its turn."""
        self.conductor.finish(phase)
        self._tell(self.process_state.ledger.windows[phase.number])
        if phase.number % 2:
            self.run_beside(phase)

    def _watch_cost(self, phase: Phase) -> None:
        windows = self.process_state.ledger.windows
        while phase.number not in windows:
            gevent.sleep(LOOK)
        gevent.sleep(max(0.0, windows[phase.number].start - perf_counter()))
        before = time.process_time()
        gevent.sleep(max(0.0, windows[phase.number].end - perf_counter()))
        self._cpu = time.process_time() - before

    def run_beside(self, phase: Phase) -> None:
        """A bare window."""
        state = self.process_state
        calls = make_calls(state.stores[phase.variant][0], state.queries_for(phase.variant), phase.mode)
        start = perf_counter() + phase.warmup_seconds
        cell = Cell(phase.mode, phase.users, start, start + phase.seconds)
        if phase.mode is Mode.SYNC:
            run_in_thread(partial(run_sync, calls, cell))
        else:
            run_in_thread(state.loop.call(run_async(calls, cell)).result)
        cell.figures().tell()

    def _tell(self, window: Window) -> None:
        stats = window.operation_stats[window.phase.variant, "search"]
        Figures(
            variant="tool",
            mode=window.phase.mode.value,
            users=window.phase.users,
            operations=stats.operations,
            failures=stats.failures,
            seconds=window.seconds,
            p50=stats.percentile(50),
            p99=stats.percentile(99),
            cpu_seconds=self._cpu,
        ).tell()


class Counter:
    """Stands for the sinks that are off: operations in one window, and nothing else."""

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
        """One window; with the sinks off only Locust's own listener and a counter are told of its samples."""
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
