"""Windows of all variants, and of bare loops beside those that BENCH_BARE names.

CPU is that of all processes with users.
"""

import os
from typing import Any

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug
from loadgen.measure.phase import Phase
from loadgen.measure.window import Window
from tests.benchmarks.figures import Figures
from tests.benchmarks.turns import CostedTurns

plug(events)
BARE = os.environ["BENCH_BARE"].split(",")


class SyncSearch(SyncUser):
    @task
    def search(self) -> None:
        self.client.search(self.next_query())


class AsyncSearch(AsyncUser):
    @task
    async def search(self) -> None:
        await self.client.search(self.next_query())


class VariantTurns(CostedTurns):
    """A bare window before the first of two phases of a variant, and after the second."""

    def measure(self, phase: Phase) -> None:
        """The window alone: the health of each process tells what it cost."""
        self.conductor.measure(phase)

    def finish(self, phase: Phase) -> None:
        """Print the figures; then a bare window, if it is its turn."""
        self.conductor.finish(phase)
        state = self.process_state
        self._tell((state.counted or state.ledger).windows[phase.number])
        if phase.number % 2:
            self.run_beside(phase)

    def bare_name(self, phase: Phase) -> str:
        """That of the variant which it is compared with."""
        return f"bare {phase.variant}"

    def run_beside(self, phase: Phase) -> None:
        if phase.variant in BARE:
            super().run_beside(phase)

    def _tell(self, window: Window) -> None:
        stats = window.operation_stats[window.phase.variant, "search"]
        watched = window.health.processes.values()
        Figures(
            variant=window.phase.variant,
            mode=window.phase.mode.value,
            users=window.phase.users,
            operations=stats.operations,
            failures=stats.failures,
            seconds=window.seconds,
            p50=stats.percentile(50),
            p99=stats.percentile(99),
            cpu_seconds=sum(one.cpu / one.wall for one in watched) * window.seconds,
        ).tell()


@events.init.add_listener  # type: ignore[untyped-decorator] # no types in Locust
def take_turns(environment: Any, **_: Any) -> None:
    if environment.shape_class is not None:  # a worker has none: its master conducts
        environment.shape_class.surround(lambda conductor: VariantTurns(conductor, environment.loadgen))
