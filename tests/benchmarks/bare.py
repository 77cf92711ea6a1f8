"""The limit: the calls of MilvusVectorStore in bare loops, nothing around them but the clock.

The cells are those of the tool's own `--mode compare`, in its order, with its loop, stores, queries and windows.
"""

import asyncio
import sys
import threading
import time
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from loadgen.phase import timed_phases
from loadgen.runtime.loop import new_event_loop
from loadgen.sample import Mode
from loadgen.settings import Settings
from loadgen.store import aclose_stores, close_stores, open_stores, to_query, warm_stores, warm_sync_stores
from loadgen.workload import Dataset
from tests.benchmarks.figures import Figures, percentiles

STRIDE = 97
"""As far apart in the queries as the tool's users start; its own constant would bring Locust into this process."""


@dataclass(slots=True)
class Cell:
    """One mode at one number of users: the clock's limits, and the times of what finished between them."""

    mode: Mode
    users: int
    start: float
    end: float
    times: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """`process_time` at the start and at the end."""

    def add(self, started: float, finished: float) -> None:
        """Count one operation if it finished in the window."""
        if self.start <= finished < self.end:
            self.times.append(finished - started)

    def figures(self) -> Figures:
        """What the cell shows."""
        seconds = self.end - self.start
        p50, p99 = percentiles(self.times)
        cpu = self.cpu[1] - self.cpu[0]
        return Figures("bare", self.mode.value, self.users, len(self.times), 0, seconds, p50, p99, cpu)


async def run_async(store: Any, queries: list[Any], cell: Cell) -> None:
    """Users as coroutines, on the running loop."""

    async def user(number: int) -> None:
        turn = number * STRIDE
        while perf_counter() < cell.end:
            turn += 1
            query = queries[turn % len(queries)]
            started = perf_counter()
            await store.aquery(query)
            cell.add(started, perf_counter())

    async def watch() -> None:
        for moment in (cell.start, cell.end):
            await asyncio.sleep(moment - perf_counter())
            cell.cpu.append(time.process_time())

    await asyncio.gather(watch(), *(user(number) for number in range(cell.users)))


def run_sync(store: Any, queries: list[Any], cell: Cell) -> None:
    """Users as OS threads."""

    def user(number: int) -> None:
        turn = number * STRIDE
        while perf_counter() < cell.end:
            turn += 1
            query = queries[turn % len(queries)]
            started = perf_counter()
            store.query(query)
            cell.add(started, perf_counter())

    threads = [threading.Thread(target=user, args=(number,)) for number in range(cell.users)]
    for thread in threads:
        thread.start()
    for moment in (cell.start, cell.end):
        time.sleep(max(0.0, moment - perf_counter()))
        cell.cpu.append(time.process_time())
    for thread in threads:
        thread.join()


def main() -> None:
    """Run the cells that the settings ask for: `python -m tests.benchmarks.bare '<settings as JSON>'`."""
    settings = Settings.model_validate_json(sys.argv[1])
    queries = [to_query(vector, settings) for vector in Dataset(settings).queries()]
    loop, _ = new_event_loop()
    sync, asynchronous = open_stores(settings, Mode.SYNC), open_stores(settings, Mode.ASYNC)
    warm_sync_stores(sync)
    loop.run_until_complete(warm_stores(asynchronous))
    length = (settings.phase_seconds, settings.warmup_seconds)
    for phase in timed_phases(tuple(Mode), settings.concurrency, settings.rounds, length):
        start = perf_counter() + phase.warmup_seconds
        cell = Cell(phase.mode, phase.users, start, start + phase.seconds)
        if phase.mode is Mode.SYNC:
            run_sync(sync[0], queries, cell)
        else:
            loop.run_until_complete(run_async(asynchronous[0], queries, cell))
        cell.figures().tell()
    loop.run_until_complete(aclose_stores(asynchronous))
    close_stores([*sync, *asynchronous])
    loop.close()


if __name__ == "__main__":
    main()
