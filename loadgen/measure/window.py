"""The time in which finished operations count for a phase, and their counts."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from loadgen.measure.batch import Batch, split_by_kind
from loadgen.measure.course import Course
from loadgen.measure.errors import TaskErrors
from loadgen.measure.fault_notes import FaultNotes
from loadgen.measure.flow import Flow
from loadgen.measure.health import Health
from loadgen.measure.objective import NO_OBJECTIVE, Objective, judge
from loadgen.measure.operation_stats import OperationStats
from loadgen.measure.outcome_course import Courses, add_samples, courses_from_message, merge_courses
from loadgen.measure.phase import Phase
from loadgen.measure.recall import Recalls
from loadgen.measure.sample import Outcome, Sample, count_answers, count_failures
from loadgen.measure.server_view import ServerView
from loadgen.measure.slices import SliceStats, add_good, add_times, count_slices, slices_as_message
from loadgen.measure.tracing import Traces

AT_ONCE = 256
"""Samples per batch: a batch costs a fifth of adding them one by one."""
ANSWERS = (Outcome.OK, Outcome.EMPTY)


@dataclass(slots=True)
class Window:
    """The time in which finished operations count for a phase, on this process's clock."""

    phase: Phase
    start: float
    end: float = math.inf
    health: Health = field(default_factory=Health)
    flow: Flow = field(default_factory=Flow)
    recalls: Recalls = field(default_factory=Recalls)
    """Recall of the checked searches."""
    errors: TaskErrors = field(default_factory=TaskErrors)
    """Exceptions raised by tasks in it."""
    entered: float = -math.inf
    """When this process began to take part: after the start, if a worker joined in the middle."""
    workers_lost: int = 0
    """Workers missing at its start, or lost during it."""
    users_gone: int = 0
    """Users that ended by themselves before its end."""
    connections: int = 0
    """Open connections of its variant in all processes; known to the coordinator."""
    data: tuple[str, ...] = ()
    """Distinct fingerprints of the data that these connections see; one if all agree."""
    seconds: float = 0.0
    """Measured length as reported by the counting process; the longest when merged."""
    heard: dict[str, float] = field(default_factory=dict)
    """On a coordinator, for each agent: seconds of the window that its reports cover so far."""
    server: ServerView | None = None
    """What the server says of itself; known to the coordinator."""
    faults: FaultNotes | None = None
    outcome_courses: Courses = field(default_factory=dict)
    objective: Objective = NO_OBJECTIVE
    """What operations added here must meet to be good."""
    is_traced: bool = False
    """Operations added here may have been sampled."""

    _pending: list[Sample] = field(default_factory=list)
    _operation_stats: dict[tuple[str, str], OperationStats] = field(default_factory=dict)
    _slices: dict[str, list[SliceStats]] = field(default_factory=dict)
    _courses: dict[str, Course] = field(default_factory=dict)
    _settled: dict[str, int] = field(default_factory=dict)
    """For each operation the number of its first slices to which nothing is likely to be added."""
    _traces: Traces = field(default_factory=Traces)

    @property
    def operation_stats(self) -> dict[tuple[str, str], OperationStats]:
        """All operations by variant and name."""
        self._add_up()
        return self._operation_stats

    @property
    def slices(self) -> dict[str, list[SliceStats]]:
        """For each operation of a timed phase, its slices in order of time."""
        self._add_up()
        return self._slices

    @property
    def courses(self) -> dict[str, Course]:
        """For each operation of a phase without a planned length, when its answers arrived; none of a burst."""
        self._add_up()
        return self._courses

    @property
    def traces(self) -> Traces:
        """Its sampled operations."""
        self._add_up()
        return self._traces

    def covered(self, now: float) -> float:
        """Seconds of it so far in which this process took part; 0 during warm-up."""
        return max(0.0, min(now, self.end) - max(self.start, self.entered))

    @property
    def expected(self) -> dict[str, float]:
        """Seconds in which each process took part, by name; a single process has an empty name."""
        return self.heard or {"": self.seconds}

    def gaps(self) -> list[str]:
        """What is unknown about the load generator's health in it; empty for a burst."""
        return [] if self.phase.operations else self.health.gaps(self.expected)

    def lose(self, workers: int) -> None:
        """Mark workers as lost; if none is left to report the length, the last reported one counts."""
        self.workers_lost = workers
        self.seconds = self.seconds or max(self.heard.values(), default=0.0)

    def contains(self, samples: Sequence[Sample], since: float) -> bool:
        """Whether all of them (at least one) finished in this window, and were due at `since` or later."""
        finished = [sample.finished for sample in samples]
        if min(finished) < self.start or max(finished) >= self.end:
            return False
        return min([sample.scheduled for sample in samples]) >= since

    def add(self, samples: Sequence[Sample]) -> None:
        """Count samples that finished in this window."""
        self._pending += samples
        if len(self._pending) >= AT_ONCE:
            self._add_up()

    def _add_up(self) -> None:
        samples, self._pending = self._pending, []
        if self.is_traced:
            self._traces.add_all(samples)
        for (variant, operation), batch in split_by_kind(samples).items():
            conditions = self.objective.of(operation)
            good = judge(batch.samples, conditions) if conditions else None
            self._operation_stats.setdefault((variant, operation), OperationStats()).add_all(batch, good)
            if self.phase.seconds:
                self._slice(operation, batch, good)
                if self.phase.is_drill and variant == self.phase.variant:
                    add_samples(self.outcome_courses, batch.samples, self.start, self.phase.seconds)
            elif not self.phase.operations and (answered := batch.with_outcome(*ANSWERS)) is not None:
                self._courses.setdefault(operation, Course()).add(answered.finished - self.start)

    def _slice(self, operation: str, batch: Batch, good: NDArray[np.bool_] | None) -> None:
        """Count answered operations, and timeouts, which add their times but no throughput."""
        if good is not None and good.any():
            add_good(self._pieces(operation), (batch.finished[good] - self.start) / self.phase.seconds)
        for outcomes, is_answer in ((ANSWERS, True), ((Outcome.TIMEOUT,), False)):
            some = batch.with_outcome(*outcomes)
            if some is not None:
                pieces = self._pieces(operation)
                places = (some.finished - self.start) / self.phase.seconds
                add_times(pieces, places, some.finished - some.scheduled, is_answer)
                self._settle_before(operation, int(places.max() * len(pieces)) - 1)

    def _settle_before(self, operation: str, number: int) -> None:
        """Pack the slices before this one; a late operation may still be added to them."""
        pieces = self._slices[operation]
        for piece in pieces[self._settled.get(operation, 0) : max(0, number)]:
            piece.times.settle()
        self._settled[operation] = max(self._settled.get(operation, 0), number)

    def settle(self) -> None:
        """Take little memory: the phase is over."""
        self._add_up()
        for operation, pieces in self._slices.items():
            self._settle_before(operation, len(pieces))
        for stats in self._operation_stats.values():
            stats.settle()
        for health in self.health.processes.values():
            health.settle()

    def find_settled(self) -> set[tuple[str, int]]:
        """Operation and number of the slices to which nothing was added since they were packed."""
        self._add_up()
        return {
            (operation, number)
            for operation, pieces in self._slices.items()
            for number, piece in enumerate(pieces)
            if piece.times.is_settled
        }

    def _pieces(self, operation: str) -> list[SliceStats]:
        if operation not in self._slices:
            self._slices[operation] = self.new_slices()
        return self._slices[operation]

    def new_slices(self) -> list[SliceStats]:
        """Empty slices of equal length for the whole phase."""
        number = count_slices(self.phase.seconds)
        return [SliceStats(self.phase.seconds / number) for _ in range(number)]

    @property
    def answered(self) -> int:
        """Operations with a usable answer."""
        return sum(count_answers(stats.totals) for stats in self.operation_stats.values())

    @property
    def failed(self) -> int:
        """Operations without one."""
        return sum(count_failures(stats.totals) for stats in self.operation_stats.values())

    def as_message(self, known: Collection[tuple[str, int]] = ()) -> dict[str, Any]:
        """All counts so far, as plain values to send to the coordinator; without the slices that it knows."""
        self._add_up()
        return {
            "phase": self.phase.as_message(),
            "operations": [
                {"variant": variant, "operation": operation} | stats.as_message()
                for (variant, operation), stats in self._operation_stats.items()
            ],
            "slices": slices_as_message(self._slices, known),
            "courses": {operation: course.as_message() for operation, course in self._courses.items()},
            "outcome_courses": {name: course.as_message() for name, course in self.outcome_courses.items()},
            "health": self.health.as_message(),
            "flow": self.flow.as_message(),
            "errors": self.errors.as_message(),
            "recalls": self.recalls.as_message(),
            "traces": self._traces.as_message(),
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """One agent's part of a phase, the inverse of `as_message`."""
        part = cls(Phase.from_message(message["phase"]), 0.0)
        for entry in message["operations"]:
            part._operation_stats[entry["variant"], entry["operation"]] = OperationStats.from_message(entry)
        for operation, pieces in message["slices"].items():
            mine = part._pieces(operation)
            for number, piece in pieces:
                mine[number] = SliceStats.from_message(piece)
        for operation, course in message["courses"].items():
            part._courses[operation] = Course.from_message(course)
        part.outcome_courses = courses_from_message(message.get("outcome_courses", {}))
        part.health.merge(message["health"], "")
        part.flow.merge(message["flow"])
        part.errors.merge(message["errors"])
        part.recalls.merge(Recalls.from_message(message["recalls"]))
        part._traces.merge(Traces.from_message(message["traces"]))
        return part

    def keep_slices(self, earlier: "Window") -> None:
        """Take the slices that an earlier report had, and this one omits."""
        for operation, pieces in earlier.slices.items():
            mine = self._pieces(operation)
            for number, piece in enumerate(pieces):
                if mine[number].times.is_empty:
                    mine[number] = piece

    def combine(self, parts: Mapping[str, "Window"]) -> None:
        """Become the sum of these parts, by agent, discarding earlier contents."""
        whole = Window(self.phase, self.start)
        for agent, part in parts.items():
            whole._absorb(part, agent)
        self._pending, self._operation_stats, self._slices = [], whole._operation_stats, whole._slices
        self._courses, self.outcome_courses = whole._courses, whole.outcome_courses
        self._traces = whole._traces
        self.health, self.flow, self.recalls = whole.health, whole.flow, whole.recalls
        self.errors = whole.errors

    def _absorb(self, part: "Window", agent: str) -> None:
        for key, stats in part.operation_stats.items():
            self._operation_stats.setdefault(key, OperationStats()).merge(stats)
        for operation, pieces in part.slices.items():
            for mine, piece in zip(self._pieces(operation), pieces, strict=True):
                mine.merge(piece)
        for operation, course in part.courses.items():
            self._courses.setdefault(operation, Course(course.seconds)).merge(course)
        merge_courses(self.outcome_courses, part.outcome_courses)
        if health := part.health.processes.get(""):
            self.health.processes[agent] = health
        self.flow.add(part.flow)
        self.errors.merge(part.errors.as_message())
        self.recalls.merge(part.recalls)
        self._traces.merge(part.traces)

    def state(self) -> tuple[object, ...]:
        """Changes whenever something is counted, so that a report can tell whether the window has changed."""
        beats = [health.hub.get_total_count() for health in self.health.processes.values()]
        paced = [health.pace.get_total_count() for health in self.health.processes.values()]
        operations = sum(stats.operations for stats in self.operation_stats.values())
        flow = (self.flow.offered, self.flow.dropped, self.flow.unfinished)
        counts = (operations, self.errors.total, self.recalls.checks)
        return (*counts, self.seconds, *beats, *paced, *flow, self.recalls.changed)

    def marks(self) -> tuple[object, ...]:
        """What the coordinator noted in addition to the counts, for the same purpose."""
        known = (self.workers_lost, self.users_gone, self.connections, self.data, self.server, self.faults)
        return (*known, *self.heard.items())
