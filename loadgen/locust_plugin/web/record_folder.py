"""The run records in the folder of `--record`: listed, opened by name, compared. No other file of it can be reached."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.json")
HEAD = re.compile(rb'\s*\{\s*"schema_version"\s*:\s*\d+\s*,\s*"run_id"\s*:\s*"')
"""How each run record begins, and few other files do."""
HEAD_BYTES = 200
LISTED = 100
"""Maximum records of a list, the newest first."""
LOOKED_AT = 10_000
"""Maximum names of a folder that are looked at."""
PATIENCE = 60.0
"""Maximum seconds for a comparison."""


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """One file of the folder."""

    name: str
    written: str
    """When, in UTC."""
    megabytes: float
    has_report: bool


class RecordFolder:
    """A folder of run records. A name is looked for in its listing and never joined to a path."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def newest(self) -> list[KeptRecord]:
        """The newest records, the newest first; empty if there is no folder."""
        result = sorted(self._records(), key=lambda item: item[1].st_mtime, reverse=True)
        return [_describe(path, status) for path, status in result[:LISTED]]

    def find(self, name: str) -> Path | None:
        """The record with exactly this name."""
        if not NAME.fullmatch(name):
            return None
        return next((path for path, _ in self._records(name) if _is_record(path)), None)

    def find_report(self, name: str) -> Path | None:
        """The report next to the record with this name."""
        record = self.find(name)
        return None if record is None else _report(record)

    def _records(self, only: str = "") -> Iterator[tuple[Path, os.stat_result]]:
        """Regular files, not links: these may lead anywhere."""
        if not self._folder:
            return
        try:
            with os.scandir(self._folder) as entries:
                for _, entry in zip(range(LOOKED_AT), entries, strict=False):
                    if entry.name == only or (not only and NAME.fullmatch(entry.name)):
                        status = entry.stat(follow_symlinks=False)
                        path = Path(entry.path)
                        if stat.S_ISREG(status.st_mode) and (only or _is_record(path)):
                            yield path, status
        except OSError:
            return


def _is_record(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return HEAD.match(file.read(HEAD_BYTES)) is not None
    except OSError:
        return False


def _report(record: Path) -> Path | None:
    path = record.with_suffix(".html")
    return path if path.is_file() and not path.is_symlink() else None


def _describe(path: Path, status: os.stat_result) -> KeptRecord:
    written = datetime.fromtimestamp(status.st_mtime, UTC)
    return KeptRecord(
        path.name, f"{written:%Y-%m-%d %H:%M:%S} UTC", round(status.st_size / 1e6, 3), _report(path) is not None
    )


def compare_records(old: Path, new: Path) -> tuple[str, str]:
    """The comparison as JSON, and the reason if there is none. In a process of its own: it takes seconds of CPU time.

    Blocks: call it in a thread.
    """
    command = [
        sys.executable,
        "-m",
        "loadgen.cli.main",
        "compare",
        "--format",
        "json",
        str(old.absolute()),
        str(new.absolute()),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, and two files of the folder
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"The records cannot be compared: {type(error).__name__}"
    if done.stdout.startswith("{"):  # the exit code says whether there is a regression
        return done.stdout, ""
    said = done.stderr.replace(f"{old.absolute().parent}{os.sep}", "").replace("loadgen compare: ", "").strip()
    return "", said or "The records cannot be compared; no reason was given."
