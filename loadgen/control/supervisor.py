"""Supervises a run in progress: workers that join, a server that stops answering, a run without workers."""

from collections.abc import Callable
from time import perf_counter

from loadgen.control.agents import Agents
from loadgen.control.closed import LOOK_AT_USERS, ClosedPhases
from loadgen.control.guardrail import Guardrail
from loadgen.control.link import Link
from loadgen.control.rate_split import LOOK_FOR_WORKERS
from loadgen.control.report_collection import ReportCollector
from loadgen.control.run import Host, Run, find_grace
from loadgen.control.states import State
from loadgen.control.success_timeout import SuccessWatch, find_patience
from loadgen.measure.ledger import RunCounts
from loadgen.results.requirements.abort_conditions import read_abort_conditions
from loadgen.runtime.hub import pause, spawn
from loadgen.settings.conflicts import without_secret
from loadgen.settings.variants import find_variants


class Supervisor:
    """Runs next to each coordinator, on the hub. Calls `end_early` with the reason if a run cannot continue."""

    def __init__(
        self,
        link: Link,
        parts: tuple[Agents, ClosedPhases, ReportCollector],
        ledger: RunCounts,
        host: Host,
        end_early: Callable[[str], object],
    ) -> None:
        self._link = link
        self._agents, self._closed, self._gathering = parts
        self._ledger = ledger
        self._host = host
        self._end_early = end_early
        self._run: Run | None = None
        self._watch = SuccessWatch(0.0)
        self._guardrail = Guardrail((), ledger)
        self._alone_since = 0.0
        self._admitting: set[str] = set()

    def begin(self, run: Run) -> None:
        """Supervise this run, once its agents are ready."""
        self._run = run
        self._watch = SuccessWatch(find_patience(run.settings))
        names = [one.name for one in find_variants(run.settings)]
        conditions, _ = read_abort_conditions(run.settings.abort_when, names)
        self._guardrail = Guardrail(conditions, self._ledger)
        self._alone_since = perf_counter()

    def rest(self) -> None:
        """The run is being stopped: missing agents no longer matter."""
        self._run = None

    def watch(self, find_state: Callable[[], State]) -> None:
        """Loop forever; `find_state` returns the state of the coordinator."""
        looked_at = 0.0
        while True:
            pause(LOOK_FOR_WORKERS)
            run, state = self._run, find_state()
            if run is None or run.over or state in (State.IDLE, State.PREPARING, State.FAILED):
                continue
            self._agents.dismiss_silent()
            for name in self._agents.newcomers() - self._admitting:
                self._admitting.add(name)
                spawn(self._admit, name, run)
            if perf_counter() - looked_at >= LOOK_AT_USERS:
                looked_at = perf_counter()
                self._look_at_server(run, is_measuring=state is State.MEASURING)
                self._look_at_workers(run)

    def _admit(self, name: str, run: Run) -> None:
        """Prepare a worker that has joined, and make it count for the current closed phase."""
        try:
            ground_truths = tuple(one.as_message() for one in run.ground_truths)
            if why := self._agents.prepare(name, run.preparation, ground_truths):
                if name in self._link.connected():
                    self._agents.dismiss(name, why)
                return
            self._closed.join({name})
        finally:
            self._admitting.discard(name)

    def _look_at_workers(self, run: Run) -> None:
        """End a run without a plan if all its workers are lost and none joins within the grace period."""
        if run.plan or self._agents.present():
            self._alone_since = perf_counter()
        elif perf_counter() - self._alone_since > find_grace(run):
            self._end_early("no worker is left")

    def _look_at_server(self, run: Run, *, is_measuring: bool) -> None:
        if run.drill is not None and run.drill.suspends():
            self._watch.restart(perf_counter())
            return
        if death := self._host.find_death():
            self._end_early(death)
            return
        if not is_measuring:
            self._watch.restart(perf_counter())
            return
        if (phase := self._gathering.phase) is not None and (why := self._guardrail.judge(perf_counter(), phase)):
            self._host.note_abort()
            self._end_early(why)
            return
        in_flight = self._host.count_in_flight() + self._gathering.count_in_flight()
        if why := self._watch.judge(perf_counter(), self._ledger.answered, self._ledger.failed, in_flight):
            self._end_early(f"{why}: is the server at {without_secret(run.settings.host)} alive?")
