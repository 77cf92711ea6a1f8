"""Searches by Locust's own user for Milvus: what `pymilvus/sync` is compared with."""

import json
import os
import time
from time import perf_counter
from typing import Any

import gevent
import numpy as np
from locust import events, task
from locust.contrib.milvus import MilvusUser

from tests.benchmarks.figures import Figures, percentiles

GIVEN = json.loads(os.environ["BENCH_CONTRIB"])
QUERIES = np.random.default_rng(1).normal(size=(256, GIVEN["dim"])).astype(np.float32)


class Searcher(MilvusUser):
    def __init__(self, environment: Any) -> None:
        super().__init__(environment, uri=GIVEN["host"], token="", collection_name=GIVEN["collection"])
        self.turn = 0

    @task
    def search(self) -> None:
        self.turn += 1
        result = self.client.search(
            data=[QUERIES[self.turn % len(QUERIES)]],
            anns_field="embedding",
            limit=GIVEN["top_k"],
            search_params=GIVEN["search_params"],
            output_fields=["id"],
        )
        self._fire_event("milvus", "search", result)


@events.test_start.add_listener  # type: ignore[untyped-decorator] # no types in Locust
def measure(environment: Any, **_: Any) -> None:
    times: list[float] = []
    failed: list[object] = []

    def note(response_time: float, exception: object, **_: Any) -> None:
        (times if exception is None else failed).append(response_time / 1_000)

    def watch() -> None:
        gevent.sleep(GIVEN["warmup"])
        times.clear()
        started, cpu = perf_counter(), time.process_time()
        gevent.sleep(GIVEN["seconds"])
        seconds, used = perf_counter() - started, time.process_time() - cpu
        Figures("contrib", "sync", GIVEN["users"], len(times), len(failed), seconds, *percentiles(times), used).tell()
        environment.runner.quit()

    environment.events.request.add_listener(note)
    gevent.spawn(watch)
