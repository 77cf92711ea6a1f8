"""What happened: one finished operation, and the words for how it ended."""

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
    EMPTY = "empty"
    """Answered, but a search found no row. Data of this tool hold neighbours of every query."""
    TIMEOUT = "timeout"
    """No answer within the deadline."""
    THROTTLED = "throttled"
    """The server refused for its rate or memory limits."""
    UNAVAILABLE = "unavailable"
    """No connection, or the server is not ready."""
    REJECTED = "rejected"
    """The server or the client called the request wrong or forbidden."""
    FAILED = "failed"
    """Anything else, an operation that the end of the run cut off included."""

    @property
    def is_failure(self) -> bool:
        """True where no usable answer came; `empty` is an answer."""
        return self not in (Outcome.OK, Outcome.EMPTY)


EMPTY_AT_MOST = 0.01
"""Share of answers without a row where nothing else is asked for."""


def count_answers(outcomes: Mapping[Outcome, int]) -> int:
    """Operations that were answered, also by nothing."""
    return outcomes.get(Outcome.OK, 0) + outcomes.get(Outcome.EMPTY, 0)


def count_failures(outcomes: Mapping[Outcome, int]) -> int:
    """Operations without a usable answer."""
    return sum(number for outcome, number in outcomes.items() if outcome.is_failure)


def share_empty(outcomes: Mapping[Outcome, int]) -> float:
    """The part (0 to 1) of the answers that hold no row; 0 where nothing was answered."""
    answers = count_answers(outcomes)
    return outcomes.get(Outcome.EMPTY, 0) / answers if answers else 0.0


class OutcomeClass(StrEnum):
    """Outcomes whose times belong together."""

    ANSWERED = "answered"
    """`ok` and `empty`."""
    TIMEOUT = "timeout"
    """As long as the deadline: a user has waited for it."""
    FAILED = "failed"
    """Refused or cut off: its time says nothing about an answer."""


NO_STAGES: Mapping[str, float] = MappingProxyType({})


class Sample(NamedTuple):
    """One finished operation. Times are seconds of `time.perf_counter()` in the process that called.

    A tuple, because one is made for every operation: a frozen dataclass costs four times as much to make.
    """

    variant: str
    """Name of what is compared, such as `async` or `async connections=4`."""
    operation: str
    scheduled: float
    started: float
    finished: float
    outcome: Outcome
    rows: int
    """Hits of a search, nodes of an insert, documents named to a delete."""
    error: BaseException | None = None
    nested: bool = False
    """It is part of another operation, such as the search of an answer: totals count that one alone."""
    stages: Mapping[str, float] = NO_STAGES
    """Seconds of its parts, by their names."""

    @property
    def service_seconds(self) -> float:
        """What the call took."""
        return self.finished - self.started

    @property
    def response_seconds(self) -> float:
        """What a user felt: counted from the scheduled start."""
        return self.finished - self.scheduled
