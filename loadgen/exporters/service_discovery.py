"""The file from which a local Prometheus discovers the processes of this machine."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

PROCESS = "__loadgen_process"
"""Label of an entry: process id and start time. Prometheus drops labels that start with two underscores."""
CLOCK = 2.0
"""Seconds by which two processes may disagree on the start time of a third, if the wall clock was adjusted."""


class Targets:
    """This process's entry in the file. Processes share the file; each leaves the others' entries alone.

    The next process that writes removes the entries of processes that have ended, however they ended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, target: str, role: str) -> None:
        """Add this process. Raises OSError if the file cannot be written."""
        labels = {"job": "loadgen", "role": role, PROCESS: _identity(psutil.Process())}
        self._write([{"targets": [target], "labels": labels}])

    def remove(self) -> None:
        """Remove this process. Raises OSError if the file cannot be written."""
        self._write([])

    def _write(self, mine: list[dict[str, Any]]) -> None:
        this = _identity(psutil.Process())
        with _locked(self._path.parent):
            others = [entry for entry in self._read() if _process(entry) != this and _lives(_process(entry))]
            # Hidden, and not .json: a pattern in Prometheus's configuration must not match a partial file.
            part = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            part.write_text(json.dumps(others + mine, indent=2) + "\n", encoding="utf-8")
            part.replace(self._path)

    def _read(self) -> list[Any]:
        try:
            loaded = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return []
        return loaded if isinstance(loaded, list) else []


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time. The folder itself is locked, so that no lock file remains."""
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def _identity(process: psutil.Process) -> str:
    """Process ids are reused, but not together with the start time."""
    return f"{process.pid}-{process.create_time():.2f}"


def _process(entry: Any) -> str:
    labels = entry.get("labels") if isinstance(entry, dict) else None
    return str(labels.get(PROCESS, "")) if isinstance(labels, dict) else ""


def _lives(identity: str) -> bool:
    """Whether that process still runs; an entry written by another program is left alone."""
    if not identity:
        return True
    try:
        number, started = identity.split("-")
        difference: float = psutil.Process(int(number)).create_time() - float(started)
    except (ValueError, psutil.NoSuchProcess):
        return False
    return abs(difference) < CLOCK
