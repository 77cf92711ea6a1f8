"""The tool as a person runs it, with one listener more: it tells what each window cost."""

import time
from time import perf_counter
from typing import Any

import gevent
from locust import events, task

from loadgen import AsyncUser, SyncUser, plug
from loadgen.ledger import Window
from loadgen.users import Station
from tests.benchmarks.figures import Figures

plug(events)
LOOK = 0.05


class SyncSearch(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())


class AsyncSearch(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


class Costs:
    """CPU seconds of this process in each window, read on the hub at its start and its end."""

    def __init__(self, station: Station) -> None:
        self._ledger = station.ledger  # its windows are other ones in each run
        self.seconds: dict[int, float] = {}
        gevent.spawn(self._watch)

    def _watch(self) -> None:
        while True:
            for number, window in list(self._ledger.windows.items()):
                if number not in self.seconds:
                    self.seconds[number] = self._cost(window)
            gevent.sleep(LOOK)

    @staticmethod
    def _cost(window: Window) -> float:
        gevent.sleep(max(0.0, window.start - perf_counter()))
        before = time.process_time()
        gevent.sleep(max(0.0, window.end - perf_counter()))
        return time.process_time() - before

    def tell(self, **_: Any) -> None:
        """Print the figures of every window."""
        for number, window in sorted(self._ledger.windows.items()):
            for (mode, _operation), tally in window.tallies.items():
                Figures(
                    variant="tool",
                    mode=mode.value,
                    users=window.phase.users,
                    operations=tally.operations,
                    failures=tally.failures,
                    seconds=window.seconds,
                    p50=tally.percentile(50),
                    p99=tally.percentile(99),
                    cpu_seconds=self.seconds[number],
                ).tell()


@events.init.add_listener
def watch_costs(environment: Any, **_: Any) -> None:
    costs = Costs(environment.loadgen)
    environment.events.quit.add_listener(costs.tell)
