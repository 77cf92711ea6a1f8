"""Who conducts the phases: the local runner, or the master with all its workers."""

import logging
from collections.abc import Callable
from itertools import count
from time import perf_counter
from typing import Any

import gevent
from locust.exception import StopTest
from locust.runners import MasterRunner

from loadgen.phase import Phase
from loadgen.plugin.crew import CALL, LOOK, Crew

USERS_WITHIN = 120.0
"""Seconds for all users of a phase to be past their on_start."""
ANSWER_WITHIN = 15.0
"""Seconds for a worker to carry out an order, its users' last operations included."""

logger = logging.getLogger("loadgen")


class Lead:
    """Gives each order to all crews and waits for their answers; it is the conductor of a `PhaseShape`."""

    def __init__(self, environment: Any, crew: Crew, after_phase: Callable[[], None]) -> None:
        self._environment = environment
        self._after_phase = after_phase
        self._phase: Phase | None = None
        self._workers: set[str] = set()
        self._crew = crew
        self.run: dict[str, str] = {}
        """Of the run that this leads: its `run_id` and its `server`, told to every exporter."""
        self._numbers = count(1)
        self._answers: dict[int, dict[str, Any]] = {}

    def reset(self) -> None:
        """Begin another run, here and in every process."""
        self._crew.reset()
        self._tell("reset")

    def begin(self, phase: Phase) -> list[Any]:
        """Announce a phase; returns the user classes of its mode and style."""
        logger.info("Phase %d of %d: %s", phase.number + 1, self._environment.shape_class.length, phase.label)
        self._phase, self._workers = phase, _answering(self._environment.runner)
        self._tell("announce", phase=phase.as_message())
        classes = self._environment.user_classes
        return [kind for kind in classes if kind.mode == phase.mode and kind.style == phase.style]

    def measure(self, phase: Phase) -> None:
        """Let a phase run to its end. Raises StopTest where its users do not come."""
        if phase.operations:
            self._enter(phase)
            while not any(self._tell("is_over", number=phase.number)):
                gevent.sleep(LOOK)
            return
        self._wait_for_users(phase)
        self._enter(phase)
        self._tell("open_window", phase=phase.as_message())
        gevent.sleep(phase.warmup_seconds + phase.seconds)

    def finish(self) -> None:
        """Wait until the phase's users are gone and all they did is counted here."""
        self._tell("drain")
        self._crew.exporter.leave()
        self._count_lost()
        self._after_phase()

    def _count_lost(self) -> None:
        """Mark the phase with the workers that were there at its begin and have gone."""
        runner = self._environment.runner
        if isinstance(runner, MasterRunner) and self._phase is not None:
            lost = self._workers - _answering(runner)
            window = self._crew.window(self._phase)
            if lost and window is not None:
                window.workers_lost = len(lost)
                logger.warning("Phase %d lost %d workers", self._phase.number + 1, len(lost))

    def open(self, phase: Phase) -> None:
        """Count for this phase until `stop`."""
        self._enter(phase)
        self._tell("open_window", phase=phase.as_message())

    def _enter(self, phase: Phase) -> None:
        """Not before the run has begun: its id is made then, which is after a first phase is announced."""
        self._crew.exporter.enter(phase, self.run)  # a master gives orders to its workers only
        self._tell("enter", phase=phase.as_message(), run=self.run)

    def stop(self) -> None:
        """Stop all users and collect everything."""
        self._tell("stop")

    def listen(self, environment: Any, msg: Any, **_: Any) -> None:  # noqa: ARG002 - Locust calls with this keyword
        """Listener on the master: a worker's answer."""
        answers = self._answers.get(msg.data["number"])
        if answers is not None:
            answers[msg.node_id] = msg.data["answer"]

    def _wait_for_users(self, phase: Phase) -> None:
        deadline = perf_counter() + USERS_WITHIN
        there = 0
        while perf_counter() < deadline:
            there = sum(self._tell("count_users"))
            lost = self._workers - _answering(self._environment.runner)
            if there == phase.users or (lost and there == self._environment.runner.user_count):
                return
            gevent.sleep(LOOK)
        raise StopTest(f"only {there} of {phase.users} users were there after {USERS_WITHIN:g} s: see the log above")

    def _tell(self, order: str, **message: Any) -> list[Any]:
        """The answers of all crews; a worker that leaves or is silent for too long is missing from them."""
        runner = self._environment.runner
        if not isinstance(runner, MasterRunner):
            return [self._crew.obey(order, message)]
        number = next(self._numbers)
        answers = self._answers[number] = {}
        called = _answering(runner)
        for worker in called:
            runner.send_message(CALL, {"number": number, "order": order, "message": message}, client_id=worker)
        deadline = perf_counter() + ANSWER_WITHIN
        while (missing := called & _answering(runner) - set(answers)) and perf_counter() < deadline:
            gevent.sleep(LOOK)
        if missing:
            logger.warning("No answer to %r from %d of %d workers", order, len(missing), len(called))
        return list(self._answers.pop(number).values())


def _answering(runner: Any) -> set[str]:
    """Ids of the workers that are there; none where there is no master."""
    if not isinstance(runner, MasterRunner):
        return set()
    return {client.id for client in runner.clients.ready + runner.clients.spawning + runner.clients.running}
