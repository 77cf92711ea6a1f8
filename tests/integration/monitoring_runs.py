"""Runs with two workers that a real Prometheus scrapes, to the end."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.locust_command import Run, start_locust
from tests.integration.monitoring_support import Prometheus, fill_in, find_unknown, panel_queries

MEASURED = """
import asyncio
import time

import gevent
from locust.runners import MasterRunner


@events.test_start.add_listener
def _wait_for_scrapes(environment, **_) -> None:
    if isinstance(environment.runner, MasterRunner):
        gevent.sleep(4)


class SyncAsk(SyncUser):
    @task
    def ask(self) -> None:
        with self.measure("ask") as call:
            time.sleep(0.01)
            call.stage("generate", 0.01)


class AsyncAsk(AsyncUser):
    @task
    async def ask(self) -> None:
        async with self.measure("ask") as call:
            await asyncio.sleep(0.01)
            call.stage("generate", 0.01)
"""
"""Beside the operations of the client, calls that the locustfile times itself.

Users wait until Prometheus has seen every counter at 0: what was counted before the first scrape is no increase.
"""
INGESTS = """

class AsyncIngest(AsyncUser):
    operations = ("ingest",)

    @task
    async def ingest(self) -> None:
        await self.client.ingest(self.next_documents())
"""
"""Beside the questions of `rag_query.py`, ingests."""
LINGER = 8
"""Seconds; a busy machine may miss a scrape of them."""


@dataclass
class Scraped:
    """A run, seen by Prometheus. Times are wall-clock seconds."""

    prometheus: Prometheus
    run: Run
    folder: Path
    start: float
    end: float
    roles: dict[str, str]
    """Role of each target that the file had while the run was on."""
    last: float = 0.0
    """When the run was over and the last samples of all its processes had been scraped."""

    def find_complete(self, start: float, end: float) -> list[float]:
        """Moments at which the samples of all its processes were there."""
        mine = f'count(loadgen_run_info{{run_id="{self.record["run_id"]}"}}) == {len(self.roles)}'
        return [float(at) for line in self.prometheus.range(mine, start, end) for at, _ in line["values"]]

    @property
    def record(self) -> dict[str, Any]:
        (path,) = (self.folder / "runs").glob("[!.]*.json")
        result: dict[str, Any] = json.loads(path.read_text())
        return result

    @property
    def span(self) -> tuple[float, float]:
        return self.start, self.end


def scrape(prometheus: Prometheus, folder: Path, port: int, *flags: str, files: str) -> Scraped:
    """Run to the end with two workers."""
    targets = prometheus.folder / "targets.json"
    own = ("--metrics-port", str(port), "--metrics-linger", str(LINGER), "--metrics-targets", str(targets))
    start = time.time()
    run = start_locust(folder, "--headless", "--processes", "2", *own, *flags, files=files)
    assert run.process.stderr
    roles: dict[str, str] = {}
    reported = []
    over = 0.0
    for line in run.process.stderr:
        reported.append(line)
        if "Metrics stay at" in line and not over:
            over = time.time()
        if "is ready" in line:
            roles = {one["targets"][0]: one["labels"]["role"] for one in json.loads(targets.read_text())}
    run.finish(60)
    run.err = "".join(reported)
    run.assert_good()
    scraped = Scraped(prometheus, run, folder, start, time.time(), roles)
    scraped.last = max(scraped.find_complete(over + 2.2, scraped.end), default=over + LINGER - 0.5)
    return scraped


def find_wrong(scraped: Scraped, *names: str) -> dict[str, str]:
    """Queries of these dashboards without data in this run, or with a name that nothing has, by where they stand."""
    wrong = {}
    for place, query in panel_queries(*names):
        filled = fill_in(query, scraped.end - scraped.start, run=scraped.record["run_id"], namespace="local")
        if unknown := find_unknown(scraped.prometheus, filled, scraped.span):
            wrong[place] = f"unknown: {unknown}"
        elif not scraped.prometheus.points(filled, *scraped.span):
            wrong[place] = f"no data: {filled}"
    return wrong
