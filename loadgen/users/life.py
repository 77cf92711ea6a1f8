"""The life of a user as a list of steps: which task comes next, what an exception in it means, when it waits.

The steps are the same for a coroutine and for a thread; whoever takes them (`AsyncUser`, `SyncUser`) calls each one,
awaits what it returns where it can, and sends back what came of it.
"""

import inspect
import logging
from asyncio import CancelledError
from collections.abc import Callable, Generator
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
"""What ends a user in good order."""

logger = logging.getLogger(__name__)


def walk(steps: Steps) -> None:
    """Take steps on this thread, to the end."""
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
        except BaseException as raised:  # noqa: BLE001 - whoever made the steps decides what it means
            error = raised


async def awalk(steps: Steps) -> None:
    """Take steps on this loop, to the end; a step may be awaitable."""
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
        except BaseException as raised:  # noqa: BLE001 - whoever made the steps decides what it means
            error = raised


def life(user: "LoadUser") -> Steps:
    """on_start, tasks, on_stop, as Locust's `User.run` orders them. Raises nothing."""
    try:
        yield user.on_start
        user.settle()
        yield from tasks(DefaultTaskSet(user), user)
    except ENDS:
        user.leave()
        yield from _leave(user, user)
    except Exception as error:  # noqa: BLE001 - told, and this user is over
        user.report_error(error)


def tasks(taskset: TaskSet, user: "LoadUser") -> Steps:
    """The tasks of a user or of a task set within it, as Locust's `TaskSet.run` orders them, until one ends it.

    Locust's task set chooses the task (weights, sequences, Markov chains are its own); only the calls and waits are
    ours, because Locust's would block the event loop or the hub.
    """
    nested = not isinstance(taskset, DefaultTaskSet)
    try:
        if nested:
            yield taskset.on_start
        while True:
            at_once = yield from _turn(taskset, user)
            if not at_once and user.has_to_pause(seconds := taskset.wait_time()):
                yield partial(user.pause, seconds)
    except InterruptTaskSet as error:
        yield from _leave(taskset, user)
        raise (RescheduleTaskImmediately if error.reschedule else RescheduleTask)(error.reschedule) from error
    except ENDS:
        if nested:
            yield from _leave(taskset, user)
        raise


def _turn(taskset: TaskSet, user: "LoadUser") -> Generator[Step, Any, bool]:
    """One task; True where the next one follows without a wait."""
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
        return True
    except RescheduleTask:
        return False
    except (InterruptTaskSet, *ENDS):
        raise
    except Exception as error:
        if not user.environment.catch_exceptions:
            raise
        user.report_error(error)
    return False


def _next_task(taskset: TaskSet, user: "LoadUser") -> Any:
    """A function, or the class of a nested task set."""
    if user._state == LOCUST_STATE_STOPPING:  # noqa: SLF001 - Locust's own word for it
        raise StopUser
    queue = taskset._task_queue  # noqa: SLF001
    if not queue:
        taskset.schedule_task(taskset.get_next_task())
    return queue.popleft()


def _leave(holder: Any, user: "LoadUser") -> Steps:
    try:
        yield holder.on_stop
    except ENDS:
        return
    except Exception as error:  # noqa: BLE001 - as in Locust: told, and the user goes on ending
        user.report_error(error)
