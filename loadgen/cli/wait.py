"""`loadgen wait`: a worker waits for its master, which may take hours to prepare the data, or may have ended."""

import argparse
import contextlib
import socket
import time
from typing import Any

from loadgen.cli.lengths import seconds
from loadgen.settings.addresses import HIGHEST_PORT, PORT

DONE, NOBODY = 0, 3
"""3 is used by no other command, so a Job can distinguish it from a worker that died."""
LOOK_SECONDS = 1.0
CONNECT_SECONDS = 3.0
GONE_SECONDS = 30.0
"""Seconds after which a name that no longer resolves means that the pod ended; longer than DNS caches keep it."""
UNNAMED_SECONDS = 900.0
"""Seconds to wait for scheduling: a master has its name once its pod is on a node, long before it is ready."""
UNNAMED = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
"""Errors for a name that does not exist or has no address. Others are faults of the name server."""


class Watch:
    """Observations of a master. Times are seconds of a monotonic clock."""

    def __init__(self, end: float, unnamed_seconds: float = UNNAMED_SECONDS) -> None:
        self._end = end
        self._unnamed_seconds = unnamed_seconds
        self._named = False
        self._unnamed_since: float | None = None

    def judge(self, *, named: bool | None, now: float) -> str:
        """Why waiting is pointless; empty if it is not. `named` is None if unknown."""
        if named:
            self._named, self._unnamed_since = True, None
        elif named is False and self._unnamed_since is None:
            self._unnamed_since = now
        unnamed_for = 0.0 if self._unnamed_since is None else now - self._unnamed_since
        if self._named and unnamed_for >= GONE_SECONDS:
            return "has ended: its name is gone"
        if not self._named and self._unnamed_since is not None and unnamed_for >= self._unnamed_seconds:
            return f"has had no name for {unnamed_for:.0f} s: it has ended, or was not scheduled"
        return "did not become ready in time" if now >= self._end else ""


def add_wait(commands: Any) -> None:
    """`loadgen wait` and its flags."""
    text = "wait until a Locust master accepts workers; exit code 3 if it has ended or never starts"
    parser = commands.add_parser("wait", help=text, description=text)
    parser.add_argument("master", type=_address, metavar="HOST:PORT", help="where the master listens for workers")
    parser.add_argument("--seconds", type=seconds, default=300.0, help="maximum wait [default: %(default)g]")
    text = "maximum wait for a name without an address [default: %(default)g]"
    parser.add_argument("--unnamed-seconds", type=seconds, default=UNNAMED_SECONDS, help=text)
    parser.set_defaults(command=_wait)


def _address(text: str) -> tuple[str, int]:
    host, mark, port = text.rpartition(":")
    if not (host and mark and PORT.fullmatch(port) and 0 < int(port) <= HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as master:5557")
    return host, int(port)


def _wait(given: argparse.Namespace) -> int:
    host, port = given.master
    watch = Watch(time.monotonic() + given.seconds, given.unnamed_seconds)
    while True:
        if is_listening(host, port):
            return DONE
        if why := watch.judge(named=is_named(host), now=time.monotonic()):
            print(f"loadgen wait: the master {host}:{port} {why}", flush=True)  # noqa: T201 - this is a command
            return NOBODY
        time.sleep(LOOK_SECONDS)


def is_listening(host: str, port: int) -> bool:
    """Whether a connection is accepted. It is closed immediately, which a master tolerates."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=CONNECT_SECONDS):
        return True
    return False


def is_named(host: str) -> bool | None:
    """Whether the name has an address; None if the name server failed."""
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        return False if error.errno in UNNAMED else None
    return True
