"""Whether the master of a worker that wants to join is still there."""

import contextlib
import socket
from typing import Any

LAST_REFUSALS = 3
"""Attempts, five seconds apart, after which a master that had accepted connections has closed."""
CONNECT_SECONDS = 1.0


class MasterWatch:
    """A worker may start first and wait for its master, but not for one that was there and has ended."""

    def __init__(self) -> None:
        self._was_open = False
        self._refusals = 0

    def check(self, runner: Any) -> bool:
        """Called before each attempt. Raises ConnectionError before the last; otherwise True."""
        if _is_open(runner.master_host, runner.master_port):
            self._was_open, self._refusals = True, 0
        elif self._was_open:
            self._refusals += 1
            if self._refusals >= LAST_REFUSALS:
                raise ConnectionError(f"{runner.master_host}:{runner.master_port} was open and has closed")
        return True


def _is_open(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=CONNECT_SECONDS):
        return True
    return False
