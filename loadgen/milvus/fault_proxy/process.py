"""The run's side of the proxy: it starts the process, tells it what to do, and ends it."""

import contextlib
import os
import select
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from loadgen.settings.addresses import find_port

STARTS_WITHIN = 30.0
ANSWERS_WITHIN = 10.0
ENDS_WITHIN = 2.0


class ProxyError(RuntimeError):
    """The proxy does not run."""


class FaultProxy:
    """A running proxy before the server at `upstream`; `uri` is for clients. Its methods block, on any thread.

    Raises ProxyError.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._lock = threading.Lock()
        address = (parts.hostname or "127.0.0.1", find_port(upstream) or 0)
        # In a new thread: with gevent's `os.close`, Popen in a thread with a hub deadlocks.
        with ThreadPoolExecutor(1) as pool:
            self._process = pool.submit(_start, *address).result()
        try:
            self.uri = f"{parts.scheme}://127.0.0.1:{int(self._hear(STARTS_WITHIN))}"
        except (ValueError, ProxyError) as error:
            self.stop()
            raise ProxyError("the proxy for faults did not start; see its output above") from error

    def tell(self, order: str) -> None:
        """Have it do something; returns when it is in effect."""
        with self._lock:
            stdin = self._process.stdin
            if stdin is None or stdin.closed:
                raise ProxyError("the proxy for faults was stopped")
            try:
                stdin.write(f"{order}\n".encode())
                stdin.flush()
            except OSError as error:
                raise ProxyError(f"the proxy for faults has ended ({error})") from error
            if (reported := self._hear(ANSWERS_WITHIN)) != "ok":
                raise ProxyError(f"the proxy for faults answered {reported!r} to {order!r}")

    def _hear(self, within: float) -> str:
        out = self._process.stdout
        if out is None or not select.select([out], [], [], within)[0]:
            raise ProxyError("the proxy for faults does not answer")
        return out.readline().decode().strip()

    def stop(self) -> None:
        """End it and all connections through it; idempotent."""
        with self._lock:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            try:
                self._process.wait(ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _start(host: str, port: int) -> "subprocess.Popen[bytes]":
    """Start it in a new session, out of reach of Ctrl-C."""
    return subprocess.Popen(  # noqa: S603 - this interpreter, and a module of this package
        [sys.executable, "-m", "loadgen.milvus.fault_proxy.relay", "--host", host, "--port", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        # What this process can import, its children can: the package may be where only sys.path finds it.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)},
    )
