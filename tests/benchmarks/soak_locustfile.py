"""Users for the soak: searches of a given client; with BENCH_TRACE, what of Python's memory has grown is written."""

import gc
import os
import tracemalloc
from collections import Counter
from pathlib import Path

import gevent
from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(
    events,
    collection="loadgen_soak",
    rows=2_000,
    dim=16,
    clusters=8,
    queries=200,
    top_k=3,
    stages=True,
    recall_every=100,
)
SHOWN = 25


class Async(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


class Sync(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())


def trace(path: Path, every: float) -> None:
    """Write what has grown since the first look, by line and by type."""
    gevent.sleep(every)
    tracemalloc.start(4)
    gevent.sleep(every)
    first, kinds = tracemalloc.take_snapshot(), count_objects()
    while True:
        gevent.sleep(every)
        reported = [str(one) for one in tracemalloc.take_snapshot().compare_to(first, "lineno")[:SHOWN]]
        reported += [f"{name}: {number:+}" for name, number in (count_objects() - kinds).most_common(SHOWN)]
        with path.open("a") as file:
            file.write("\n".join(["-" * 20, *reported]) + "\n")


def count_objects() -> Counter[str]:
    gc.collect()
    return Counter(type(one).__qualname__ for one in gc.get_objects())


if "BENCH_TRACE" in os.environ:
    events.init.add_listener(lambda **_: gevent.spawn(trace, Path(os.environ["BENCH_TRACE"]), 60.0))
