"""How long to wait for a refusing server while the collection is prepared, and what to report.

pymilvus repeats an RPC that is UNAVAILABLE 75 times, with pauses of up to 3 s, and is silent for nearly four minutes.
Retries help if a proxy is replaced or a rate limit passes, but not beyond `PATIENCE_SECONDS` without a success.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import grpc
from pymilvus.client.connection_manager import AsyncConnectionManager, ConnectionManager

from loadgen.milvus.store.errors import GivenUpError, server_words, status_of

PATIENCE_SECONDS = 30.0
QUIET_SECONDS = 10.0
"""A failure this long after the previous one counts as a first one: a retry waits 3 s at most."""
RATE_LIMITED = (8,)
"""Milvus's code for a rate limit; the quotas for memory and disk (3, 7, 9) are not temporary."""


class Patience:
    """Counts the seconds since the last success while RPCs fail temporarily. Thread-safe.

    `tell` takes a line as soon as the server refuses for the first time. The clock's seconds are perf_counter's.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._tell = tell
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._latest = 0.0
        self._words = ""

    def succeeded(self) -> None:
        """Note a success: the next failure counts as a first one."""
        with self._lock:
            self._since = None

    def failed(self, error: BaseException) -> None:
        """Count a temporary failure. Raises GivenUpError if nothing has succeeded for too long."""
        now = self._clock()
        with self._lock:
            first = self._since is None or now - self._latest > QUIET_SECONDS
            self._since = since = now if first or self._since is None else self._since
            self._latest, self._words = now, describe_refusal(error)
        if now - since >= self._seconds:
            raise GivenUpError(message=f"the server refused for {now - since:.0f} s and said {self._words}")
        if first:
            self._tell(f"The server refuses and says {self._words}; trying again for {self._seconds:g} s")

    @property
    def trouble(self) -> str:
        """For a progress line: how long the server has refused, and its message; empty while it does not."""
        with self._lock:
            since = self._since
            return "" if since is None else f"refused for {self._clock() - since:.0f} s: {self._words}"

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Observe every RPC that pymilvus is about to retry in this process, in any client."""
        _RETRY_HOOK.add(self)
        try:
            yield
        finally:
            _RETRY_HOOK.remove(self)


class _RetryHook:
    """Wraps `handle_error` of pymilvus's connection managers, which retries call, while there is a watcher."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watching: list[Patience] = []
        self._originals: tuple[Any, Any] = (None, None)

    def add(self, patience: Patience) -> None:
        with self._lock:
            if not self._watching:
                self._install()
            self._watching.append(patience)

    def remove(self, patience: Patience) -> None:
        with self._lock:
            self._watching.remove(patience)
            if not self._watching:
                ConnectionManager.handle_error, AsyncConnectionManager.handle_error = self._originals

    def _install(self) -> None:
        blocking, asynchronous = self._originals = (ConnectionManager.handle_error, AsyncConnectionManager.handle_error)

        def hear(manager: Any, handler: Any, error: Exception) -> bool:
            self._hear(error)
            return bool(blocking(manager, handler, error))

        async def hear_async(manager: Any, handler: Any, error: Exception) -> bool:
            self._hear(error)
            return bool(await asynchronous(manager, handler, error))

        ConnectionManager.handle_error, AsyncConnectionManager.handle_error = hear, hear_async

    def _hear(self, error: Exception) -> None:
        if isinstance(error, grpc.RpcError):  # pymilvus raises what Milvus itself refuses, and does not repeat it
            for patience in list(self._watching):
                patience.failed(error)


_RETRY_HOOK = _RetryHook()
"""One per process, like the classes that it changes."""


def may_pass(error: BaseException) -> bool:
    """Whether a retry can help: the connection or a proxy was lost, or a rate limit was exceeded."""
    if isinstance(error, GivenUpError):
        return False
    status, _ = status_of(error)
    return status is grpc.StatusCode.UNAVAILABLE or getattr(error, "code", None) in RATE_LIMITED


def describe_refusal(error: BaseException) -> str:
    """The server's message in quotes, with the gRPC status if there is one."""
    status, details = status_of(error)
    return f'"{details or server_words(error)}"' + (f" ({status.name})" if status else "")
