"""The calls of MilvusVectorStore in bare loops, with only the clock around them: `python -m loadgen.calibrate.bare`.

Says `Phase N of M` on standard error before each phase, as a run does, and its figures as JSON on standard output.
"""

import asyncio
import json
import sys
import threading
from time import perf_counter, sleep
from typing import Any

import numpy as np

from loadgen.calibrate.plan import ORDER, PACED_USERS, USERS
from loadgen.datasets import open_dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.server.delays import pick
from loadgen.milvus.store import aclose_stores, close_stores, open_stores, to_query, warm_stores, warm_sync_stores
from loadgen.runtime.loop import new_event_loop
from loadgen.settings.model import Settings

PERCENTS = (50.0, 95.0, 99.0, 99.9, 100.0)
SETTLE = 0.1
"""Seconds for the server to receive the delays of the next phase."""


class Loops:
    """Users that search one after another for one phase; only searches that end after the warm-up count.

    With a rate each search starts when it is due, the users taking turns; otherwise once the previous one is answered.
    """

    def __init__(self, store: Any, queries: list[Any], settings: Settings, rate: float) -> None:
        self._store = store
        self._queries = queries
        self._rate = rate
        self._users = PACED_USERS if rate else USERS
        self._begin = perf_counter()
        self._start = self._begin + settings.warmup_seconds
        self._end = self._start + settings.phase_seconds
        self._times: list[float] = []

    def run_sync(self) -> None:
        """On threads."""
        users = [threading.Thread(target=self._search, args=(number,)) for number in range(self._users)]
        for user in users:
            user.start()
        for user in users:
            user.join()

    def _search(self, number: int) -> None:
        while perf_counter() < self._end:
            if (early := self._early(number)) > 0:
                sleep(early)
            started = perf_counter()
            self._store.query(self._queries[number % len(self._queries)])
            self._add(started, perf_counter())
            number += self._users

    async def run_async(self) -> None:
        """As coroutines."""
        await asyncio.gather(*(self._asearch(number) for number in range(self._users)))

    async def _asearch(self, number: int) -> None:
        while perf_counter() < self._end:
            if (early := self._early(number)) > 0:
                await asyncio.sleep(early)
            started = perf_counter()
            await self._store.aquery(self._queries[number % len(self._queries)])
            self._add(started, perf_counter())
            number += self._users

    def _early(self, number: int) -> float:
        """Seconds until this search is due."""
        return self._begin + number / self._rate - perf_counter() if self._rate else 0.0

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
    """Run some phases. Arguments: the settings as JSON, the number of phases, and a rate (0: none)."""
    settings, phases, rate = Settings.model_validate_json(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    queries = [to_query(vector, settings) for vector in open_dataset(settings).queries()]
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
        loops = Loops(sync[0] if mode is Mode.SYNC else asyn[0], queries, settings, rate)
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
