"""How Locust's hub sees a user that runs elsewhere: its greenlet, its end, and its exceptions."""

from time import perf_counter
from typing import TYPE_CHECKING, Any

import gevent
from gevent import GreenletExit
from locust.user.task import LOCUST_STATE_STOPPING

if TYPE_CHECKING:
    from loadgen.users.base import LoadUser


class Presence(gevent.Greenlet):  # type: ignore[misc] # gevent tells no type of it
    """Represents a user in Locust's group. It does not run before the user has ended, or Locust kills it.

    A greenlet that waits for the end keeps its stack: half of what an idle user costs. Locust counts the greenlets of
    the group, reads the user from their first argument, and joins or kills them; none of this needs one that runs.
    """

    spawning_stack_limit = 0
    """gevent otherwise keeps the frames in which each was created."""

    def __init__(self, user: "LoadUser") -> None:
        super().__init__(_end_running, user)

    def kill(
        self,
        exception: Any = GreenletExit,  # noqa: ARG002 - gevent's signature
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Run now, so that the user is ended and counted; gevent's own would drop one that has not run."""
        self.start()
        if block:
            self.join(timeout)


def _end_running(user: "LoadUser") -> None:
    """End a user whose greenlet was killed because Locust's stop timeout is over. Nothing to do after a regular end."""
    if not user.outlive(0.0):
        for client in user.clients:
            client.close()
        user.abandon()
        user.outlive(1.0)


def fail_to_start(user: "LoadUser", error: BaseException) -> None:
    """Count a user that cannot run at all."""
    count_error(user, error, perf_counter())
    count_end(user)


def count_end(user: "LoadUser") -> None:
    """Count a user that has ended, and let those who wait for it continue."""
    by_itself = user._state != LOCUST_STATE_STOPPING  # noqa: SLF001
    user.process_state.count_ended(user.number, user._joined, by_itself=by_itself)  # noqa: SLF001
    user.finish()


def count_error(user: "LoadUser", error: BaseException, at: float) -> None:
    """Count an exception of a task, raised at a moment (perf_counter), also in Locust."""
    user.process_state.count_error(user.variant, error, at, type(user).__name__)
    user.process_state.listeners.fire_error(user.environment.events.user_error, user, error)
