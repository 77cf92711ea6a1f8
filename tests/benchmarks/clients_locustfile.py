"""Windows of all variants, and of bare loops beside those that BENCH_BARE names.

CPU is that of all processes with users.
"""

import os
from typing import Any

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug
from loadgen.locust_plugin.coordination import shapes
from loadgen.measure.phase import Phase
from loadgen.measure.window import Window
from tests.benchmarks.figures import Figures
from tests.benchmarks.turns import Turns

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


class VariantTurns(Turns):
    """A bare window before the first of two phases of a variant, and after the second."""

    def measure(self, phase: Phase) -> None:
        """The window alone: the health of each process tells what it cost."""
        self._conductor.measure(phase)

    def finish(self, phase: Phase) -> None:
        """Print the figures; then a bare window, if it is its turn."""
        self._conductor.finish(phase)
        state = self._process_state
        self._tell((state.counted or state.ledger).windows[phase.number])
        if phase.number % 2:
            self._run_bare(phase)

    def bare_name(self, phase: Phase) -> str:
        """That of the variant that it stands beside."""
        return f"bare {phase.variant}"

    def _run_bare(self, phase: Phase) -> None:
        if phase.variant in BARE:
            super()._run_bare(phase)

    def _tell(self, window: Window) -> None:
        stats = window.operation_stats[window.phase.variant, "search"]
        watched = window.health.watches.values()
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
    planned = environment.shape_class
    if planned is None:  # a worker, which its master conducts
        return
    environment.shape_class = shapes.PhaseShape(planned._phases, VariantTurns(planned._conductor, environment.loadgen))
    environment.shape_class.runner = environment.runner
