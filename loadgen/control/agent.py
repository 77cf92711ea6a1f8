"""Carries out the coordinator's commands in a process with users."""

import logging
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from loadgen.clients.base import new_item_names, new_stage_names
from loadgen.clients.layers import new_operation_names
from loadgen.control import messages as to
from loadgen.control.arrivals import LOOK, Arrivals
from loadgen.control.calls import Responder
from loadgen.control.fault_messages import CheckFaults
from loadgen.control.messages import Answer, Command, Confirm, OpenWindow, Prepare, ReadData, Report, Reshare
from loadgen.control.offered_rate import OfferedRate
from loadgen.control.states import State, StateMachine
from loadgen.datasets import GroundTruth
from loadgen.exporters import Exporter
from loadgen.measure.phase import Phase
from loadgen.measure.tracing import make_tracer
from loadgen.runtime.hub import pause
from loadgen.settings.model import Settings
from loadgen.settings.variants import DEFAULT_CLIENT
from loadgen.text.listing import count_of
from loadgen.users import ProcessState
from loadgen.users.process_state import DRAIN_SECONDS

LAST_OPERATIONS = "Waiting for %d users to end, %d operations of theirs are in flight; %.0f s at most"
logger = logging.getLogger("loadgen")


class Agent:
    """One in each process with users. Every method runs on the hub.

    `open_stores` prepares the process for a run with these settings and existing collections, and raises if it cannot;
    `send_stats` sends Locust's own statistics to a master.
    """

    def __init__(
        self,
        environment: Any,
        process_state: ProcessState,
        exporter: Exporter,
        open_stores: Callable[[Settings, Mapping[str, Mapping[str, Any]]], object],
        send_stats: Callable[[], object],
    ) -> None:
        self._environment = environment
        self._process_state = process_state
        self._open_stores = open_stores
        self._send_stats = send_stats
        self._machine = StateMachine()
        self._responder = Responder(self._execute)
        self._counted_run = ""
        """The run whose operations are in the ledger."""
        self._opened = (-1, 0)
        """Number and attempt of the phase that was opened here last."""
        self.describe_data: Callable[[Settings], str] = lambda _settings: ""
        """What this process has to read for a run, read now; blocks. Raises if it cannot be read."""
        self.check_faults: Callable[[str, bool], Mapping[str, Any]] = lambda _variant, _is_over: {}
        self.exporter = exporter
        self._offered = OfferedRate(exporter)
        self.arrivals = Arrivals(environment, process_state, self._is_running)
        self._actions = self._list_actions()

    @property
    def state(self) -> State:
        """State of this process."""
        return self._machine.state

    @property
    def run_id(self) -> str:
        """The run for which it was last prepared."""
        return self._responder.run_id

    def _list_actions(self) -> Mapping[type[Any], Callable[[Any], Any]]:
        process_state, exporter = self._process_state, self.exporter
        return {
            to.ReadData: self._read_data,
            to.Prepare: self._prepare,
            to.Learn: lambda command: process_state.checks.learn(map(GroundTruth.from_message, command.ground_truths)),
            to.Announce: lambda command: self._announce(command.phase),
            to.CountUsers: lambda _: self._count_users(),
            to.CountMissingSlots: lambda command: self.arrivals.count_missing(command.phase),
            to.Enter: lambda command: exporter.enter(command.phase, command.labels),
            to.OpenWindow: self._open_window,
            to.Reshare: self._reshare,
            to.CountBacklog: lambda _: self._count_backlog(),
            to.CutShort: self._cut_short,
            to.IsOver: lambda command: command.number in process_state.over,
            to.Describe: lambda command: self._describe(command.variant),
            CheckFaults: lambda command: self.check_faults(command.variant, command.is_over),
            to.Drain: self._drain,
            to.Stop: self._stop,
        }

    def is_ready(self, run_id: str) -> bool:
        """True if users of this run may start here."""
        return self._counted_run == run_id and self.state not in (State.IDLE, State.PREPARING, State.FAILED)

    def receive(self, command: Command) -> Answer | None:
        """Carry out a command, blocking until it is done; returns the answer, or None if there is none."""
        if isinstance(command, Confirm):
            if command.run_id == self.run_id:
                self._process_state.ledger.confirm(command.report)
            return None
        return self._responder.receive(command)

    def report(self) -> Report:
        """Everything counted so far."""
        body = self._process_state.ledger.take_report(perf_counter())
        return Report(self._counted_run, body["sequence"], body, self.in_flight)

    @property
    def in_flight(self) -> int:
        """Operations in flight in this process."""
        greenlets = self._environment.runner.user_greenlets
        users: int = sum(one.args[0].sent for one in greenlets if one.args)
        return users + self.arrivals.in_flight

    def look(self) -> tuple[int, float, dict[str, float]]:
        """Operations in flight; since the last call, the lag of arrivals and how long each stage held the loop."""
        self._offered.update()
        return self.in_flight, self.arrivals.take_lag(), self._process_state.loop_holds.take()

    def break_off(self) -> None:
        """End the run immediately: interrupt a timed phase, and stop arrivals."""
        self._process_state.ledger.cut(perf_counter())
        self.arrivals.finish()

    def _execute(self, command: Command) -> Any:
        return self._actions[type(command)](command)

    def _is_running(self) -> bool:
        """Whether slots may be created: Locust sends a worker that joins an open phase no users, and so no start."""
        return self.state in (State.READY, State.MEASURING) and not self._process_state.is_ending()

    def _read_data(self, command: ReadData) -> None:
        """Read the files of a run; they are kept for `_prepare`. Raises RuntimeError if they differ."""
        result = self.describe_data(Settings.parse(command.settings))
        if result != command.data:
            hint = "Give every machine the same --documents and --questions"
            raise RuntimeError(f"it has {result}, the master has {command.data}. {hint}")

    def _prepare(self, command: Prepare) -> None:
        """Begin another run. Raises RuntimeError if yet another one has begun in the meantime."""
        while self.state is State.PREPARING:  # for an earlier run, abandoned by its coordinator
            pause(LOOK)
        self._check_run(command)
        self._machine.move(State.PREPARING)
        try:
            self._end_leftover_users()
            self._send_stats()  # of the previous run, under its name
            settings = Settings.parse(command.settings)
            self.reset(command.run_id, settings.client)
            self._trace(settings)
            self.exporter.begin(settings)
            self.exporter.run_id = command.run_id
            self._open_stores(settings, command.collections)
        except BaseException:
            self._machine.move(State.FAILED)
            raise
        self._machine.move(State.READY)

    def _check_run(self, command: Command) -> None:
        """Raises RuntimeError if this process has been prepared for another run in the meantime."""
        if command.run_id != self.run_id:
            raise RuntimeError(f"run {self.run_id} has begun here")

    def reset(self, run_id: str, client: str = DEFAULT_CLIENT) -> None:
        """Discard the counts of an earlier run, and count for this one; `client` is its usual layer."""
        self.arrivals.finish()
        self._process_state.ledger.reset(perf_counter())
        self._counted_run = run_id
        self._process_state.operation_names = new_operation_names(client)
        self._process_state.stage_names = new_stage_names()
        self._process_state.item_names = new_item_names()
        self._process_state.settled.clear()
        self._process_state.over.clear()
        self._process_state.errors.clear()
        self._process_state.phase = None
        self._opened = (-1, 0)
        self._process_state.checks.begin()

    def _trace(self, settings: Settings) -> None:
        """Sample operations of the run, others in each process."""
        worker = max(0, self._environment.runner.worker_index)
        self._process_state.tracer = make_tracer(settings.trace_sample, settings.seed, worker)
        self._process_state.ledger.is_traced = self._process_state.tracer is not None

    def _announce(self, phase: Phase) -> None:
        self._end_leftover_users()
        self._process_state.phase = phase
        self._process_state.over.discard(phase.number)  # of an earlier attempt
        self._process_state.begin_users()

    def _end_leftover_users(self) -> None:
        """End users of an earlier phase, which remain on a worker that was absent when they should have ended.

        Locust counts such a worker as empty, and would treat them as users of the next phase.
        """
        runner = self._environment.runner
        if runner.user_count:
            logger.warning("Ending %s that an earlier phase has left here", count_of(runner.user_count, "user"))
            runner.stop_users(dict(runner.user_classes_count))
            self._process_state.queue.flush()

    def _count_users(self) -> dict[str, int]:
        result = {
            "present": self._process_state.settled,
            "started": self._process_state.started,
            "ended": self._process_state.ended,
        }
        return {name: len(users) for name, users in result.items()}

    def _describe(self, variant: str) -> dict[str, Any]:
        stores = self._process_state.stores.get(variant, ())
        return {"connections": len(stores), "data": self._process_state.seen.get(variant, [])}

    def _open_window(self, command: OpenWindow) -> None:
        """Begin the warm-up, now or some time ago; operations that finish after it and before the phase's end count.

        A worker that was silent for a while and receives its phase again continues counting: only its share changes.
        """
        key = (command.phase.number, command.phase.attempt)
        if self._opened > key:
            raise RuntimeError(f"phase {command.phase.number + 1} is over here")
        if self._opened == key:
            if command.share is not None:
                self._reshare(Reshare(command.share))
            return
        self._machine.move(State.MEASURING)
        self._opened = key
        phase = self._process_state.phase = command.phase
        begun = perf_counter() - command.elapsed
        start = begun + phase.warmup_seconds
        end = start + phase.seconds if phase.seconds else float("inf")
        self._process_state.ledger.open(phase, start, end, entered=perf_counter())
        if command.share is not None:
            self._offered.begin(phase, begun, command.share.parts)
            self.arrivals.begin(begun, command.share)

    def _reshare(self, command: Reshare) -> None:
        self._offered.reshare(command.share.parts)
        self.arrivals.reshare(command.share)

    def _count_backlog(self) -> dict[str, int]:
        dropped = self._process_state.ledger.count_dropped()
        return {"waiting": self.arrivals.waiting, "in_flight": self.arrivals.in_flight, "dropped": dropped}

    def _cut_short(self, command: to.CutShort) -> None:
        phase = self._process_state.phase
        if phase is not None and phase.number == command.number:
            self._process_state.ledger.cut(perf_counter())
            self.arrivals.halt()

    def _drain(self, command: to.Drain | to.Stop) -> dict[str, Any]:
        """Wait until no user and no arrival is left, then count every sample, and return the report.

        Raises RuntimeError if another run has begun in the meantime.
        """
        self._machine.move(State.DRAINING)
        runner = self._environment.runner
        begun, logged = perf_counter(), False
        while runner.user_count and (waited := perf_counter() - begun) < self._process_state.patience + 5:
            if waited > DRAIN_SECONDS and not logged:
                logged = True
                logger.info(LAST_OPERATIONS, runner.user_count, self.in_flight, self._process_state.patience - waited)
            pause(LOOK)
            self._check_run(command)
        self.arrivals.complete()
        self._check_run(command)
        self._offered.end()
        self.exporter.rest()
        self.exporter.leave()
        self._process_state.ledger.close(perf_counter())
        if not self._process_state.queue.flush():
            logger.error("Samples were still arriving when they were to be counted: the figures lack some")
        self._process_state.settle()
        self._send_stats()  # Locust sends them only every 3 s, and waits 0.5 s for the last ones
        if self.state is State.DRAINING:
            self._machine.move(State.READY)
        return self._process_state.ledger.take_report(perf_counter(), final=True)

    def _stop(self, command: to.Stop) -> dict[str, Any]:
        self._environment.runner.stop()
        return self._drain(command)
