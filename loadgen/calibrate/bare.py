"""The calls of MilvusVectorStore in bare loops, nothing around them but the clock: `python -m loadgen.calibrate.bare`.

Says `Phase N of M` on standard error before each phase, as a run does, and its figures as JSON on standard output.
"""

import asyncio
import json
import sys
import threading
from time import perf_counter, sleep
from typing import Any

import numpy as np

from loadgen.calibrate.plan import ORDER, USERS
from loadgen.runtime.loop import new_event_loop
from loadgen.sample import Mode
from loadgen.server.delays import pick
from loadgen.settings import Settings
from loadgen.store import aclose_stores, close_stores, open_stores, to_query, warm_stores, warm_sync_stores
from loadgen.workload import Dataset

PERCENTS = (50.0, 95.0, 99.0, 99.9, 100.0)
SETTLE = 0.1
"""Seconds for the server to be told the delays of the next phase."""


class Loops:
    """Users that search one after another for one phase; only what ends after the warm-up counts."""

    def __init__(self, store: Any, queries: list[Any], settings: Settings) -> None:
        self._store = store
        self._queries = queries
        self._start = perf_counter() + settings.warmup_seconds
        self._end = self._start + settings.phase_seconds
        self._times: list[float] = []

    def run_sync(self) -> None:
        """On threads."""
        users = [threading.Thread(target=self._search, args=(number,)) for number in range(USERS)]
        for user in users:
            user.start()
        for user in users:
            user.join()

    def _search(self, number: int) -> None:
        while (started := perf_counter()) < self._end:
            self._store.query(self._queries[number % len(self._queries)])
            self._add(started, perf_counter())
            number += USERS

    async def run_async(self) -> None:
        """As coroutines."""
        await asyncio.gather(*(self._asearch(number) for number in range(USERS)))

    async def _asearch(self, number: int) -> None:
        while (started := perf_counter()) < self._end:
            await self._store.aquery(self._queries[number % len(self._queries)])
            self._add(started, perf_counter())
            number += USERS

    def _add(self, started: float, finished: float) -> None:
        if self._start <= finished < self._end:
            self._times.append(finished - started)

    def figures(self) -> dict[str, Any]:
        """Operations per second, and percentiles in seconds."""
        times = np.sort(self._times)
        return {
            "operations": len(times),
            "throughput": len(times) / (self._end - self._start),
            "times": pick(times, *PERCENTS) if len(times) else [],
        }


def main() -> None:
    """Run as many phases as there are to be: the settings as JSON, and a number."""
    settings, phases = Settings.model_validate_json(sys.argv[1]), int(sys.argv[2])
    queries = [to_query(vector, settings) for vector in Dataset(settings).queries()]
    loop, _ = new_event_loop()
    sync, asyn = open_stores(settings, Mode.SYNC), open_stores(settings, Mode.ASYNC)
    warm_sync_stores(sync)
    loop.run_until_complete(warm_stores(asyn))
    figures = []
    for number in range(phases):
        sys.stderr.write(f"Phase {number + 1} of {phases}\n")
        sys.stderr.flush()
        sleep(SETTLE)
        mode = ORDER[number % len(ORDER)]
        loops = Loops(sync[0] if mode is Mode.SYNC else asyn[0], queries, settings)
        if mode is Mode.SYNC:
            loops.run_sync()
        else:
            loop.run_until_complete(loops.run_async())
        figures.append(loops.figures())
    sys.stdout.write(json.dumps(figures) + "\n")
    loop.run_until_complete(aclose_stores(asyn))
    close_stores([*sync, *asyn])
    loop.close()


if __name__ == "__main__":
    main()
