"""Who conducts the phases: the local runner, or the master with all its workers."""

import logging
from collections.abc import Callable, Mapping
from itertools import count
from time import perf_counter, time
from typing import Any

import gevent
from locust.exception import StopTest
from locust.runners import MasterRunner

from loadgen.phase import Phase
from loadgen.plugin.arrivals import LOOK, LOOK_FOR_WORKERS, Splitting, tell_flow
from loadgen.plugin.crew import CALL, Crew
from loadgen.plugin.progress import Progress
from loadgen.truth import Truth

USERS_WITHIN = 120.0
"""Seconds for all users of a phase to be past their on_start."""
ANSWER_WITHIN = 15.0
"""Seconds for a worker to carry out an order; what its users' last operations take comes on top."""

AfterPhase = Callable[[Phase | None], None]

logger = logging.getLogger("loadgen")


class Lead:
    """Gives each order to all crews and waits for their answers; it is the conductor of a `PhaseShape`."""

    def __init__(
        self,
        environment: Any,
        crew: Crew,
        progress: Progress,
        after_phase: AfterPhase,
        find_truth: Callable[[], Truth | None] = lambda: None,
    ) -> None:
        self._environment = environment
        self._progress = progress
        self._after_phase = after_phase
        self._find_truth = find_truth
        self._taught: set[str] = set()
        self._phase: Phase | None = None
        self._workers: set[str] = set()
        self._missed: set[str] = set()
        """Of the workers that the phase began with, those that were away at some moment: their load was."""
        self._crew = crew
        self.run: dict[str, str] = {}
        """Of the run that this leads: its `run_id` and its `server`, told to every exporter."""
        self._numbers = count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self._admitting: Any = None

    def reset(self) -> None:
        """Begin another run, here and in every process."""
        self._crew.reset()
        self._taught = set()
        self._tell("reset")

    def begin(self, phase: Phase) -> list[Any]:
        """Announce a phase; returns the user classes of its mode and style."""
        logger.info("Phase %d of %d: %s", phase.number + 1, self._environment.shape_class.length, phase.label)
        self._progress.begin(phase, self._environment.shape_class.phases)
        self._expect(phase)
        self._tell("announce", phase=phase.starting(time()).as_message())
        classes = self._environment.user_classes
        return [kind for kind in classes if kind.mode == phase.mode and kind.style == phase.style]

    def measure(self, phase: Phase) -> None:
        """Let a phase run to its end. Raises StopTest where its users do not come."""
        self._teach()
        if phase.operations:
            self._enter(phase)
            while not any(self._tell("is_over", number=phase.number)):
                gevent.sleep(LOOK)
            return
        if phase.is_open:
            Splitting(self, phase, self.run).measure(lambda: self._enter(phase))
            return
        self._wait_for_users(phase)
        self._open_window(phase)
        gevent.sleep(phase.warmup_seconds + phase.seconds)

    def finish(self) -> None:
        """Wait until the phase's users are gone and all they did is counted here."""
        self._admit_no_more()
        deadline = float(self._environment.parsed_options.deadline)
        self._tell("drain", within=deadline + ANSWER_WITHIN)  # the last operations may take that long
        self._crew.exporter.leave()
        self.find_there()
        self._count_lost()
        self._note_sides()
        if self._phase is not None and (window := self._crew.window(self._phase)) is not None:
            self._progress.finish(window)
            tell_flow(window)
        self._after_phase(self._phase)

    def _teach(self) -> None:
        """Give the exact neighbours to all processes that do not have them yet: they are found in one only."""
        there = _answering(self._environment.runner) or {"here"}
        truth = self._find_truth()
        if truth is not None and not there <= self._taught:
            self._tell("learn", truth=truth.as_message())
            self._taught |= there

    def _note_sides(self, within: float = ANSWER_WITHIN) -> None:
        """Keep with the phase how many connections its mode had, and what data they saw.

        Asked at its end: a start from the page opens the stores when its first phase has begun.
        """
        window = self._crew.window(self._phase) if self._phase is not None else None
        if window is not None:
            seen = self._tell("see", within, mode=str(window.phase.mode))
            window.connections = sum(told["connections"] for told in seen)
            window.data = tuple(sorted({found for told in seen for found in told["data"]}))

    def _expect(self, phase: Phase) -> None:
        """Keep who is there as a phase begins."""
        self._phase, self._workers, self._missed = phase, _answering(self._environment.runner), set()

    def _count_lost(self) -> None:
        """Mark the phase with the workers that were there at its begin and have gone, for good or for a while."""
        window = self._crew.window(self._phase) if self._phase is not None else None
        if self._missed and window is not None:
            window.lose(len(self._missed))
            logger.warning("Phase %d lost %d workers", window.phase.number + 1, len(self._missed))

    def open(self, phase: Phase) -> None:
        """Count for this phase until `stop`."""
        self._expect(phase)
        self._teach()
        self._open_window(phase, self._environment.parsed_options.run_time or 0.0)

    def _open_window(self, phase: Phase, seconds: float = 0.0) -> None:
        """Count for a closed phase from now on, here and in every process, those that join meanwhile too."""
        there = self.find_there()
        self._enter(phase, seconds)
        begun, told = perf_counter(), phase.starting(time()).as_message()
        self.tell_each("open_window", {name: {"phase": told} for name in there})
        if isinstance(self._environment.runner, MasterRunner):
            self._admitting = gevent.spawn(self._admit, told, begun, there)

    def _admit(self, phase: Mapping[str, Any], begun: float, knowing: set[str]) -> None:
        """Tell workers that join of the phase that is under way, in which Locust may give them users.

        One that does not listen yet, and so does not answer, is told again.
        """
        while True:
            gevent.sleep(LOOK_FOR_WORKERS)
            if newcomers := self.find_there() - knowing:
                entered = {"phase": phase, "run": self.run}
                listening = set(self.tell_each("enter", dict.fromkeys(newcomers, entered), within=1.0))
                opened = {"phase": phase, "elapsed": perf_counter() - begun}
                self.tell_each("open_window", dict.fromkeys(listening, opened))
                knowing = knowing | listening

    def _admit_no_more(self) -> None:
        if self._admitting is not None:
            self._admitting.kill(block=False)
            self._admitting = None

    def _enter(self, phase: Phase, seconds: float = 0.0) -> None:
        """Show that a phase runs now, for so long where it has no length of its own.

        Not before the run has begun: its id is made then, which is after a first phase is announced.
        """
        self._progress.open(phase, seconds)
        self._crew.exporter.enter(phase, self.run)  # a master gives orders to its workers only
        self._tell("enter", phase=phase.as_message(), run=self.run)

    def stop(self) -> None:
        """Stop all users and collect everything; a phase that this breaks off is marked as one that ends."""
        self._admit_no_more()
        self._note_sides(within=1.0)
        missed = set(self._missed)  # those that leave from here on are no loss: all are told to
        self._tell("stop")
        self._missed = missed
        self._count_lost()

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

    def find_there(self) -> set[str]:
        """Ids of the workers that are there; where there is no master, "" for this process."""
        runner = self._environment.runner
        if not isinstance(runner, MasterRunner):
            return {""}
        there = _answering(runner)
        self._missed |= self._workers - there
        return there

    def _tell(self, order: str, within: float = ANSWER_WITHIN, **message: Any) -> list[Any]:
        """The answers of all crews; a worker that leaves or is silent for too long is missing from them."""
        return list(self.tell_each(order, dict.fromkeys(self.find_there(), message), within).values())

    def tell_each(
        self, order: str, messages: Mapping[str, Mapping[str, Any]], within: float = ANSWER_WITHIN
    ) -> dict[str, Any]:
        """Give an order with a message of its own to each worker; the answers of those that gave one in time."""
        runner = self._environment.runner
        if not isinstance(runner, MasterRunner):
            return {name: self._crew.obey(order, message) for name, message in messages.items()}
        number = next(self._numbers)
        answers = self._answers[number] = {}
        called = set(messages)
        for worker, message in messages.items():
            runner.send_message(CALL, {"number": number, "order": order, "message": message}, client_id=worker)
        deadline = perf_counter() + within
        while (missing := called & _answering(runner) - set(answers)) and perf_counter() < deadline:
            gevent.sleep(LOOK)
        if missing and within >= ANSWER_WITHIN:
            logger.warning("No answer to %r from %d of %d workers", order, len(missing), len(called))
        return self._answers.pop(number)


def _answering(runner: Any) -> set[str]:
    """Ids of the workers that are there; none where there is no master."""
    if not isinstance(runner, MasterRunner):
        return set()
    return {client.id for client in runner.clients.ready + runner.clients.spawning + runner.clients.running}
