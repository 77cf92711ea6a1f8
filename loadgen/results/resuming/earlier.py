"""What an interrupted run has measured, and what follows from it for the process that continues it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from loadgen.measure.phase import Phase
from loadgen.measure.sample import Outcome, count_failures
from loadgen.results.fault_results import count_expected
from loadgen.results.phase_result import PhaseResult
from loadgen.results.record import Outside, PhaseRecord, Resumption, RunRecord, TaskErrorRecord, read_record
from loadgen.results.resuming.passes import count_complete
from loadgen.results.resuming.state import Identity, find_newest, read_state, restore_phase
from loadgen.settings.faults import Fault, SettingsError
from loadgen.text.listing import count_of

SHOWN = 8
"""Maximum differences that a refusal names."""
TaskErrorKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Earlier:
    """The interrupted run. Its phases that are measured again count outside of all phases."""

    record: RunRecord
    """As it was left."""
    results: tuple[PhaseResult, ...]
    """The phases that count, from the first on."""
    planned: int
    """Number of phases of the whole plan."""
    objections: Mapping[str, tuple[str, ...]]
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it is continued."""

    @property
    def is_measured(self) -> bool:
        """True if no phase is missing."""
        return len(self.results) == self.planned

    @property
    def is_over(self) -> bool:
        """True if it also came to its end: its verdict is in the record."""
        return self.is_measured and self.record.incomplete is not None

    def continue_record(self) -> RunRecord:
        """The record to go on with: what counts so far."""
        again = () if self.is_measured else (Resumption(at=self.at, phase=len(self.results) + 1),)
        update = {
            "phases": tuple(result.record for result in self.results),
            "comparisons": (),
            "incomplete": None,
            "resumed": (*self.record.resumed, *again),
        }
        return self.record.model_copy(update=update)

    @property
    def faults(self) -> list[str]:
        """Deviations from the plan in the phases that count."""
        results = []
        for result in self.results:
            if lost := result.record.workers_lost:
                results.append(f"phase {result.number} lacked {count_of(lost, 'worker')}")
            if gone := result.record.users_gone:
                results.append(f"{count_of(gone, 'user')} ended before phase {result.number} did")
        return results

    @property
    def failed(self) -> int:
        """Operations that failed or were dropped, in all phases and outside of them, unless a fault explains them."""
        phases = self.record.phases
        in_phases = sum(count_failures(part.totals) for phase in phases for part in phase.operations)
        outside = sum(count_failures(part.totals) for part in self.record.outside)
        dropped = sum(phase.dropped for phase in phases) + sum(self.record.dropped_outside.values())
        again = self.record.model_copy(update={"phases": self._repeated})
        return in_phases + outside + dropped - count_expected(again)

    @property
    def _repeated(self) -> tuple[PhaseRecord, ...]:
        return self.record.phases[len(self.results) :]

    def add_outside(self, now: Sequence[Outside]) -> tuple[Outside, ...]:
        """The operations outside of all phases, with those of this run."""
        total: dict[tuple[bool, str, str], Counter[Outcome]] = {}
        for one in (*self.record.outside, *now):
            total.setdefault((one.is_nested, one.variant, one.operation), Counter()).update(one.outcomes)
        for phase in self._repeated:
            for part in phase.operations:
                total.setdefault((False, phase.variant, part.operation), Counter()).update(part.totals)
                if part.nested:
                    total.setdefault((True, phase.variant, part.operation), Counter()).update(part.nested)
        return tuple(
            Outside(variant=variant, operation=name, outcomes=dict(outcomes), is_nested=is_nested)
            for (is_nested, variant, name), outcomes in sorted(total.items())
            if outcomes
        )

    def add_dropped(self, now: Mapping[str, int]) -> dict[str, int]:
        """Arrivals dropped outside of all phases, by variant, with those of this run."""
        total = Counter(self.record.dropped_outside)
        total.update(now)
        for phase in self._repeated:
            total[phase.variant] += phase.dropped
        return {name: number for name, number in total.items() if number}

    def add_errors(self, now: Sequence[TaskErrorRecord]) -> tuple[TaskErrorRecord, ...]:
        """Exceptions of tasks outside of all phases, with those of this run."""
        again = [one for phase in self._repeated for one in phase.task_errors]
        total: Counter[TaskErrorKey] = Counter()
        for one in (*self.record.task_errors_outside, *again, *now):
            total[one.variant, one.error, one.place] += one.count
        return tuple(
            TaskErrorRecord(variant=variant, error=error, place=place, count=number)
            for (variant, error, place), number in total.items()
        )


def find_earlier(folder: str, identity: Identity, plan: Sequence[Phase]) -> Earlier | None:
    """The newest run of a folder that can be continued; None if there is none.

    Raises SettingsError if it is another run, RecordError if it cannot be read.
    """
    path = find_newest(folder)
    if path is None:
        return None
    state = read_state(path)
    if not (Path(folder) / f"{state.run_id}.json").exists():  # it was ended before its first phase was
        return None
    if differences := state.identity.differences(identity):
        reported = "; ".join(differences[:SHOWN])
        more = f"; and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
        hint = "Start it with the same settings, or give another folder with --record."
        raise SettingsError([Fault("resume", "", f"cannot continue run {state.run_id}: {reported}{more}", hint)])
    record = read_record(Path(folder) / f"{state.run_id}.json")
    known = {one.number: one for one in state.phases}
    measured = record.phases[: next((number for number in range(len(record.phases)) if number not in known), None)]
    kept = count_complete(plan, measured)
    results = tuple(
        restore_phase(phase, one, known[phase.number]) for phase, one in zip(plan[:kept], measured, strict=False)
    )
    return Earlier(record, results, len(plan), state.objections)
