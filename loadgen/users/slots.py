"""A concurrency slot and its users: an OS thread, or a coroutine per arrival."""

import asyncio
import threading
from abc import ABC, abstractmethod
from asyncio import CancelledError
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING, Any

from locust.exception import RescheduleTask, RescheduleTaskImmediately

from loadgen.measure.sample import Mode
from loadgen.runtime.loop import LoopDiedError, LoopThread
from loadgen.users.slot_queue import Arrival, Drop, SlotQueue, TaskChoice
from loadgen.users.task_loop import ENDS, Steps, awalk, walk

if TYPE_CHECKING:
    from loadgen.users.base import LoadUser

TRIES = 1_000
"""Maximum tasks drawn for one arrival, if tasks request another one, before it counts as dropped."""


class Slot(ABC):
    """One user of each class, for one arrival after another. It belongs to the runtime of its mode."""

    def __init__(
        self,
        users: Sequence["LoadUser"],
        slots: SlotQueue["Slot"],
        draw: Callable[[], TaskChoice] | None,
        drop: Callable[[Drop], object],
    ) -> None:
        self.users = tuple(users)
        self._slot_queue = slots
        self._draw = draw
        self._drop = drop
        self._joined = self.users[0].process_state.joining()
        self.ready = False
        """All users have completed their on_start."""
        self.failed = False
        """An on_start raised: the slot will never be ready."""
        self.over = False

    @abstractmethod
    def begin(self) -> None:
        """Start running: call on_start. From the hub."""

    @abstractmethod
    def hand(self, arrival: Arrival) -> None:
        """Give it an arrival, while it is free. From any thread."""

    @abstractmethod
    def end(self) -> None:
        """Call on_stop once it has no more arrivals, and end."""

    @abstractmethod
    def abandon(self) -> None:
        """Count an operation in flight as failed."""

    def _enter(self) -> Steps:
        try:
            for user in self.users:
                yield user.on_start
            self.ready = True
        except (Exception, *ENDS) as error:  # noqa: BLE001 - counted; a slot that never gets ready is reported
            self.failed = True
            self.users[0].report_error(error)
        self._report()

    def _report(self) -> None:
        """Count the users as started, or as ended by themselves."""
        process_state = self.users[0].process_state
        for user in self.users:
            if self.ready:
                count = partial(process_state.count_started, user.number, self._joined)
            else:
                count = partial(process_state.count_ended, user.number, self._joined, by_itself=True)
            process_state.queue.put(count)

    def _leave(self) -> Steps:
        for user in self.users if self.ready else ():
            try:
                yield user.on_stop
            except (Exception, *ENDS) as error:  # noqa: BLE001 - logged, and the slot continues to end
                user.report_error(error)
        self.over = True

    def _serve(self, arrival: Arrival) -> Steps:
        """One task; its first operation is due when the arrival is, a later one when it starts."""
        choice = arrival.choice
        for _ in range(TRIES):
            user = self.users[choice.kind]
            client = user.timed_client
            client.due = arrival.due
            again = False
            try:
                yield partial(choice.task, user)
            except (RescheduleTask, RescheduleTaskImmediately):
                again = True
            except CancelledError as error:
                if not user.is_ending:  # the task has cancelled itself, or propagates a cancellation of its own
                    user.report_error(error)
            except ENDS:
                pass
            except Exception as error:  # noqa: BLE001 - counted like any task's; the slot continues
                user.report_error(error)
            if client.due is None:  # an operation has used it
                return
            client.due = None
            if not again or self._draw is None:  # another task would be another operation
                break
            choice = self._draw()
        self._drop(Drop((arrival.due,), perf_counter()))


class SyncSlot(Slot):
    """An OS thread that waits for arrivals."""

    def __init__(self, users: Sequence["LoadUser"], *given: Any) -> None:
        super().__init__(users, *given)
        self._given: SimpleQueue[Arrival | None] = SimpleQueue()

    def begin(self) -> None:
        """Start the thread. Raises RuntimeError if the system provides no more threads."""
        threading.Thread(target=self._live, name=f"loadgen-slot-{self.users[0].number}", daemon=True).start()

    def hand(self, arrival: Arrival) -> None:
        """Wake the thread."""
        self._given.put(arrival)

    def end(self) -> None:
        """Let the thread end."""
        self._given.put(None)

    def abandon(self) -> None:
        """Let the thread end when the answer arrives."""
        for user in self.users:
            for client in user.clients:
                client.abandon()

    def _live(self) -> None:
        walk(self._enter())
        while (given := self._given.get()) is not None:
            arrival: Arrival | None = given
            while arrival is not None:
                walk(self._serve(arrival))
                arrival = self._slot_queue.release(self, perf_counter())
        walk(self._leave())


class AsyncSlot(Slot):
    """Each arrival is a coroutine on the loop; one that had to wait runs in the previous arrival's coroutine."""

    def __init__(self, users: Sequence["LoadUser"], *given: Any) -> None:
        super().__init__(users, *given)
        self._loop: LoopThread = users[0].process_state.loop
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Call on_start on the loop. Raises LoopDiedError if the loop has ended."""
        self._loop.call(awalk(self._enter()))

    def hand(self, arrival: Arrival) -> None:
        """Start a coroutine."""
        self._loop.post(self._start, arrival)

    def end(self) -> None:
        """Call on_stop on the loop."""
        try:
            self._loop.call(awalk(self._leave()))
        except LoopDiedError:
            self.over = True

    def abandon(self) -> None:
        """Cancel the coroutine; the client makes a failed sample of its operation."""
        for user in self.users:
            for client in user.clients:
                client.close()
            if not self._loop.alive:
                for client in user.clients:
                    client.abandon()
        self._loop.post(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _start(self, arrival: Arrival) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(arrival))

    async def _run(self, first: Arrival) -> None:
        arrival: Arrival | None = first
        while arrival is not None:
            await awalk(self._serve(arrival))
            arrival = self._slot_queue.release(self, perf_counter())


SLOTS: dict[Mode, type[SyncSlot | AsyncSlot]] = {Mode.SYNC: SyncSlot, Mode.ASYNC: AsyncSlot}
