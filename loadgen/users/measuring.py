"""Calls of a locustfile's own that are timed like the client's: `with self.measure("ask") as call:`."""

import asyncio
import math
from contextvars import Token
from time import perf_counter
from types import TracebackType
from typing import Literal, Self

from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from loadgen.clients.base import ENCLOSING, Client, Enclosing

CONTROL_FLOW = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser)
"""What a task raises to say what comes next. It is no outcome."""


class CallFailedError(Exception):
    """Stands for a call that `fail` was called on; its text is the reason."""


class Call(Enclosing):
    """One measured call. Its time is that of the `with` block, or up to `finish`."""

    def __init__(self, client: Client, operation: str, deadline: float) -> None:
        super().__init__()
        self._client = client
        self._operation = operation
        self._deadline = deadline
        self._token = -1
        self._started = math.nan
        self._outer: Token[Enclosing | None] | None = None
        self._reason: str | None = None
        self.rows = 1
        """What it brought, such as the number of sources; 0 makes the outcome `empty`."""
        self.stages: dict[str, float] = {}
        """Seconds by stage."""

    def stage(self, name: str, seconds: float) -> None:
        """Report the time of a part of the call; further times of the same stage are added.

        Raises OperationNameError for a name that is none or one too many, ValueError for no duration.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"stage {name!r} has {seconds!r} seconds: give a number of 0 or more")
        self._client.stage_names.add(name)
        self.stages[name] = self.stages.get(name, 0.0) + seconds

    def fail(self, reason: str) -> None:
        """Count the call as failed although nothing was raised. The reason appears in Locust's table of failures."""
        self._reason = reason

    def _begin(self) -> Self:
        self._started = perf_counter()
        self._token = self._client.begin(self._operation)
        self._outer = ENCLOSING.set(self)
        return self

    def _end(self, error: BaseException | None) -> bool:
        """Make the sample; True where the error is its outcome and goes no further."""
        if self._outer is not None:
            ENCLOSING.reset(self._outer)
        if isinstance(error, CONTROL_FLOW):
            self._give_up(error)
            return False
        if error is not None:
            self._client.fail(self._token, error, self.stages)  # raises what is no Exception
            return True
        self._client.end(self._token, self.rows, self._find_fault(), self.stages)
        return False

    def _give_up(self, error: BaseException) -> None:
        """Nothing was measured, as where there is nothing to delete; what was measured within it is not lost."""
        if self.samples:
            self._client.end(self._token, 0, error, self.stages)
        else:
            self._client.forget(self._token)

    def _find_fault(self) -> BaseException | None:
        """What speaks against the answer although nothing was raised: `fail`, or the deadline."""
        if self._reason is not None:
            return CallFailedError(self._reason)
        if perf_counter() - self._started > self._deadline:
            return TimeoutError(f"took longer than the deadline of {self._deadline:g} s")
        return None


class SyncCall(Call):
    """For threads. A blocking call cannot be cancelled: past the deadline it is a timeout when it returns."""

    def __enter__(self) -> Self:
        """Start the clock."""
        return self._begin()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        """Stop it; an Exception becomes the outcome."""
        return self._end(error)


class AsyncCall(Call):
    """For coroutines. At the deadline the block is cancelled, and the outcome is `timeout`."""

    async def __aenter__(self) -> Self:
        """Start the clock."""
        self._begin()
        self._timer = asyncio.timeout(self._deadline)
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
