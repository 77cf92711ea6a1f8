"""The asyncio user: one coroutine on the event loop of its process."""

import asyncio
from typing import Any

from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_STOPPING

from loadgen.measure.sample import Mode
from loadgen.users.base import LoadUser
from loadgen.users.measured_call import AsyncCall
from loadgen.users.task_loop import awalk, run_user

YIELD_EVERY = 16
"""Tasks without a wait after which a user yields to the others. Yielding after each task would queue it behind all the
others between two operations, which no sample shows (p50 15 % too low at 64 users); without yielding, a task that never
awaits would block the loop.
"""


class AsyncUser(LoadUser):
    """Write tasks, on_start and on_stop as `async def`; `await self.client.search(self.next_query())` is one sample."""

    abstract = True
    mode = Mode.ASYNC
    client: Any
    """Of the layer of its variant, such as an `AsyncVectorClient`."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.client = self.timed_client = self._make_client()
        self._share_names()
        self._task: asyncio.Task[None] | None = None
        self._unpaused = 0
        self._pause: asyncio.Future[None] | None = None

    def measure(self, operation: str) -> AsyncCall:
        """Time what the task does in the block: `async with self.measure("ask") as call: ...`.

        The block is one sample of this operation. An Exception within it becomes the outcome and is not propagated; at
        the deadline the block is cancelled, and the outcome is `timeout`. Operations of the client within it are nested
        samples: totals count only this one. Raises OperationNameError, on entry, for a name that is invalid or exceeds
        the limit.
        """
        return AsyncCall(self.timed_client, operation, self.process_state.settings_for(self.variant).deadline)

    def begin(self) -> None:
        """Start the coroutine on the loop."""
        self.process_state.loop.start(self._live(), self._end_with_loop)

    async def _live(self) -> None:
        self._task = asyncio.current_task()
        try:
            await awalk(run_user(self))
        finally:
            self.report_end()

    def _end_with_loop(self) -> None:
        """End the user after the loop has died: no sample is lost, and nothing waits for it."""
        for client in self.clients:
            client.abandon()
        self.report_end()

    def has_to_pause(self, seconds: float) -> bool:
        """Also True now and then without a wait, to yield to other users."""
        self._unpaused += 1
        return seconds > 0 or not self._unpaused % YIELD_EVERY

    async def pause(self, seconds: float) -> None:
        """Sleep on the loop."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        self._pause = loop.create_future()
        timer = loop.call_later(seconds, _finish, self._pause)
        try:
            if self._state != LOCUST_STATE_STOPPING:
                await self._pause
        finally:
            timer.cancel()
            self._pause = None
        if self._state == LOCUST_STATE_STOPPING:
            raise StopUser

    def wake(self, now: bool) -> None:
        """End the pause; with `now`, cancel a task that awaits something other than an operation."""
        self.process_state.loop.post(self._wake_here, now)

    def _wake_here(self, now: bool) -> None:
        if self._pause is not None:
            _finish(self._pause)
        elif now and not self.sent:
            self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def abandon(self) -> None:
        """Cancel the operation in flight; the client turns it into a failed sample."""
        self.process_state.loop.post(self._cancel)


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
