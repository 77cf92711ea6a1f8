"""`loadgen wait`: a worker waits for its master, which may take hours to prepare the data, or may have ended."""

import argparse
import contextlib
import socket
import time
from dataclasses import dataclass
from typing import Any

from loadgen.cli.heartbeat import PreparationStatus, hear
from loadgen.cli.lengths import port_number, seconds
from loadgen.settings.addresses import HIGHEST_PORT, PORT

DONE, NOBODY = 0, 3
"""3 is used by no other command, so a Job can distinguish it from a worker that died."""
LOOK_SECONDS = 1.0
CONNECT_SECONDS = 3.0
GONE_SECONDS = 30.0
"""Seconds after which a name that no longer resolves means that the pod ended; longer than DNS caches keep it."""
SILENT_SECONDS = 60.0
"""Seconds after which a master that was heard has ended: between its preparation and its port is a start of Python."""
UNNAMED_SECONDS = 900.0
"""Seconds to wait for scheduling: a master has its name once its pod is on a node, long before it is ready.

Also for the first heartbeat: until then the image is pulled.
"""
UNNAMED = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
"""Errors for a name that does not exist or has no address. Others are faults of the name server."""


@dataclass(frozen=True, slots=True)
class MasterObservation:
    """One observation of a master that does not accept workers yet."""

    named: bool | None
    """Whether its name has an address; None if the name server failed."""
    status: PreparationStatus | None = None
    """What its preparation says; None if nobody answers."""


class MasterLiveness:
    """Whether a master is alive, from observations of it. Times are seconds of a monotonic clock."""

    def __init__(
        self,
        end: float,
        unnamed_seconds: float = UNNAMED_SECONDS,
        *,
        has_heartbeat: bool = False,
        returns: bool = False,
    ) -> None:
        """With a heartbeat, silence counts as well as a missing name.

        `returns`: a master that has gone is started again, as with `--resume`.
        """
        self._returns = returns
        self._end = end
        self._patience = unnamed_seconds
        self._has_heartbeat = has_heartbeat
        self._named = self._heard = False
        self._may_return = returns
        self._unnamed_since: float | None = None
        self._silent_since: float | None = None

    def judge(self, observation: MasterObservation, now: float) -> str:
        """Why waiting is pointless; empty if it is not."""
        self._note(observation, now)
        if observation.status is PreparationStatus.FAILED:
            return "could not prepare its data"
        unnamed_for, silent_for = self._since(self._unnamed_since, now), self._since(self._silent_since, now)
        if self._named and unnamed_for >= (self._patience if self._may_return else GONE_SECONDS):
            return "has ended: its name is gone"
        if not self._named and self._unnamed_since is not None and unnamed_for >= self._patience:
            return f"has had no name for {unnamed_for:.0f} s: it has ended, or was not scheduled"
        known = self._heard and not self._may_return
        if self._silent_since is not None and silent_for >= (SILENT_SECONDS if known else self._patience):
            return f"has not answered for {silent_for:.0f} s: it has ended"
        return "did not become ready in time" if now >= self._end else ""

    def _note(self, observation: MasterObservation, now: float) -> None:
        if observation.named:
            self._named, self._unnamed_since = True, None
        elif observation.named is False and self._unnamed_since is None:
            self._unnamed_since = now
        if observation.status is not None:
            self._heard, self._silent_since = True, None
            self._may_return = self._returns or observation.status is PreparationStatus.INTERRUPTED
        elif self._has_heartbeat and observation.named and self._silent_since is None:
            self._silent_since = now
        elif not observation.named:
            self._silent_since = None  # the missing name counts, or nothing is known

    @staticmethod
    def _since(start: float | None, now: float) -> float:
        return 0.0 if start is None else now - start


def add_wait(commands: Any) -> None:
    """`loadgen wait` and its flags."""
    text = "wait until a Locust master accepts workers; exit code 3 if it has ended or never starts"
    parser = commands.add_parser("wait", help=text, description=text)
    parser.add_argument("master", type=_address, metavar="HOST:PORT", help="where the master listens for workers")
    parser.add_argument(
        "--seconds", type=seconds, default=300.0, metavar="SECONDS", help="maximum wait [default: %(default)g]"
    )
    text = "maximum wait for a name without an address [default: %(default)g]"
    parser.add_argument("--unnamed-seconds", type=seconds, default=UNNAMED_SECONDS, metavar="SECONDS", help=text)
    text = "port of `loadgen prepare --heartbeat` on the master: if nothing answers there, it has ended [default: none]"
    parser.add_argument("--heartbeat", type=port_number, metavar="PORT", help=text)
    text = "a master that has gone may return, as with --resume: wait for it as long as for a name without an address"
    parser.add_argument("--returns", action="store_true", help=text)
    parser.set_defaults(command=_wait)


def _address(text: str) -> tuple[str, int]:
    host, mark, port = text.rpartition(":")
    if not (host and mark and PORT.fullmatch(port) and 0 < int(port) <= HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as master:5557")
    return host, int(port)


def _wait(given: argparse.Namespace) -> int:
    host, port = given.master
    has_heartbeat = given.heartbeat is not None
    end = time.monotonic() + given.seconds
    liveness = MasterLiveness(end, given.unnamed_seconds, has_heartbeat=has_heartbeat, returns=given.returns)
    while True:
        if is_listening(host, port):
            return DONE
        status = hear(host, given.heartbeat, CONNECT_SECONDS) if has_heartbeat else None
        if why := liveness.judge(MasterObservation(is_named(host), status), time.monotonic()):
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
