"""User-defined calls that are timed like the client's: `with self.measure("ask") as call:`."""

import asyncio
import contextlib
import math
from contextvars import Token
from operator import index
from time import perf_counter
from types import TracebackType
from typing import Literal, Self, SupportsIndex

from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from loadgen.clients.base import ENCLOSING, Client, Enclosing, find_enclosing
from loadgen.measure.operation import OperationNameError

CONTROL_FLOW = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser)
"""Exceptions by which a task controls what runs next. They are not outcomes."""

MOST_ITEMS = 10**12
"""Maximum of one report."""


class CallFailedError(Exception):
    """Represents a call on which `fail` was called; its text is the reason."""


class Call(Enclosing):
    """One measured call. Its time is that of the `with` block."""

    def __init__(self, client: Client, operation: str, deadline: float) -> None:
        super().__init__()
        self._client = client
        self._operation = operation
        self._deadline = deadline
        self._token: int | None = None
        self._started = math.nan
        self._context: Token[Enclosing | None] | None = None
        self._reason: str | None = None
        self._rows = 1
        self.stages: dict[str, float] = {}
        """Seconds by stage."""
        self.items: dict[str, int] = {}
        """Numbers by item."""

    @property
    def rows(self) -> int:
        """Number of results, such as sources; 0 makes the outcome `empty`."""
        return self._rows

    @rows.setter
    def rows(self, number: SupportsIndex) -> None:
        """Raises TypeError unless it is a whole number, ValueError if it is negative."""
        rows = index(number)
        if rows < 0:
            raise ValueError(f"a call cannot have {rows} rows")
        self._rows = rows

    @property
    def traceparent(self) -> str:
        """The header for requests of a sampled call, to send with those that the client does not send; else empty."""
        return self.trace.traceparent if self.trace else ""

    def stage(self, name: str, seconds: float) -> None:
        """Report the time of a part of the call; further times of the same stage are added.

        Raises OperationNameError for a name that is invalid or exceeds the limit, ValueError for an invalid duration.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"stage {name!r} has {seconds!r} seconds: give a number of 0 or more")
        self._client.stage_names.add(name)
        self.stages[name] = self.stages.get(name, 0.0) + float(seconds)

    def count(self, name: str, number: SupportsIndex) -> None:
        """Report what the call has processed, such as 120 of `tokens_out`; further numbers of the same name are added.

        Those of a failed call do not count. Raises OperationNameError for a name that is invalid or exceeds the limit,
        TypeError unless it is a whole number, ValueError if it is negative or above a million million.
        """
        counted = index(number)
        if not 0 <= counted <= MOST_ITEMS:
            raise ValueError(f"a call cannot have {counted} {name}: give a whole number from 0 to {MOST_ITEMS:,}")
        self._client.item_names.add(name)
        self.items[name] = self.items.get(name, 0) + counted

    def fail(self, reason: str) -> None:
        """Count the call as failed although nothing was raised. The reason appears in Locust's table of failures."""
        self._reason = reason

    def _begin(self) -> Self:
        if self._token is not None:
            raise RuntimeError("a measured call is used once: call self.measure() again")
        if any(self._operation == known.name for known in self._client.operations):
            raise OperationNameError(f"{self._operation!r} is timed by the client itself: use another name")
        self.outer = find_enclosing()
        self._started = perf_counter()
        self._token = self._client.begin(self._operation)
        self.trace = self._client.trace_of(self._token)
        self._context = ENCLOSING.set(self)
        return self

    def _end(self, error: BaseException | None) -> bool:
        """Create the sample; True if the error is its outcome and is not propagated."""
        assert self._token is not None  # noqa: S101 - `_begin` has set it
        late = perf_counter() - self._started > self._deadline
        self.is_over = True
        if self._context is not None:
            with contextlib.suppress(ValueError):  # an async generator that is closed early ends in another context
                ENCLOSING.reset(self._context)
        steers = isinstance(error, CONTROL_FLOW)
        if steers and not self.samples:  # nothing was measured, for example if there is nothing to delete
            self._client.forget(self._token)
        elif late and (error is None or isinstance(error, Exception)):
            reported = TimeoutError(f"took longer than the deadline of {self._deadline:g} s")
            self._client.end(self._token, 0, reported, self.stages)
        elif error is None or steers:
            failed = None if self._reason is None else CallFailedError(self._reason)
            count_items = None if failed else self.items.copy
            self._client.end(self._token, 0 if failed else self.rows, failed, self.stages, count_items)
        else:
            self._client.fail(self._token, error, self.stages)  # raises anything that is not an Exception
        return error is not None and not steers


class SyncCall(Call):
    """For threads. A blocking call cannot be cancelled: if it returns after the deadline, it is a timeout."""

    def __enter__(self) -> Self:
        """Start the clock."""
        return self._begin()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        """Stop it; an Exception becomes the outcome."""
        return self._end(error)


class AsyncCall(Call):
    """For coroutines. At the deadline the block is cancelled, and the outcome is `timeout`."""

    def __init__(self, client: Client, operation: str, deadline: float) -> None:
        super().__init__(client, operation, deadline)
        self._timer = asyncio.timeout(deadline)

    @property
    def is_expired(self) -> bool:
        """True if its deadline has cancelled the block."""
        return self._timer.expired()

    async def __aenter__(self) -> Self:
        """Start the clock."""
        self._begin()
        await self._timer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[True] | None:
        """Stop it; an Exception becomes the outcome."""
        try:
            await self._timer.__aexit__(kind, error, trace)
        except TimeoutError as raised:
            error = raised
        return True if self._end(error) else None
