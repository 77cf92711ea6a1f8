"""What `loadgen prepare --heartbeat` says to the workers that wait for it: one word per connection."""

import contextlib
import socket
import threading
import time
from enum import StrEnum
from typing import Self

GOODBYE_SECONDS = 3.0
"""Seconds for which the last word can be heard; those who wait look once a second."""
LONGEST_WORD = 64


class PreparationStatus(StrEnum):
    """How the preparation goes."""

    PREPARING = "preparing"
    FAILED = "failed"
    """It cannot succeed, so the run never starts."""
    INTERRUPTED = "interrupted"
    """It was asked to end, and may be started again elsewhere."""


class Heartbeat:
    """Listens on all interfaces, IPv4 and IPv6, on a thread of its own."""

    def __init__(self, port: int) -> None:
        """Raises OSError if the port is in use."""
        self.parting = PreparationStatus.FAILED
        """What it says if the process ends before the data are ready."""
        self._status = PreparationStatus.PREPARING
        dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if dual else socket.AF_INET
        self._listener = socket.create_server(("", port), family=family, dualstack_ipv6=dual)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._answer, name="loadgen-heartbeat", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def say_goodbye(self, seconds: float = GOODBYE_SECONDS) -> None:
        """Say why it ends, until those who look have heard it."""
        self._status = self.parting
        time.sleep(seconds)

    def _answer(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            with connection, contextlib.suppress(OSError):
                connection.sendall(f"{self._status}\n".encode())


def hear(host: str, port: int, timeout: float) -> PreparationStatus | None:
    """What is said there; None if nobody answers, or somebody else does."""
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            return PreparationStatus(connection.makefile("rb").readline(LONGEST_WORD).decode().strip())
    except (OSError, ValueError):
        return None
