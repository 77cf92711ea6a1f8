"""Holder of a lease: the process, recognisable by others, and how it uses the collection."""

import json
import os
import socket
import uuid
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import psutil


class Use(StrEnum):
    """What the holder of a lease does with the collection."""

    READ = "read"
    """Searches it. Holders that read the same data share the collection."""
    WRITE = "write"
    """Drops, loads, releases, inserts or deletes: exclusive."""


@dataclass(frozen=True, slots=True)
class Holder:
    """One lease, as its row says. Every heartbeat writes a new row, with the next number."""

    lease: str
    """Unique id of this lease."""
    beat: int
    collection: str
    data: str
    """Identifies the data: equal for runs whose collections would be the same."""
    use: Use
    claimed: bool
    """True until it is certain that no other claim came first."""
    preparing: bool
    """True if it writes only to prepare the collection for `READ`."""
    ready: bool
    """True once the collection is as required."""
    doing: str
    """What it does, for display."""
    run: str
    """Id of the run; empty before it has one."""
    host: str
    pid: int
    machine: str
    """Equal for processes that see each other's pids."""
    started: str
    """Distinguishes this process from an earlier one with the same pid."""
    since: str
    """UTC, when the lease was taken, by the holder's clock; for display only."""
    written: float | None
    """When this row was written, in seconds by the server's clock; None if the server provides no clock."""

    @classmethod
    def here(cls, collection: str, data: str, doing: str) -> Self:
        """This process, before it has a lease."""
        pid = os.getpid()
        return cls(
            lease=uuid.uuid4().hex,
            beat=0,
            collection=collection,
            data=data,
            use=Use.READ,
            claimed=True,
            preparing=False,
            ready=False,
            doing=doing,
            run="",
            host=socket.gethostname(),
            pid=pid,
            machine=machine(),
            started=_started(pid) or "",
            since=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
            written=None,
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The holder in a row; ignores keys of later versions.

        Raises ValueError, TypeError or KeyError if it is invalid.
        """
        values = json.loads(text)
        known = {field.name: values[field.name] for field in fields(cls)}
        return cls(**known | {"use": Use(values["use"])})

    def as_text(self) -> str:
        """For a row."""
        return json.dumps(asdict(self))

    @property
    def row(self) -> str:
        """The row's key."""
        return f"{self.lease}#{self.beat}"

    def next(self, **changes: Any) -> Self:
        """The following heartbeat."""
        return replace(self, beat=self.beat + 1, **changes)

    def excludes(self, other: Self) -> bool:
        """Whether the two holders conflict."""
        return not (self.use is other.use is Use.READ and self.data == other.data)

    def is_dead(self) -> bool:
        """True if it was a process of this machine that has ended: known without waiting for its lease."""
        return self.machine == machine() and _started(self.pid) != self.started

    def __str__(self) -> str:
        """For a message: run 20261122-193000-k3f9 on host box (pid 12) since 2026-11-22 19:30 UTC, which searches."""
        who = f"run {self.run}" if self.run else "a run that is about to begin,"
        doing = "is making the data ready" if self.preparing else self.doing
        return f"{who} on host {self.host} (pid {self.pid}) since {self.since} UTC, which {doing}"


def machine() -> str:
    """Equal for all processes that see each other's pids, and for no others: containers have separate pids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # no Linux
        return f"{socket.gethostname()} {uuid.getnode():x}"


def _started(pid: int) -> str | None:
    """When a process was started, in a form independent of clock changes; None if there is no such process."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()[19]
    except psutil.NoSuchProcess:
        return None
    except (OSError, IndexError, psutil.Error):
        return _created(pid)


def _created(pid: int) -> str | None:
    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.Error:
        return None
