"""The tutorial's table: n operations one after another, on threads, and concurrently with `asyncio.gather`."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events, collection="loadgen_burst", rows=1000, top_k=3, consistency="Strong", index_type="FLAT")


class OneAfterAnother(SyncUser):
    style = "sync"  # one operation in flight, as in the tutorial

    @task
    def all_of_them(self) -> None:
        with self.burst() as operations:
            [operation() for operation in operations]


class OnThreads(SyncUser):
    style = "threads"  # missing in the tutorial: at most 64 threads

    @task
    def all_of_them(self) -> None:
        with self.burst() as operations, ThreadPoolExecutor(self.in_flight) as threads:
            list(threads.map(lambda operation: operation(), operations))


class WithGather(AsyncUser):
    style = "async"  # all operations in flight

    @task
    async def all_of_them(self) -> None:
        with self.burst() as operations:
            await asyncio.gather(*(operation() for operation in operations))
