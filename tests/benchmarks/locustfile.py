"""The tool as a person runs it; before or after each of its windows the bare loop has one, in the same process."""

import time
from functools import partial
from time import perf_counter
from typing import Any

import gevent
from locust import events, task

from loadgen import AsyncUser, SyncUser, plug, shapes
from loadgen.ledger import Window
from loadgen.phase import Phase
from loadgen.runtime.hub import run_in_thread
from loadgen.sample import Mode
from loadgen.users import Station
from tests.benchmarks.bare import Cell, run_async, run_sync
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


class Turns:
    """The tool's own conductor, with a bare window before each phase of an even number and after each odd one.

    With phases sync, async, async, sync a drift of the machine hits both variants of both modes alike.
    """

    def __init__(self, conductor: shapes.Conductor, station: Station) -> None:
        self._conductor = conductor
        self._station = station
        self._phase: Phase | None = None
        self._cpu = 0.0
        self.reset = conductor.reset

    def begin(self, phase: Phase) -> list[Any]:
        """A bare window first, if it is its turn."""
        self._phase = phase
        if phase.number % 2 == 0:
            self._run_bare(phase)
        return self._conductor.begin(phase)

    def measure(self, phase: Phase) -> None:
        """The tool's window, with what it costs this process."""
        watcher = gevent.spawn(self._watch_cost, phase)
        self._conductor.measure(phase)
        watcher.join()

    def finish(self) -> None:
        """Tell the tool's figures; then a bare window, if it is its turn."""
        self._conductor.finish()
        assert self._phase
        self._tell(self._station.ledger.windows[self._phase.number])
        if self._phase.number % 2:
            self._run_bare(self._phase)

    def _watch_cost(self, phase: Phase) -> None:
        windows = self._station.ledger.windows
        while phase.number not in windows:
            gevent.sleep(LOOK)
        gevent.sleep(max(0.0, windows[phase.number].start - perf_counter()))
        before = time.process_time()
        gevent.sleep(max(0.0, windows[phase.number].end - perf_counter()))
        self._cpu = time.process_time() - before

    def _run_bare(self, phase: Phase) -> None:
        start = perf_counter() + phase.warmup_seconds
        cell = Cell(phase.mode, phase.users, start, start + phase.seconds)
        store, queries = self._station.stores[phase.mode][0], self._station.queries
        if phase.mode is Mode.SYNC:
            run_in_thread(partial(run_sync, store, queries, cell))
        else:
            done = self._station.loop.call(run_async(store, queries, cell))
            while not done.done():
                gevent.sleep(LOOK)
            done.result()
        cell.figures().tell()

    def _tell(self, window: Window) -> None:
        tally = window.tallies[window.phase.mode, "search"]
        Figures(
            variant="tool",
            mode=window.phase.mode.value,
            users=window.phase.users,
            operations=tally.operations,
            failures=tally.failures,
            seconds=window.seconds,
            p50=tally.percentile(50),
            p99=tally.percentile(99),
            cpu_seconds=self._cpu,
        ).tell()


@events.init.add_listener
def take_turns(environment: Any, **_: Any) -> None:
    planned = environment.shape_class
    turns = Turns(planned._conductor, environment.loadgen)
    environment.shape_class = shapes.PhaseShape(planned._phases, turns)
    environment.shape_class.runner = environment.runner
