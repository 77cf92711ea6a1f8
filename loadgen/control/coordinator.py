"""Who conducts a run: the one process, or the master with all its workers."""

import logging
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter, time

from loadgen.conflicts import without_secret
from loadgen.control.agents import ANSWER_WITHIN, LOOK, Agents, summed
from loadgen.control.errors import PlanBrokenError
from loadgen.control.link import Link
from loadgen.control.merged import MergedLedger
from loadgen.control.messages import (
    Announce,
    Answer,
    CountUsers,
    Describe,
    Drain,
    Enter,
    FromAgent,
    Hello,
    IsOver,
    Learn,
    OpenWindow,
    Report,
    Stop,
)
from loadgen.control.run import Board, Host, Run, log_lacking
from loadgen.control.splitting import LOOK_FOR_WORKERS, Splitting
from loadgen.control.states import State, StateMachine
from loadgen.control.watch import SuccessWatch
from loadgen.ledger import Counted
from loadgen.phase import Phase
from loadgen.runtime.hub import pause, spawn
from loadgen.settings import Settings
from loadgen.window import Window

USERS_WITHIN = 120.0
"""Seconds for all users of a phase to be past their on_start."""
WORKERS_WITHIN = 60.0
"""Seconds for the workers that a run expects to be connected, and to say what they run, before it begins."""
LOOK_AT_USERS = 1.0
"""Seconds between two looks whether users have ended, and whether the server still answers."""
ATTEMPTS = 3
"""How often a phase is begun at most, where workers are lost in it and others come."""

logger = logging.getLogger("loadgen")


class Coordinator:
    """Gives each command to all agents and waits for their answers; it is the conductor of a `PhaseShape`."""

    def __init__(self, link: Link, own: Hello, ledger: Counted, board: Board, host: Host) -> None:
        self.agents = Agents(link, own)
        self._link = link
        self._ledger = ledger
        self._board = board
        self._host = host
        self._machine = StateMachine()
        self.run = Run("", Settings(), over=True)
        self._phase: Phase | None = None
        self._opened: tuple[Phase, float] | None = None
        """The closed phase that runs, and when it began (perf_counter)."""
        self._in_flight: dict[str, int] = {}
        self._watch = SuccessWatch(0.0)
        self._alone_since = 0.0
        self._admitting: set[str] = set()
        self._supervisor = spawn(self._supervise)

    @property
    def state(self) -> State:
        """Where the run stands."""
        return self._machine.state

    def close(self) -> None:
        """No run comes any more."""
        self._supervisor.kill(block=False)

    # What agents say

    def receive(self, agent: str, message: FromAgent) -> None:
        """Take one message; one of another run is dropped and logged."""
        if isinstance(message, Hello):
            self.agents.greet(agent, message)
        elif isinstance(message, Answer):
            self.agents.answer(agent, message)
        elif message.run_id != self.run.run_id:
            if not (
                isinstance(message, Report) and not message.body.get("windows") and not message.body.get("outside")
            ):
                logger.info("Dropped a %s of %s: it is of run %s", message.kind, agent, message.run_id or "none")
        elif isinstance(message, Report):
            self._in_flight[agent] = message.in_flight
            if isinstance(self._ledger, MergedLedger):
                self._ledger.merge(message.body, agent)
        else:
            self.end_early(message.reason if self._link.is_local else f"worker {agent}: {message.reason}")

    # A run

    def begin_run(self, run: Run) -> None:
        """Make all agents ready. Raises AgentError where one cannot be: nothing was sent then."""
        self._machine.move(State.PREPARING)
        self.run = run
        self._phase = self._opened = None
        self._in_flight = {}
        if isinstance(self._ledger, MergedLedger):
            self._ledger.reset()
        try:
            self.agents.begin_run(run.run_id, run.settings.as_message(), run.expected, WORKERS_WITHIN)
        except BaseException:
            self._machine.move(State.FAILED)
            self.run.over = True
            raise
        self._watch = SuccessWatch(find_patience(run.settings))
        self._alone_since = perf_counter()
        self._machine.move(State.READY)

    def teach(self) -> None:
        """Give the exact neighbours, which were found in one process, to all."""
        if self.run.truth is not None:
            self.agents.ask_all(Learn(self.run.truth.as_message()))

    def end_early(self, reason: str) -> None:
        """The run cannot go on; the first reason counts."""
        if self.run.over or self.run.broken:
            return
        self.run.broken = reason
        logger.error("The run ends early: %s", reason)
        self._host.end_run(reason)

    def end_run(self) -> None:
        """The run is over, however it ended."""
        self.run.over = True
        self._opened = None
        if self.state is State.MEASURING:
            self._machine.move(State.DRAINING)
        if self.state is not State.IDLE:
            self._machine.move(State.IDLE)

    def _supervise(self) -> None:
        """Look after agents that join, users that end and a server that falls silent."""
        looked_at = 0.0
        while True:
            pause(LOOK_FOR_WORKERS)
            if self.run.over or self.state in (State.IDLE, State.PREPARING, State.FAILED):
                continue
            for name in self.agents.newcomers() - self._admitting:
                self._admitting.add(name)
                spawn(self._admit, name)
            if perf_counter() - looked_at >= LOOK_AT_USERS:
                looked_at = perf_counter()
                self._look_at_server()
                if not self.run.plan:
                    self._look_at_workers()

    def _look_at_workers(self) -> None:
        """A run of one mode whose workers have all gone ends, where no other comes within the grace."""
        if self.agents.present():
            self._alone_since = perf_counter()
        elif perf_counter() - self._alone_since > self.run.settings.worker_grace:
            self.end_early("no worker is left")

    def _admit(self, name: str) -> None:
        """Make a worker that has joined ready, and have it count for the closed phase that runs."""
        try:
            truth = self.run.truth.as_message() if self.run.truth is not None else None
            if why := self.agents.prepare(name, self.run.settings.as_message(), truth):
                if name in self._link.connected():
                    self.agents.dismiss(name, why)
                return
            self._open_for({name})
        finally:
            self._admitting.discard(name)

    def _open_for(self, names: set[str]) -> None:
        if self._opened is not None:
            phase, begun = self._opened
            self.agents.ask(dict.fromkeys(names, Enter(phase, self.run.labels)))
            self.agents.ask(dict.fromkeys(names, OpenWindow(phase, elapsed=perf_counter() - begun)))

    def _look_at_server(self) -> None:
        if death := self._host.find_death():
            self.end_early(death)
            return
        if self.state is not State.MEASURING:
            self._watch.restart(perf_counter())
            return
        there = self.agents.present()
        in_flight = self._host.count_in_flight() + sum(n for name, n in self._in_flight.items() if name in there)
        if why := self._watch.judge(perf_counter(), self._ledger.answered, self._ledger.failed, in_flight):
            self.end_early(f"{why}: is the server at {without_secret(self.run.settings.host)} alive?")

    # A plan of phases

    def announce(self, phase: Phase) -> None:
        """A phase is next: its users come, or its slots."""
        self._await_workers(0.0 if self._phase is not None else WORKERS_WITHIN)
        logger.info("Phase %d of %d: %s", phase.number + 1, len(self.run.plan), phase.label)
        self._board.begin(phase, self.run.plan)
        self._expect(phase)
        self.agents.ask_all(Announce(phase.starting(time())))

    def _await_workers(self, within: float) -> None:
        deadline = perf_counter() + within
        while not self.agents.present() and perf_counter() < deadline:
            pause(LOOK)
        if not self.agents.present():
            raise PlanBrokenError("no worker is left")

    def measure(self, phase: Phase) -> None:
        """Let a phase run to its end. Raises PlanBrokenError where its users do not come, or all have ended."""
        if phase.operations:
            self._measure_burst(phase)
        elif phase.is_open:
            self._machine.move(State.MEASURING)
            Splitting(self.agents, phase, self.run.labels).measure(self._enter)
        else:
            self._wait_for_users(phase)
            self._open_window(phase)
            self._let_run(phase)

    def _measure_burst(self, phase: Phase) -> None:
        self._enter(phase)
        self._machine.move(State.MEASURING)
        while self.agents.present() and not any(self.agents.ask_all(IsOver(phase.number))):
            pause(LOOK)

    def _let_run(self, phase: Phase) -> None:
        """Sleep until the phase's end; raises PlanBrokenError where none of its users is left."""
        end = perf_counter() + phase.warmup_seconds + phase.seconds
        while (left := end - perf_counter()) > 0 and self.agents.present():
            pause(min(left, LOOK_AT_USERS))
            if left > LOOK_AT_USERS and not self._count_present():
                raise PlanBrokenError(f"all {phase.users} users of phase {phase.number + 1} ended by themselves")
        self._note_gone(phase)

    def _count_present(self) -> int:
        """Users that have not ended; where an agent does not answer in time, nobody knows and they count as there."""
        there = self.agents.present()
        answers = self.agents.ask(dict.fromkeys(there, CountUsers()), within=LOOK_AT_USERS).values
        return summed(list(answers.values()), "present") if len(answers) == len(there) else 1

    def _note_gone(self, phase: Phase) -> None:
        """Mark the phase with the users that ended before its end, where no worker has taken them along."""
        there = self.agents.present()
        answers = self.agents.ask(dict.fromkeys(there, CountUsers()), within=LOOK_AT_USERS).values
        if self.agents.missed or len(answers) < len(there):
            return
        gone = phase.users - summed(list(answers.values()), "present")
        window = self._window(phase)
        if gone > 0 and window is not None:
            window.users_gone = gone
            self._fault(f"{gone} of {phase.users} users ended before the end of phase {phase.number + 1}")

    def _fault(self, words: str) -> None:
        logger.warning("%s", words[:1].upper() + words[1:])
        self.run.faults.append(words)

    def finish(self, phase: Phase) -> None:
        """Wait until the phase's users are gone and all they did is counted here."""
        self._collect(Drain(), self.run.settings.deadline + ANSWER_WITHIN)  # the last operations may take that long
        self._host.leave()
        self.agents.present()
        self._count_lost()
        self._describe_sides()
        window = self._window(phase)
        if window is not None:
            self._board.finish(window)
            log_lacking(window)
        if phase.operations and window is None:
            raise PlanBrokenError(f"phase {phase.number + 1} did not run: its user ended before its burst began")
        self._host.after_phase(phase)

    def next_attempt(self, phase: Phase) -> Phase | None:
        """The same phase once more, where it has lost workers and as many as are expected are present again.

        Waits for them for `worker_grace` seconds. None where the plan goes on.
        """
        if not self._lacked(phase):
            self.run.completed += 1
            return None
        if phase.attempt + 1 < ATTEMPTS and self._wait_for_replacements():
            logger.info("Phase %d is measured again: it had lost workers, and all are present", phase.number + 1)
            return replace(phase, attempt=phase.attempt + 1)
        if not self.agents.present():
            raise PlanBrokenError(f"no worker is left after phase {phase.number + 1}")
        self.run.completed += 1
        lost = self._window(phase)
        self.run.faults.append(f"phase {phase.number + 1} lacked {lost.workers_lost if lost else 'some'} workers")
        return None

    def _lacked(self, phase: Phase) -> bool:
        window = self._window(phase)
        return bool(self.agents.missed) or (window is not None and window.workers_lost > 0)

    def _wait_for_replacements(self) -> bool:
        """True where as many agents are present as the run expects, at the latest within the grace."""
        grace = self.run.settings.worker_grace
        deadline = perf_counter() + grace
        if len(self.agents.present()) < self.run.expected and grace:
            logger.warning(
                "%d of %d workers are present; waiting up to %g s for others",
                *(len(self.agents.present()), self.run.expected, grace),
            )
        while len(self.agents.present()) < self.run.expected:
            if perf_counter() >= deadline:
                self.run.settings = self.run.settings.model_copy(update={"worker_grace": 0.0})  # it was waited once
                return False
            pause(LOOK)
        return True

    def _expect(self, phase: Phase) -> None:
        """Note who is present as a phase begins."""
        self._phase = phase
        self.agents.mark_phase()
        if isinstance(self._ledger, MergedLedger):
            self._ledger.expect(phase)

    def _window(self, phase: Phase) -> Window | None:
        return self._ledger.windows.get(phase.number)

    def _count_lost(self) -> None:
        """Mark the phase with the workers that it lacked: those that left meanwhile, and those that never came."""
        window = self._window(self._phase) if self._phase is not None else None
        if window is None:
            return
        lacking = max(len(self.agents.missed), self.run.expected - self.agents.began)
        if lacking > 0:
            window.lose(lacking)
            logger.warning("Phase %d lacked %d of %d workers", window.phase.number + 1, lacking, self.run.expected)

    def _describe_sides(self, within: float = ANSWER_WITHIN) -> None:
        """Keep with the phase how many connections its mode had, and what data they saw."""
        window = self._window(self._phase) if self._phase is not None else None
        if window is not None:
            seen = self.agents.ask_all(Describe(window.phase.mode), within)
            window.connections = sum(one["connections"] for one in seen)
            window.data = tuple(sorted({found for one in seen for found in one["data"]}))

    def _collect(self, command: Drain | Stop, within: float) -> None:
        call = self.agents.ask(dict.fromkeys(sorted(self.agents.present()), command), within)
        self._opened = None
        if self.state in (State.READY, State.MEASURING):
            self._machine.move(State.DRAINING)
            self._machine.move(State.READY)
        if isinstance(self._ledger, MergedLedger):
            for agent, body in call.values.items():
                self._ledger.merge(body, agent)

    # A run of one mode

    def follow(self, phase: Phase, find_users: Callable[[], int], run_time: float) -> None:
        """Count for this phase as soon as all users have started, until `stop`; returns immediately."""
        self._expect(phase)
        self._board.begin(phase, (phase,))
        self.agents.ask_all(Announce(phase.starting(time())))
        spawn(self._open_when_started, self.run, phase, find_users, run_time)

    def _open_when_started(self, run: Run, phase: Phase, find_users: Callable[[], int], run_time: float) -> None:
        begun = perf_counter()
        while not run.over and self.run is run:
            users = find_users()
            there = self.agents.present()
            answers = self.agents.ask(dict.fromkeys(there, CountUsers()), within=LOOK_AT_USERS).values
            if users and summed(list(answers.values()), "started") >= users:
                left = max(0.0, run_time - (perf_counter() - begun)) if run_time else 0.0
                self._open_window(replace(phase, concurrency=users), left)
                return
            pause(LOOK)

    def stop(self) -> None:
        """Stop all users and collect everything; a phase that this breaks off is marked as one that ends."""
        self._describe_sides(within=1.0)
        missed = set(self.agents.missed)  # those that leave from here on are no loss: all are told to
        self._collect(Stop(), ANSWER_WITHIN)
        self.agents.missed = missed
        self._count_lost()
        if self.agents.missed and not self.run.plan:
            self.run.faults.append(f"{len(self.agents.missed)} of {self.run.expected} workers were lost")

    # Shared

    def _open_window(self, phase: Phase, run_time: float = 0.0) -> None:
        """Count for a closed phase from now on, in every process, those that join meanwhile too."""
        phase = phase.starting(time())
        there = self.agents.present()
        self._enter(phase, run_time)
        self._machine.move(State.MEASURING)
        self._opened = (phase, perf_counter())
        self.agents.ask(dict.fromkeys(sorted(there), OpenWindow(phase)))
        if joined := self.agents.present() - there:
            self._open_for(joined)

    def _enter(self, phase: Phase, run_time: float = 0.0) -> None:
        """Show that a phase runs now, for so long where it has no length of its own."""
        self._board.open(phase, run_time)
        self._host.enter(phase, self.run.labels)
        if not self._link.is_local:
            self.agents.ask_all(Enter(phase, self.run.labels))

    def _wait_for_users(self, phase: Phase) -> None:
        deadline = perf_counter() + USERS_WITHIN
        started = 0
        while perf_counter() < deadline:
            started = summed(self.agents.ask_all(CountUsers(), within=LOOK_AT_USERS), "started")
            if started >= phase.users or (self.agents.missed and started):
                return
            pause(LOOK)
        raise PlanBrokenError(f"only {started} of {phase.users} users started within {USERS_WITHIN:g} s")


def find_patience(settings: Settings) -> float:
    """Seconds without a success that end the run: not before an operation could have met its deadline."""
    return max(settings.give_up_after, settings.deadline + 1) if settings.give_up_after else 0.0
