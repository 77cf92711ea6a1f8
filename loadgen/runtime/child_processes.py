"""Forked processes that end with their parent, however it ends."""

import os
import threading

import gevent

from loadgen.runtime.early_exit import leave

GRACE_SECONDS = 1.0
"""Seconds for a process to end in order after its parent is gone: it may have been asked to just before."""


class ForkGroup:
    """Forks processes with one end of a pipe, whose other end only the parent has open.

    The system closes that end with the parent, even after SIGKILL. This needs neither polling nor Linux's
    `PR_SET_PDEATHSIG`, which reports the end of a thread and not of a process.
    """

    def __init__(self) -> None:
        self._line: tuple[int, int] | None = None

    def fork(self) -> int:
        """Fork as `gevent.fork` does: the pid of the child, and 0 in the child."""
        if self._line is None:
            self._line = os.pipe()  # both ends are closed in whatever is executed
        reading, writing = self._line
        parent = os.getpid()
        pid: int = gevent.fork()
        if not pid:
            os.close(writing)
            threading.Thread(target=_watch, args=(reading, parent), name="loadgen-parent", daemon=True).start()
        return pid


def _watch(reading: int, parent: int) -> None:
    """End this process with exit code 1 once the pipe is closed."""
    os.read(reading, 1)
    threading.Event().wait(GRACE_SECONDS)
    leave(f"The process that started this worker (pid {parent}) has gone: the worker {os.getpid()} ends.", 1)
