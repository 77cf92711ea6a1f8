"""Carries out the plan of phases for Locust's load shape, and hosts the coordinator in this process."""

from collections.abc import Callable
from typing import Any

import gevent
from locust.runners import MasterRunner

from loadgen.control.agent import Agent
from loadgen.control.coordinator import Coordinator
from loadgen.control.link import LocalLink
from loadgen.control.run import PhaseDisplay
from loadgen.exporters import Exporter
from loadgen.locust_plugin.coordination.identity import introduce
from loadgen.locust_plugin.coordination.links import MasterLink, is_of_run
from loadgen.locust_plugin.coordination.participants import dispatch_to
from loadgen.locust_plugin.display.run_display import RunDisplay
from loadgen.locust_plugin.patches import (
    ask_shapes_at_once,
    dispatch_anew,
    keep_runs_apart,
    keep_users_to_plan,
    leave_workers_to_coordinator,
)
from loadgen.measure.ledger import RunCounts
from loadgen.measure.phase import Phase
from loadgen.settings.fault_grammar import Action


class PlanConductor:
    """Conducts the phases of a `PhaseShape`; `begin_run` prepares everything, or raises StopTest."""

    def __init__(
        self, environment: Any, find_coordinator: Callable[[], Coordinator], begin_run: Callable[[], None]
    ) -> None:
        self._environment = environment
        self._find = find_coordinator
        self._begin_run = begin_run

    def begin_plan(self) -> None:
        """Prepare all processes for a run."""
        self._begin_run()

    def begin(self, phase: Phase) -> list[Any]:
        """Announce a phase; returns the user classes of its mode and style."""
        self._find().announce(phase)
        self._find().faults.announce(phase)
        dispatch_anew(self._environment.runner)
        classes = self._environment.user_classes
        return [kind for kind in classes if kind.mode == phase.mode and kind.style == phase.style]

    def measure(self, phase: Phase) -> None:
        """Let a phase run to its end, and undo what its faults have left."""
        try:
            self._find().measure(phase)
        finally:
            self._find().faults.end()

    def finish(self, phase: Phase) -> None:
        """Wait until all of it is counted."""
        self._find().finish(phase)

    def next_attempt(self, phase: Phase) -> Phase | None:
        """The same phase again if it must be repeated, else None."""
        return self._find().next_attempt(phase)

    def next_phase(self) -> Phase | None:
        """The phase that follows those of the plan, if any."""
        return self._find().next_phase()

    def break_off(self, reason: str) -> None:
        """Abort the plan."""
        self._find().run.broken = reason


class RunHost:
    """The process of the coordinator, as `control.run.Host`."""

    def __init__(
        self,
        environment: Any,
        exporter: Exporter,
        run_display: RunDisplay,
        find_death: Callable[[], str],
        count_in_flight: Callable[[], int],
    ) -> None:
        self._environment = environment
        self._exporter = exporter
        self._run_display = run_display
        self.find_death = find_death
        self.count_in_flight = count_in_flight

    def end_run(self, reason: str) -> None:  # noqa: ARG002 - part of the run's state
        """Stop the load: with the page the process continues, without it ends."""
        runner = self._environment.runner
        gevent.spawn(runner.stop if self._environment.web_ui is not None else runner.quit)

    def note_abort(self) -> None:
        """Count a run that a condition ends."""
        self._exporter.aborted += 1

    def note_fault(self, action: Action, change: int) -> None:
        """Count a declared fault that begins or ends."""
        self._exporter.count_fault(action.label, change)

    def after_phase(self, phase: Phase | None) -> None:
        """A phase is counted."""
        self._run_display.after_phase(phase)

    def enter(self, phase: Phase, labels: dict[str, str]) -> None:
        """A phase runs now."""
        self._exporter.enter(phase, labels)

    def leave(self) -> None:
        """It is over."""
        self._exporter.leave()


def make_coordinator(
    environment: Any, agent: Agent, ledger: RunCounts, display: PhaseDisplay, host: RunHost
) -> Coordinator:
    """The coordinator of this process, linked to the agents."""
    runner = environment.runner
    hello = introduce(environment.parsed_locustfiles or (), is_worker=False)
    keep_users_to_plan(runner)
    ask_shapes_at_once(runner)
    if isinstance(runner, MasterRunner):
        link = MasterLink(runner)
        coordinator = Coordinator(link, hello, ledger, display, host)
        link.listen(coordinator)
        dispatch_to(environment, lambda: coordinator.agents.taking_part)
        keep_runs_apart(environment.events, lambda data: is_of_run(coordinator, data))
        leave_workers_to_coordinator(runner, lambda: not coordinator.run.over, lambda: bool(coordinator.run.plan))
        return coordinator
    local = LocalLink(agent, hello)
    coordinator = Coordinator(local, hello, ledger, display, host)
    local.attach(coordinator)
    return coordinator
