"""The blocking user: one OS thread, as in a threaded service."""

import threading
from typing import Any

from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_STOPPING

from loadgen.measure.sample import Mode
from loadgen.users.base import LoadUser
from loadgen.users.measured_call import SyncCall
from loadgen.users.task_loop import run_user, walk


class SyncUser(LoadUser):
    """Write tasks, on_start and on_stop as plain `def`; `self.client.search(self.next_query())` is one sample."""

    abstract = True
    mode = Mode.SYNC
    client: Any
    """Of the layer of its variant, such as a `SyncVectorClient`."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.client = self.timed_client = self._make_client()
        self._share_names()
        self._woken = threading.Event()

    def measure(self, operation: str) -> SyncCall:
        """Time what the task does in the block: `with self.measure("ask") as call: ...`.

        As `AsyncUser.measure`, but a blocking call cannot be cancelled: one that returns after the deadline is a
        timeout. Threads that the block starts are not part of it.
        """
        return SyncCall(self.timed_client, operation, self.process_state.settings_for(self.variant).deadline)

    def begin(self) -> None:
        """Start the thread. Raises RuntimeError if the system provides no more threads."""
        threading.Thread(target=self._live, name=f"loadgen-user-{self.number}", daemon=True).start()

    def _live(self) -> None:
        try:
            walk(run_user(self))
        finally:
            self.report_end()

    def has_to_pause(self, seconds: float) -> bool:
        """True if there is a wait; the system schedules the threads."""
        return seconds > 0

    def pause(self, seconds: float) -> None:
        """Sleep on the thread."""
        self._woken.wait(seconds)
        if self._state == LOCUST_STATE_STOPPING:
            raise StopUser

    def wake(self, now: bool) -> None:  # noqa: ARG002 - a thread cannot be ended from outside
        """End the pause."""
        self._woken.set()

    def abandon(self) -> None:
        """Count the operation in flight as failed; its thread ends when the answer arrives."""
        for client in self.clients:
            client.abandon()
        self.report_end()
