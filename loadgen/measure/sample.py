"""One finished operation, and its possible outcomes."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Mode(StrEnum):
    """How the operations of a user are called."""

    SYNC = "sync"
    """Blocking calls on OS threads."""
    ASYNC = "async"
    """Coroutines on one event loop."""


class Outcome(StrEnum):
    """How an operation ended: a closed set, safe as a label."""

    OK = "ok"
    """Answered."""
    EMPTY = "empty"
    """Answered, but a search returned no row. Generated data contain neighbours of every query."""
    TIMEOUT = "timeout"
    """No answer within the deadline."""
    THROTTLED = "throttled"
    """The server refused because of its rate or memory limits."""
    UNAVAILABLE = "unavailable"
    """No connection, or the server is not ready."""
    REJECTED = "rejected"
    """The server or the client declared the request invalid or forbidden."""
    FAILED = "failed"
    """Anything else, including an operation cut off by the end of the run."""

    @property
    def is_failure(self) -> bool:
        """True if there was no usable answer; `empty` is an answer."""
        return self not in (Outcome.OK, Outcome.EMPTY)


EMPTY_AT_MOST = 0.01
"""Default maximum share of empty answers."""


def count_answers(outcomes: Mapping[Outcome, int]) -> int:
    """Answered operations, including empty answers."""
    return outcomes.get(Outcome.OK, 0) + outcomes.get(Outcome.EMPTY, 0)


def count_failures(outcomes: Mapping[Outcome, int]) -> int:
    """Operations without a usable answer."""
    return sum(number for outcome, number in outcomes.items() if outcome.is_failure)


def share_empty(outcomes: Mapping[Outcome, int]) -> float:
    """The share (0 to 1) of empty answers; 0 if nothing was answered."""
    answers = count_answers(outcomes)
    return outcomes.get(Outcome.EMPTY, 0) / answers if answers else 0.0


class OutcomeClass(StrEnum):
    """Outcomes whose times belong together."""

    ANSWERED = "answered"
    """`ok` and `empty`."""
    TIMEOUT = "timeout"
    """As long as the deadline, for which a user has waited."""
    FAILED = "failed"
    """Refused or cut off: its time says nothing about answers."""


StageTimes = Mapping[str, float | tuple[float, ...]]
"""Seconds by stage. A repeated stage has a tuple of the times of its occurrences."""
NO_STAGES: StageTimes = MappingProxyType({})
NO_ITEMS: Mapping[str, int] = MappingProxyType({})


class Trace(NamedTuple):
    """The trace context of a sampled operation: hex digits, as W3C's Trace Context has them."""

    trace_id: str
    """32 digits, the same for the operations that are part of it."""
    span_id: str
    """16 digits: the operation itself."""
    parent_id: str = ""
    """The operation that it is part of; empty: none."""
    began: int = 0
    """When its clock started, in nanoseconds since 1970 (UTC)."""

    @property
    def traceparent(self) -> str:
        """The header; its flags say that the trace is sampled."""
        return f"00-{self.trace_id}-{self.span_id}-01"


class Sample(NamedTuple):
    """One finished operation. Times are seconds of `time.perf_counter()` in the process that called.

    A tuple, because one is created per operation: a frozen dataclass takes four times as long to create.
    """

    variant: str
    """Name of what is compared, such as `async` or `async connections=4`."""
    operation: str
    scheduled: float
    started: float
    finished: float
    outcome: Outcome
    rows: int
    """Hits of a search, nodes of an insert, documents passed to a delete."""
    error: BaseException | None = None
    nested: bool = False
    """Part of another operation, such as the search within an `ask`: totals count only the outer one."""
    stages: StageTimes = NO_STAGES
    """Seconds of its parts, by their names."""
    items: Mapping[str, int] = NO_ITEMS
    """What it processed besides rows, such as tokens: numbers by name."""
    trace: Trace | None = None
    """None: it was not sampled."""

    @property
    def service_seconds(self) -> float:
        """Duration of the call."""
        return self.finished - self.started

    @property
    def response_seconds(self) -> float:
        """Duration from the scheduled start, as a user experiences it."""
        return self.finished - self.scheduled
