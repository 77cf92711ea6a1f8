"""Async users that wait, and the resident memory of their process once all of them do."""

import asyncio
from typing import Any

import gevent
import psutil
from locust import events, task

from loadgen import AsyncUser, plug
from tests.benchmarks.memory import MARK

SETTLED = 5.0
"""Seconds in which what the start needed is freed."""

plug(events, mode="async", rows=300, dim=16, clusters=8, queries=50, record="", metrics_port="off")


class Idle(AsyncUser):
    @task
    async def wait_long(self) -> None:
        await asyncio.sleep(60)


@events.spawning_complete.add_listener  # type: ignore[untyped-decorator] # no types in Locust
def look(user_count: int, **_: Any) -> None:
    def tell() -> None:
        gevent.sleep(SETTLED)
        print(f"{MARK}{user_count} {psutil.Process().memory_info().rss}", flush=True)

    gevent.spawn(tell)
