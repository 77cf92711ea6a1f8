"""Conducts a run, in the single process or on the master with all its workers."""

import logging
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter, time

from loadgen.control.agents import ANSWER_WITHIN, LOOK, Agents
from loadgen.control.closed import ClosedPhases
from loadgen.control.errors import AgentError, PlanBrokenError
from loadgen.control.fault_phases import FaultPhases
from loadgen.control.link import Link
from loadgen.control.messages import (
    Announce,
    Answer,
    Drain,
    Enter,
    FromAgent,
    Hello,
    Learn,
    Report,
    Stop,
)
from loadgen.control.open_phases import measure_arrivals
from loadgen.control.report_collection import ReportCollector
from loadgen.control.run import Host, PhaseDisplay, Run, find_grace, log_lacking
from loadgen.control.states import State, StateMachine
from loadgen.control.supervisor import Supervisor
from loadgen.measure.ledger import RunCounts
from loadgen.measure.phase import Phase
from loadgen.runtime.hub import pause, spawn
from loadgen.settings.model import Settings
from loadgen.settings.variants import longest_deadline
from loadgen.text.listing import count_of

WORKERS_WITHIN = 60.0
"""Seconds for the expected workers to connect and report what they run, before the run begins."""
ATTEMPTS = 3
"""Maximum attempts at a phase that loses workers which are then replaced."""

logger = logging.getLogger("loadgen")


class Coordinator:
    """Sends each command to all agents and waits for their answers; the conductor of a `PhaseShape`."""

    def __init__(self, link: Link, own: Hello, ledger: RunCounts, display: PhaseDisplay, host: Host) -> None:
        self.agents = Agents(link, own)
        self._link = link
        self._ledger = ledger
        self._display = display
        self._host = host
        self._machine = StateMachine()
        self.run = Run("", Settings(), over=True)
        self._awaited = ""
        """What a run of one mode still waits for before counting; empty once it counts."""
        self._closed = ClosedPhases(self.agents)
        self._gathering = ReportCollector(self.agents, ledger)
        self.faults = FaultPhases(self.agents, self._gathering, host.note_fault)
        parts = (self.agents, self._closed, self._gathering)
        self._supervisor = Supervisor(link, parts, ledger, host, self.end_early)
        self._watching = spawn(self._supervisor.watch, lambda: self.state)

    @property
    def state(self) -> State:
        """State of the run."""
        return self._machine.state

    def close(self) -> None:
        """Close it: no more runs follow."""
        self._watching.kill(block=False)

    # Messages from agents

    def receive(self, agent: str, message: FromAgent) -> None:
        """Process a message; one of another run is dropped and logged."""
        if isinstance(message, Hello):
            self.agents.greet(agent, message)
        elif isinstance(message, Answer):
            self.agents.answer(agent, message)
        elif message.run_id != self.run.run_id:
            if not isinstance(message, Report) or message.body.get("windows") or message.body.get("outside"):
                logger.info("Dropped a %s of %s: it is of run %s", message.kind, agent, message.run_id or "none")
        elif isinstance(message, Report):
            self._gathering.take(agent, message)
        else:
            self.end_early(message.reason if self._link.is_local else f"worker {agent}: {message.reason}")

    # Runs

    def begin_run(self, run: Run) -> None:
        """Prepare all agents. Raises AgentError, before any load, if one cannot be prepared."""
        self._machine.move(State.PREPARING)
        self.run, self._awaited = run, ""
        self._closed.end()
        self.faults.use(run.drill)
        self._gathering.begin_run()
        try:
            self.agents.begin_run(run.run_id, run.preparation, run.expected, WORKERS_WITHIN)
        except BaseException:
            if self.state is State.PREPARING:  # otherwise it was ended in the meantime
                self._machine.move(State.FAILED)
            run.over = True
            raise
        if run.over:
            raise AgentError("the run was ended before it had begun")
        self._supervisor.begin(run)
        self._machine.move(State.READY)

    def teach(self) -> None:
        """Send the exact neighbours, which were computed in one process, to all."""
        if self.run.ground_truths:
            self.agents.ask_all(Learn(tuple(one.as_message() for one in self.run.ground_truths)))

    def end_early(self, reason: str) -> None:
        """End a run that cannot continue; the first reason counts."""
        if self.run.over or self.run.broken:
            return
        self.run.broken = reason
        logger.error("The run ends early: %s", reason)
        self._host.end_run(reason)

    def end_run(self) -> None:
        """Complete the run, however it ended."""
        if self._awaited and not self.run.over:
            self.run.fault(self._awaited)
        self.run.over = True
        self._closed.end()
        if self.state is State.MEASURING:
            self._machine.move(State.DRAINING)
        if self.state is not State.IDLE:
            self._machine.move(State.IDLE)

    # A plan of phases

    def announce(self, phase: Phase) -> None:
        """Announce the next phase: its users or slots follow."""
        self.agents.admit_all()
        self.agents.wait_for_greetings()
        if not self.agents.wait_for_others(1, 0.0 if self._gathering.phase is not None else WORKERS_WITHIN):
            raise PlanBrokenError("no worker is left")
        logger.info("Phase %d of %d: %s", phase.number + 1, len(self.run.plan), phase.label)
        self._display.begin(phase, self.run.plan)
        self._gathering.expect(phase)
        self.agents.ask_all(Announce(phase.starting(time())))

    def measure(self, phase: Phase) -> None:
        """Let a phase run to its end. Raises PlanBrokenError if its users do not start, or have all ended."""
        if phase.operations:
            self._enter(phase)
            self._machine.move(State.MEASURING)
            self._closed.let_burst(phase)
        elif phase.is_open:
            self._machine.move(State.MEASURING)
            measure_arrivals(self.run, phase, (self.agents, self._gathering), self._enter)
        else:
            self._closed.wait_for_users(phase)
            self._open_window(phase)
            self._closed.let_run(phase)
            self._note_gone(phase)

    def next_phase(self) -> Phase | None:
        """The phase that follows the plan: the next step of a search, if any."""
        return self.run.extend_plan()

    def _complete(self, phase: Phase) -> None:
        """A phase was measured to its end, and is not repeated."""
        self.run.completed += 1
        if self.run.finder is not None:
            pause(self.run.finder.observe(phase, self._gathering.window))

    def _note_gone(self, phase: Phase) -> None:
        """Mark the phase with the users that ended early, unless a worker was lost with them."""
        gone, window = self._closed.count_gone(phase), self._gathering.window
        if gone and window is not None:
            window.users_gone = gone
            self.run.fault(f"{gone} of {count_of(phase.users, 'user')} ended before phase {phase.number + 1} did")

    def finish(self, phase: Phase) -> None:
        """Wait until the phase's users have ended and all their operations are counted here."""
        self._collect(Drain(), longest_deadline(self.run.settings) + ANSWER_WITHIN)  # as the last operations may take
        self._host.leave()
        self.agents.present()
        self._gathering.count_lost(phase.workers or self.run.expected)
        self._gathering.describe_sides()
        self.faults.check()
        self._gathering.is_counted = True
        self.agents.admit_all()
        window = self._gathering.window
        if window is not None:
            self._display.finish(window)
            log_lacking(window)
        has_run = window is not None and (window.seconds > 0 or self._gathering.has_lost_workers)
        if phase.operations and not has_run:
            raise PlanBrokenError(f"phase {phase.number + 1} did not run: its user ended before its burst began")
        self._host.after_phase(phase)

    def next_attempt(self, phase: Phase) -> Phase | None:
        """The same phase again, if it has lost workers and the expected number is present again.

        Waits for them for `worker_grace` seconds. None if the plan continues with the next phase.
        """
        if not self._gathering.has_lost_workers:
            self._complete(phase)
            return None
        wanted = phase.workers or self.run.expected
        if phase.attempt + 1 < ATTEMPTS and self._wait_for_replacements(wanted):
            logger.info("Phase %d is measured again: it had lost workers, and all are present", phase.number + 1)
            return replace(phase, attempt=phase.attempt + 1)
        if not self.agents.present():
            raise PlanBrokenError(f"no worker is left after phase {phase.number + 1}")
        self._complete(phase)
        lost = self._gathering.window
        reported = f"phase {phase.number + 1} lacked {lost.workers_lost if lost else 0} of"
        self.run.fault(f"{reported} {count_of(wanted, 'worker')}")
        return None

    def _wait_for_replacements(self, wanted: int) -> bool:
        """True if the expected number of agents is present within the grace period.

        Agents that failed to appear once are not waited for again, unless none is left: a silent one may return.
        """
        known = self.run.deserted and bool(self.agents.present())
        come = self.agents.wait_for_others(wanted, 0.0 if known else find_grace(self.run))
        self.run.deserted |= not come
        return come

    def _collect(self, command: Drain | Stop, within: float) -> set[str]:
        silent = self._gathering.collect(command, within)
        self._closed.end()
        if self.state in (State.READY, State.MEASURING):
            self._machine.move(State.DRAINING)
            self._machine.move(State.READY)
        return silent

    # A run of one mode

    def follow(self, phase: Phase, find_users: Callable[[], int], run_time: float) -> None:
        """Count for this phase once all users have started, until `stop`; returns immediately."""
        self._gathering.expect(phase)
        self._display.begin(phase, (phase,))
        self.agents.ask_all(Announce(phase.starting(time())))
        spawn(self._open_when_started, self.run, phase, find_users, run_time)

    def _open_when_started(self, run: Run, phase: Phase, find_users: Callable[[], int], run_time: float) -> None:
        begun = perf_counter()
        while not run.over and self.run is run:
            users = find_users()
            started = self._closed.count_started() if users else 0
            if started < users:
                missing = f"only {started} of {count_of(users, 'user')} had started"
                self._awaited = f"{missing}, but counting begins with the last"
            elif users:
                self._awaited = ""
                left = max(0.0, run_time - (perf_counter() - begun)) if run_time else 0.0
                self._open_window(replace(phase, concurrency=users), left)
                return
            pause(LOOK)

    def note_end(self) -> None:
        """Before the run is stopped: in a run of one mode, note the users that have ended by themselves."""
        self.run.ended = perf_counter()
        self.faults.note()
        window = self._gathering.window
        if self.run.plan or self.run.over or window is None or not (ended := self._closed.count_ended()):
            return
        window.users_gone = ended
        self.run.fault(f"{count_of(ended, 'user')} ended before the end of the run")

    def stop(self) -> None:
        """Stop all users and collect everything; a phase interrupted by this is marked like one that ends."""
        self._supervisor.rest()
        counted = self._gathering.is_counted
        if not counted:
            self._gathering.describe_sides(within=1.0)
        missed = set(self.agents.missed)  # agents that leave from here on are not lost, silent ones are
        self.agents.missed = missed | self._collect(Stop(), ANSWER_WITHIN)
        if not counted:
            phase = self._gathering.phase
            self._gathering.count_lost((phase.workers if phase else 0) or self.run.expected)
        if self.agents.missed and not self.run.plan:
            self.run.fault(f"lost {len(self.agents.missed)} of {count_of(self.run.expected, 'worker')}")

    # Shared

    def _open_window(self, phase: Phase, run_time: float = 0.0) -> None:
        """Count for a closed phase from now on, in every process, including those that join during it."""
        phase = phase.starting(time())
        there = self.agents.present()
        self._enter(phase, run_time)
        self._machine.move(State.MEASURING)
        self._closed.open(phase, self.run.labels, there)

    def _enter(self, phase: Phase, run_time: float = 0.0) -> None:
        """Show that a phase is running, for the given time if the phase has no length."""
        self._display.open(phase, run_time)
        self._host.enter(phase, self.run.labels)
        if not self._link.is_local:
            self.agents.ask_all(Enter(phase, self.run.labels))
        self.faults.begin(phase)
