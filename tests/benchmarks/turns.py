"""Windows of the tool, and of bare loops in the same process before or after them."""

import time
from functools import partial
from time import perf_counter
from typing import Any

import gevent

from loadgen.calibrate.turns import Turns
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.measure.window import Window
from loadgen.runtime.hub import run_in_thread
from loadgen.users import ProcessState
from tests.benchmarks.bare import Cell, make_calls, run_async, run_sync
from tests.benchmarks.figures import Figures

LOOK = 0.01


class CostedTurns(Turns):
    """Bare loops beside the tool, with what each window costs this process."""

    def __init__(self, conductor: Any, process_state: ProcessState) -> None:
        super().__init__(conductor, process_state)
        self._cpu = 0.0

    def measure(self, phase: Phase) -> None:
        """The tool's window, with what it costs this process."""
        watcher = gevent.spawn(self._watch_cost, phase)
        super().measure(phase)
        watcher.join()

    def finish(self, phase: Phase) -> None:
        """Print the tool's figures; then a bare window, if it is its turn."""
        self.conductor.finish(phase)
        self._tell(self.process_state.ledger.windows[phase.number])
        if phase.number % 2:
            self.run_beside(phase)

    def _watch_cost(self, phase: Phase) -> None:
        windows = self.process_state.ledger.windows
        while phase.number not in windows:
            gevent.sleep(LOOK)
        gevent.sleep(max(0.0, windows[phase.number].start - perf_counter()))
        before = time.process_time()
        gevent.sleep(max(0.0, windows[phase.number].end - perf_counter()))
        self._cpu = time.process_time() - before

    def run_beside(self, phase: Phase) -> None:
        """A bare window."""
        state = self.process_state
        calls = make_calls(state.stores[phase.variant][0], state.queries_for(phase.variant), phase.mode)
        start = perf_counter() + phase.warmup_seconds
        cell = Cell(phase.mode, phase.users, start, start + phase.seconds, name=self.bare_name(phase))
        if phase.mode is Mode.SYNC:
            run_in_thread(partial(run_sync, calls, cell))
        else:
            run_in_thread(state.loop.call(run_async(calls, cell)).result)
        cell.figures().tell()

    def bare_name(self, _phase: Phase) -> str:
        """What the figures of a bare window are called."""
        return "bare"

    def _tell(self, window: Window) -> None:
        stats = window.operation_stats[window.phase.variant, "search"]
        Figures(
            variant="tool",
            mode=window.phase.mode.value,
            users=window.phase.users,
            operations=stats.operations,
            failures=stats.failures,
            seconds=window.seconds,
            p50=stats.percentile(50),
            p99=stats.percentile(99),
            cpu_seconds=self._cpu,
        ).tell()
