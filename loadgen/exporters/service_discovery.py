"""The processes of one machine in a file that Prometheus discovers its targets from."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

PROCESS = "__loadgen_process"
"""Label of an entry: process id and start time. Prometheus forgets labels that start with two underscores."""
CLOCK = 2.0
"""Seconds by which two processes may see the start of a third differently, where the wall clock is set meanwhile."""


class Targets:
    """This process's entry in the file. Other processes write to the same file; each leaves the others' entries alone.

    An entry whose process has ended, however it ended, is removed by the next one that writes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, target: str, role: str) -> None:
        """Enter this process. Raises OSError where the file cannot be written."""
        labels = {"job": "loadgen", "role": role, PROCESS: _identity(psutil.Process())}
        self._write([{"targets": [target], "labels": labels}])

    def remove(self) -> None:
        """Take this process's entry out. Raises OSError where the file cannot be written."""
        self._write([])

    def _write(self, mine: list[dict[str, Any]]) -> None:
        this = _identity(psutil.Process())
        with _locked(self._path.parent):
            others = [entry for entry in self._read() if _process(entry) != this and _lives(_process(entry))]
            # Not .json, and hidden: a pattern in Prometheus's configuration must not match what is half written.
            part = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            part.write_text(json.dumps(others + mine, indent=2) + "\n", encoding="utf-8")
            part.replace(self._path)

    def _read(self) -> list[Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return []
        return found if isinstance(found, list) else []


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time. The folder itself is locked, so that no lock file stays behind."""
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def _identity(process: psutil.Process) -> str:
    """Process ids are used again; together with the start time they are not."""
    return f"{process.pid}-{process.create_time():.2f}"


def _process(entry: Any) -> str:
    labels = entry.get("labels") if isinstance(entry, dict) else None
    return str(labels.get(PROCESS, "")) if isinstance(labels, dict) else ""


def _lives(identity: str) -> bool:
    """Whether that process is still there; an entry that somebody else wrote is left alone."""
    if not identity:
        return True
    try:
        number, started = identity.split("-")
        difference: float = psutil.Process(int(number)).create_time() - float(started)
    except (ValueError, psutil.NoSuchProcess):
        return False
    return abs(difference) < CLOCK
