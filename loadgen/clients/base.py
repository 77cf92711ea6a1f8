"""What both twins share: the clock readings around a call, and the sample made of them."""

from collections.abc import Callable
from itertools import count
from time import perf_counter

from loadgen.clients.outcomes import outcome_of
from loadgen.sample import Mode, Outcome, Sample
from loadgen.truth import Checks


class ClosedError(BaseException):
    """Raised instead of a call when the user is to end. Not an Exception, so that no task swallows it by accident."""


class UnfinishedError(Exception):
    """Stands for an operation that was sent and had no answer when the run ended."""

    def __str__(self) -> str:
        """The one text, so that all of them are one row in a table of failures."""
        return "no answer when the user was ended"


class Client:
    """Counts the operations under way and makes one sample of each. Calls may overlap, also from several threads."""

    mode: Mode

    def __init__(self, emit: Callable[[Sample], None], checks: Checks | None = None) -> None:
        self._emit = emit
        self._checks = checks or Checks()
        self._closed = False
        self._tokens = count()
        self._under_way: dict[int, tuple[str, float, float]] = {}
        self.due: float | None = None
        """When the next operation should have started (perf_counter); it takes that with it. None: when it starts."""

    @property
    def in_flight(self) -> int:
        """Operations sent and not yet answered."""
        return len(self._under_way)

    @property
    def is_closed(self) -> bool:
        """True from `close` on."""
        return self._closed

    def close(self) -> None:
        """Refuse further operations with `ClosedError`; those under way go on to their end."""
        self._closed = True

    def abandon(self) -> int:
        """Make a failed sample of each operation under way, so that none is lost; answers after this do not count."""
        self._closed = True
        abandoned = 0
        for token in list(self._under_way):
            abandoned += self._end(token, 0, UnfinishedError())
        return abandoned

    def _begin(self, operation: str) -> int:
        if self._closed:
            raise ClosedError
        token = next(self._tokens)
        started = perf_counter()
        due, self.due = self.due, None
        self._under_way[token] = (operation, started if due is None else due, started)
        return token

    def _end(self, token: int, rows: int, error: BaseException | None = None) -> bool:
        finished = perf_counter()
        begun = self._under_way.pop(token, None)
        if begun is None:  # abandoned meanwhile
            return False
        operation, scheduled, started = begun
        outcome = outcome_of(error) if error is not None else Outcome.OK if rows else Outcome.EMPTY
        self._emit(Sample(self.mode, operation, scheduled, started, finished, outcome, rows, error))
        return True

    def _failed(self, token: int, error: BaseException) -> None:
        """End a call that raised; what is not an ordinary failure (a cancelled user, Ctrl-C) goes on up."""
        ordinary = isinstance(error, Exception)
        self._end(token, 0, error if ordinary else UnfinishedError())
        if not ordinary:
            raise error
