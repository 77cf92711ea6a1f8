"""A coordinator with workers in one process, joined by a network that may lose, repeat and delay, on virtual time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gevent
import pytest

from loadgen.control import agents, closed, coordinator, rate_split, supervisor
from loadgen.control.coordinator import Coordinator
from loadgen.control.errors import PlanBrokenError
from loadgen.control.merged_ledger import MergedLedger
from loadgen.control.run import Run
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.measure.window import Window
from loadgen.settings.fault_grammar import Action
from loadgen.settings.model import Settings
from tests.unit.virtual_time import VirtualTime
from tests.unit.worker_support import OWN, Network, Worker

HOST = "http://root:S3cret@milvus:19530"


@dataclass
class Screen:
    """What is shown of a run."""

    opened: list[tuple[Phase, float]] = field(default_factory=list)
    finished: list[Window | None] = field(default_factory=list)

    def begin(self, phase: Phase, plan: Sequence[Phase]) -> None:
        pass

    def open(self, phase: Phase, run_time: float = 0.0) -> None:
        self.opened.append((phase, run_time))

    def finish(self, window: Window | None) -> None:
        self.finished.append(window)


@dataclass
class Process:
    """The process that conducts."""

    ended: list[str] = field(default_factory=list)
    on_end: Callable[[], object] = lambda: None
    death: str = ""
    in_flight: int = 0
    aborted: int = 0

    def note_abort(self) -> None:
        self.aborted += 1

    def note_fault(self, action: Action, change: int) -> None:
        pass

    def end_run(self, reason: str) -> None:
        self.ended.append(reason)
        self.on_end()

    def after_phase(self, phase: Phase | None) -> None:
        pass

    def enter(self, phase: Phase, labels: dict[str, str]) -> None:
        pass

    def leave(self) -> None:
        pass

    def find_death(self) -> str:
        return self.death

    def count_in_flight(self) -> int:
        return self.in_flight


class Cluster:
    """A coordinator, its workers, and what Locust does between them."""

    def __init__(self, time: VirtualTime, names: Sequence[str]) -> None:
        self.time = time
        self.network = Network(time)
        self.ledger = MergedLedger()
        self.screen = Screen()
        self.process = Process()
        self.coordinator = Coordinator(self.network, OWN, self.ledger, self.screen, self.process)
        self.network.hear = self.coordinator.receive
        for name in names:
            self.network.add(name)

    def __getitem__(self, name: str) -> Worker:
        return self.network.workers[name]

    def begin(self, plan: Sequence[Phase] = (), run_id: str = "one", **given: Any) -> Run:
        """Have a run begin. Raises AgentError as `Coordinator.begin_run`."""
        expected = given.pop("expected", len(self.network.workers))
        more = {"are_workers_replaced": given.pop("are_workers_replaced", True), "data": given.pop("data", "")}
        settings = Settings(host=HOST, **{"worker_grace": 0.0, "deadline": 2.0} | given)
        run = Run(run_id, settings, tuple(plan), expected, {"run_id": run_id}, **more)
        self.time.run(lambda: self.coordinator.begin_run(run))
        return run

    def carry_out(self) -> None:
        """Carry out the plan, as `PhaseShape` does in Locust, and end the run."""
        self.time.run(self._walk, within=3_000.0)

    def _walk(self) -> None:
        walking = gevent.spawn(self._take_phases)
        self.process.on_end = walking.kill  # as Locust ends its shape's greenlet
        walking.join()
        if walking.exception is not None:
            raise walking.exception
        self.coordinator.stop()
        self.coordinator.end_run()

    def _take_phases(self) -> None:
        coordinator = self.coordinator
        try:
            for planned in coordinator.run.plan:
                phase: Phase | None = planned
                while phase is not None:
                    coordinator.announce(phase)
                    self.spawn_users(phase.users)
                    coordinator.measure(phase)
                    self.spawn_users(0)
                    coordinator.finish(phase)
                    phase = coordinator.next_attempt(phase)
        except PlanBrokenError as error:
            coordinator.run.broken = str(error)

    def spawn_users(self, users: int) -> None:
        """Spread users over the workers that are connected and take part, as Locust does."""
        chosen = self.coordinator.agents.taking_part
        names = sorted(self.network.connected() if chosen is None else self.network.connected() & chosen)
        for place, name in enumerate(names):
            self[name].spawn(users // len(names) + (place < users % len(names)))

    def outside(self) -> dict[str, int]:
        """Operations that count in no phase, by how they ended."""
        return {str(outcome): n for ends in self.ledger.outside.values() for outcome, n in ends.items()}

    def operations(self, number: int) -> int:
        """Operations that count in a phase."""
        return sum(stats.operations for stats in self.ledger.windows[number].operation_stats.values())


@contextmanager
def cluster(patch: pytest.MonkeyPatch, *names: str) -> Iterator[Cluster]:
    """A coordinator and these workers on virtual time, taken down afterwards."""
    time = VirtualTime()
    time.rule(patch, (agents, closed, coordinator, rate_split, supervisor))
    made = Cluster(time, names)
    try:
        yield made
    finally:
        made.coordinator.close()
        for name in list(made.network.workers):
            made.network.remove(name)


def closed_phases(number: int, users: int = 8, seconds: float = 10.0) -> tuple[Phase, ...]:
    """A plan without warm-ups."""
    return tuple(Phase(place, Mode.SYNC, users, seconds) for place in range(number))
