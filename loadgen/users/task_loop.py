"""The lifecycle of a user as a sequence of steps: choice of tasks, handling of their exceptions, waits.

The steps are the same for a coroutine and for a thread; the caller (`AsyncUser`, `SyncUser`) calls each one,
awaits its result if possible, and sends the outcome back.
"""

import asyncio
import inspect
from asyncio import CancelledError
from collections.abc import Callable, Generator
from enum import Enum, auto
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser
from locust.user.task import LOCUST_STATE_STOPPING, DefaultTaskSet, TaskSet

from loadgen.clients import ClosedError

if TYPE_CHECKING:
    from loadgen.users.base import LoadUser

Step = Callable[[], Any]
Steps = Generator[Step, Any, None]
ENDS = (StopUser, StopTest, ClosedError, CancelledError)
"""Exceptions that end a user normally."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds that a user pauses after a task that raised: doubled each consecutive time, up to the longest. Without a
pause, a task that always raises would flood the hub with exceptions."""


class EscapedError(Exception):
    """Wraps a non-Exception raised by a task, such as SystemExit: it ends only its user."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error


class TaskEnd(Enum):
    """How one task ended."""

    DONE = auto()
    AT_ONCE = auto()
    """The next task follows without a wait."""
    RAISED = auto()
    """It raised, which was counted."""


DONE, AT_ONCE, RAISED = TaskEnd
"""Avoids a look-up in the enumeration for each operation."""


def pause_after(failures: int) -> float:
    """Seconds to pause after this many consecutive tasks that raised; 0 after none."""
    return min(FIRST_PAUSE * 2.0 ** (min(failures, 10) - 1), LONGEST_PAUSE) if failures else 0.0


def walk(steps: Steps) -> None:
    """Run all steps on this thread."""
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration:
            return
        answer = error = None
        try:
            answer = step()
        except (Exception, *ENDS) as raised:  # noqa: BLE001 - whoever made the steps decides what it means
            error = raised
        except BaseException as raised:  # noqa: BLE001 - as above
            error = EscapedError(raised)


async def awalk(steps: Steps) -> None:
    """Run all steps on this loop; a step may be awaitable."""
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration:
            return
        answer = error = None
        try:
            answer = step()
            if type(answer) is CoroutineType or inspect.isawaitable(answer):  # the latter costs 2 us
                answer = await answer
        except (Exception, *ENDS) as raised:  # noqa: BLE001 - whoever made the steps decides what it means
            error = raised
        except BaseException as raised:
            if isinstance(raised, GeneratorExit) and _is_closing():
                raise
            error = EscapedError(raised)


def _is_closing() -> bool:
    """Whether an unfinished coroutine is being discarded because its loop has ended."""
    try:
        return asyncio.current_task() is None
    except RuntimeError:  # no loop runs here
        return True


def run_user(user: "LoadUser") -> Steps:
    """on_start, tasks, on_stop, as Locust's `User.run` orders them. Raises nothing."""
    try:
        yield user.on_start
        user.settle()
        yield from tasks(DefaultTaskSet(user), user)
    except ENDS:
        user.leave()
        yield from _leave(user, user)
    except GeneratorExit:  # the remaining steps are abandoned
        raise
    except BaseException as error:  # noqa: BLE001 - counted, and this user ends
        user.report_error(error)


def tasks(taskset: TaskSet, user: "LoadUser") -> Steps:
    """The tasks of a user or of a task set within it, as Locust's `TaskSet.run` orders them, until one ends it.

    Locust's task set chooses the task (weights, sequences, Markov chains); only the calls and waits are
    implemented here, because Locust's would block the event loop or the hub.
    """
    nested = not isinstance(taskset, DefaultTaskSet)
    failures = 0
    try:
        if nested:
            yield taskset.on_start
        while True:
            end = yield from _run_task(taskset, user)
            seconds = 0.0 if end is AT_ONCE else taskset.wait_time()
            if end is RAISED:
                failures += 1
                seconds = max(seconds, pause_after(failures))
            elif failures:
                failures = 0
            if user.has_to_pause(seconds):
                yield partial(user.pause, seconds)
    except InterruptTaskSet as error:
        yield from _leave(taskset, user)
        raise (RescheduleTaskImmediately if error.reschedule else RescheduleTask)(error.reschedule) from error
    except ENDS:
        if nested:
            yield from _leave(taskset, user)
        raise


def _run_task(taskset: TaskSet, user: "LoadUser") -> Generator[Step, Any, TaskEnd]:
    """One task, and how it ended."""
    subject = user if isinstance(taskset, DefaultTaskSet) else taskset
    try:
        task = _next_task(taskset, user)
        if isinstance(task, type):
            yield from tasks(task(subject), user)
        elif getattr(task, "__self__", None) is taskset:
            yield task
        else:
            yield partial(task, subject)
    except RescheduleTaskImmediately:
        return AT_ONCE
    except RescheduleTask:
        return DONE
    except (InterruptTaskSet, StopUser, StopTest, ClosedError):
        raise
    except (Exception, CancelledError) as error:  # noqa: BLE001 - counted, or raised again
        return _fail(user, error)
    return DONE


def _fail(user: "LoadUser", error: BaseException) -> TaskEnd:
    """Count an exception of a task; if the user cannot continue, raises the exception that ends it."""
    if isinstance(error, CancelledError):
        if not user.is_ending:  # the task has cancelled itself, or propagates a cancellation of its own
            user.report_error(error)
        raise error
    if isinstance(error, EscapedError):
        user.report_error(error)
        raise StopUser from error
    if not user.environment.catch_exceptions:
        raise error
    user.report_error(error)
    if user.style:  # the phase of a burst waits for its user
        raise StopUser from error
    return RAISED


def _next_task(taskset: TaskSet, user: "LoadUser") -> Any:
    """A function, or the class of a nested task set."""
    if user._state == LOCUST_STATE_STOPPING:  # noqa: SLF001 - Locust's own state
        raise StopUser
    if user.style:
        user.count_task()
    queue = taskset._task_queue  # noqa: SLF001
    if not queue:
        if type(taskset) is DefaultTaskSet and len(user.tasks) == 1:  # nothing to draw: that costs 4 us
            return user.tasks[0]
        taskset.schedule_task(taskset.get_next_task())
    return queue.popleft()


def _leave(holder: Any, user: "LoadUser") -> Steps:
    try:
        yield holder.on_stop
    except ENDS:
        return
    except Exception as error:  # noqa: BLE001 - as in Locust: logged, and the user continues to end
        user.report_error(error)
