"""What each agent of a simulated run is to have counted, kept beside its ledger and by other means."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from loadgen.control.agent import Agent
from loadgen.control.merged_ledger import MergedLedger
from loadgen.control.messages import (
    Command,
    Drain,
    OpenWindow,
    Prepare,
    Report,
    Stop,
)
from loadgen.exporters import Exporter, Role
from loadgen.measure.ledger import Ledger
from loadgen.measure.operation_stats import CLASSES
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.measure.slices import count_slices

Key = tuple[int, int]
"""Number and attempt of a phase."""
ANSWERED = (Outcome.OK, Outcome.EMPTY)


@dataclass
class Opened:
    """The time in which operations count for a phase, in one agent."""

    phase: Phase
    start: float
    end: float

    @property
    def key(self) -> Key:
        return self.phase.number, self.phase.attempt


@dataclass
class Counts:
    """What was counted in a run. None is outside of all phases."""

    ends: Counter[tuple[Key | None, str, str, Outcome]] = field(default_factory=Counter)
    rows: Counter[tuple[Key, str, str]] = field(default_factory=Counter)
    slices: Counter[tuple[Key, str, int]] = field(default_factory=Counter)
    dropped: Counter[tuple[Key | None, Mode]] = field(default_factory=Counter)
    checks: Counter[Key] = field(default_factory=Counter)

    def add(self, other: "Counts") -> None:
        for name in ("ends", "rows", "slices", "dropped", "checks"):
            getattr(self, name).update(getattr(other, name))

    def copy(self) -> "Counts":
        made = Counts()
        made.add(self)
        return made


@dataclass
class Account:
    """What one agent is to have counted, kept beside its ledger and by other means."""

    run_id: str = ""
    since: float = 0.0
    opened: list[Opened] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def find(self, moment: float) -> Opened | None:
        """Two phases accept late reports: the latest, and the one before."""
        return next((one for one in self.opened[:-3:-1] if one.start <= moment < one.end), None)

    def take(self, sample: Sample, number: int) -> None:
        if sample.scheduled < self.since:
            return
        result = self.find(sample.finished)
        kind = (sample.variant, sample.operation)
        self.counts.ends[result.key if result else None, *kind, sample.outcome] += number
        if result is None:
            return
        self.counts.rows[result.key, *kind] += number * sample.rows
        if sample.outcome in ANSWERED and (seconds := result.phase.seconds):
            place = int((sample.finished - result.start) / seconds * count_slices(seconds))
            self.counts.slices[result.key, sample.operation, place] += number

    def close(self, now: float) -> None:
        if self.opened and now < self.opened[-1].end:
            self.opened[-1].end = max(now, self.opened[-1].start)


class Node:
    """A worker process: an agent, and the account of what it does."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name = name
        self.clock = clock
        self.ledger = Ledger()
        self.account = Account()
        self.made: dict[tuple[str, int], Counts] = {}
        """What it had counted as it made each of its reports, by run and number."""
        self.executed: Counter[tuple[str, int]] = Counter()
        """How often it has carried out each command, by run and number."""
        process_state: Any = SimpleNamespace(
            ledger=self.ledger, phase=None, settled=set(), started=set(), over=set(), errors={}, stores={}, seen={},
            patience=1.0,
            checks=SimpleNamespace(begin=lambda: None), settle=lambda: None, begin_users=lambda: None,
            queue=SimpleNamespace(flush=lambda: True),
        )  # fmt: skip
        runner = SimpleNamespace(user_count=0, user_greenlets=[], stop=lambda: None, worker_index=0)
        exporter = Exporter(Role.WORKER, lambda: 0)
        self.agent = Agent(
            SimpleNamespace(runner=runner), process_state, exporter, lambda _settings, _collections: None, lambda: None
        )
        quiet = SimpleNamespace(in_flight=0, **dict.fromkeys(("begin", "reshare"), lambda *_: None))
        quiet.finish = quiet.complete = lambda: None
        self.agent.arrivals = quiet  # type: ignore[assignment]
        self._carry_out = self.agent._responder._execute
        self.agent._responder._execute = self._execute

    def _execute(self, command: Command) -> Any:
        self.executed[command.run_id, command.sequence] += 1
        before = self.ledger._current
        value = self._carry_out(command)
        if isinstance(command, Prepare):
            self.account = Account(command.run_id, self.clock())
        elif isinstance(command, OpenWindow) and self.ledger._current is not before:
            start = self.clock() - command.elapsed + command.phase.warmup_seconds
            end = start + (command.phase.seconds or float("inf"))
            self.account.opened.append(Opened(command.phase, start, end))
        elif isinstance(command, Drain | Stop):
            self.account.close(self.clock())
            self._note(value["sequence"])
        return value

    def _note(self, sequence: int) -> None:
        self.made[self.account.run_id, sequence] = self.account.counts.copy()

    def report(self) -> Report:
        report = self.agent.report()
        self._note(report.sequence)
        return report


def compare(ledger: MergedLedger, expected: Counts, attempts: dict[int, int]) -> None:
    """Fails where anything of the result is another number than it should be."""

    def where(key: Key | None) -> int | None:
        """Attempts that were made again count in no phase."""
        return key[0] if key is not None and attempts[key[0]] == key[1] else None

    ends: Counter[tuple[int | None, str, str, Outcome]] = Counter()
    times: Counter[tuple[int, str, str, Any]] = Counter()
    slices: Counter[tuple[int, str, int]] = Counter()
    rows: Counter[tuple[int, str, str]] = Counter()
    for number, window in ledger.windows.items():
        for kind, stats in window.operation_stats.items():
            ends.update({(number, *kind, outcome): n for outcome, n in stats.outcomes.items()})
            rows[number, *kind] += stats.rows
            for place, one in stats.times.items():
                times[number, *kind, place] += one._service.get_total_count()
                assert one._response is None or one._response.get_total_count() == one._service.get_total_count()
        for operation, pieces in window.slices.items():
            slices.update({(number, operation, place): piece.operations for place, piece in enumerate(pieces)})
    for kind, outcomes in ledger.outside.items():
        ends.update({(None, *kind, outcome): n for outcome, n in outcomes.items()})

    wanted: Counter[tuple[int | None, str, str, Outcome]] = Counter()
    wanted_times: Counter[tuple[int, str, str, Any]] = Counter()
    for (key, mode, operation, outcome), n in expected.ends.items():
        wanted[where(key), mode, operation, outcome] += n
        if (number := where(key)) is not None:  # type: ignore[assignment]
            wanted_times[number, mode, operation, CLASSES[outcome]] += n
    assert ends == wanted
    assert times == wanted_times
    assert rows == Counter({(k[0], m, o): n for (k, m, o), n in expected.rows.items() if where(k) is not None})
    assert slices == Counter({(k[0], o, p): n for (k, o, p), n in expected.slices.items() if where(k) is not None})

    dropped: Counter[int | None] = Counter({n: window.flow.dropped for n, window in ledger.windows.items()})
    dropped[None] = sum(ledger.dropped_outside.values())
    wanted_dropped: Counter[int | None] = Counter()
    for (key, _), n in expected.dropped.items():
        wanted_dropped[where(key)] += n
    assert dropped == wanted_dropped
    checks = Counter({number: window.recalls.checks for number, window in ledger.windows.items()})
    assert checks == Counter({k[0]: n for k, n in expected.checks.items() if where(k) is not None})
    assert ledger.answered == sum(n for key, n in wanted.items() if key[-1] in ANSWERED)
    assert ledger.failed == sum(n for key, n in wanted.items() if key[-1] not in ANSWERED)
