"""Run records in a folder: written atomically, and read with errors that give a hint."""

import contextlib
import errno
import gc
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from loadgen.results.record.compact import leave_out
from loadgen.results.record.model import SCHEMA_VERSION, PhaseRecord, RunRecord
from loadgen.results.record.upgrading import OLDEST, upgrade
from loadgen.settings.faults import Fault
from loadgen.text.plain_text import escape_json

LARGEST = 512 << 20
"""Maximum bytes of a file to read: ten times a record of 8,000 phases."""
VALUES_AT_MOST = 10_000_000
"""Maximum values in it: each takes some hundred bytes of memory."""
NAMES_AT_MOST, PARTS_AT_MOST = 100, 100_000
"""Maximum operation names in a record, and operations over all phases."""
MISTAKES_AT_MOST = 1_000
"""Maximum errors of a file to examine."""
SHOWN = 5
"""Maximum errors of a file to report; the rest is counted."""
WRITER = "milvus-loadgen"
NO_PHASES = '\n "phases": []'
"""The empty list of phases as written; unique in the file, as nested keys are indented more."""


class RecordError(ValueError):
    """A run record cannot be read: which file, why, and what to do."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


def check_folder(folder: str | Path) -> Fault | None:
    """Why a folder cannot take records, as far as visible without creating or writing anything."""
    path = Path(folder)
    try:
        above = next(place for place in (path, *path.parents) if place.exists())
    except (OSError, StopIteration) as error:
        return _folder_fault(folder, error)
    if not above.is_dir():
        return _folder_fault(folder, NotADirectoryError())
    if not os.access(above, os.W_OK | os.X_OK):
        return _folder_fault(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return None


def make_folder(folder: str | Path) -> Fault | None:
    """Create the folder and write to it, before any load; a fault if records cannot be kept there."""
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(b"{}")
            probe.flush()
    except (OSError, ValueError) as error:
        return _folder_fault(folder, error)
    return None


def _folder_fault(folder: str | Path, error: Exception) -> Fault:
    problem = f"cannot be written to ({getattr(error, 'strerror', None) or error})"
    if isinstance(error, FileExistsError | NotADirectoryError):
        problem = "is or lies below a file, not a folder"
    return Fault("record", str(folder), problem, "Name a writable folder, such as --record runs.")


class PhaseTexts:
    """The text of each phase of an ongoing run, rendered once: a finished phase does not change."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[PhaseRecord, str]] = {}
        """By id(); keeping the phase ensures that its id is not reused."""

    def of(self, phases: Sequence[PhaseRecord]) -> list[str]:
        """The texts of these phases; others are dropped."""
        self._made = {id(phase): self._made.get(id(phase)) or (phase, _phase_text(phase)) for phase in phases}
        return [self._made[id(phase)][1] for phase in phases]


def write_record(folder: str | Path, record: RunRecord, texts: PhaseTexts | None = None) -> Path:
    """Write `<run id>.json`, replacing an earlier state of the same run; returns its path.

    The old file stays until the new one is complete and on disk. `texts` are those of the earlier states. Raises
    OSError if it cannot be written.
    """
    path = Path(folder) / f"{record.run_id}.json"
    replace_file(path, as_json(record, texts))
    return path


def replace_file(path: Path, text: str) -> None:
    """Write a file. The old one stays until the new one is complete and on disk. Raises OSError."""
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def as_json(record: RunRecord, texts: PhaseTexts | None = None) -> str:
    """The text of the file."""
    frame = _as_text(record.model_copy(update={"phases": ()}).model_dump(mode="json"), indent=1)
    phases = (texts or PhaseTexts()).of(record.phases)
    if phases:
        every = ",\n  ".join(phases)
        frame = frame.replace(NO_PHASES, f"{NO_PHASES[:-1]}\n  {every}\n ]", 1)
    return frame + "\n"


def _phase_text(phase: PhaseRecord) -> str:
    """A line: indented, its keys take a fifth more."""
    values = phase.model_dump(mode="json")
    values["operations"] = [leave_out(one) for one in values["operations"]]
    return _as_text(values, separators=(",", ":"))


def _as_text(values: dict[str, Any], **layout: Any) -> str:
    return escape_json(json.dumps(values, ensure_ascii=False, allow_nan=False, **layout))


def as_block(record: RunRecord) -> str:
    """The text of the file between two marker lines, to extract it from a log."""
    return f"-----BEGIN RUN RECORD {record.run_id}-----\n{as_json(record)}-----END RUN RECORD {record.run_id}-----\n"


def _sync_folder(folder: Path) -> None:
    """Sync the rename itself to disk, if the file system can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def read_record(path: str | Path) -> RunRecord:
    """The record in a file, also one of an earlier version from `OLDEST` on.

    Raises RecordError: missing, no JSON, another schema version, keys missing or wrong.
    """
    path = Path(path)
    with _without_collector():
        return _read(path)


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Run without the collector of cycles: a record has none, and to look for them takes a third of the reading."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(path: Path) -> RunRecord:
    values = _read_json(path)
    if not isinstance(values, dict) or "schema_version" not in values:
        raise RecordError(path, "is not a run record: it has no key 'schema_version'. Give a file that a run wrote.")
    values = upgrade(values)
    result = values["schema_version"]
    if type(result) is not int or result != SCHEMA_VERSION:
        raise RecordError(path, _other_version(result, values))
    try:
        record = RunRecord.model_validate(values)
    except ValidationError as error:
        raise RecordError(path, f"is not a complete run record: {_mistakes(error)}. Measure again.") from None
    names = {part.operation for phase in record.phases for part in phase.operations}
    parts = sum(len(phase.operations) for phase in record.phases)
    if len(names) > NAMES_AT_MOST or parts > PARTS_AT_MOST:
        most = f"{NAMES_AT_MOST} and {PARTS_AT_MOST:,}"
        raise RecordError(path, f"has {len(names):,} operation names in {parts:,} places; at most {most} are accepted.")
    return record


def _read_json(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise RecordError(path, "does not exist. Give the path of a record, such as runs/<run id>.json.") from None
    except OSError as error:
        raise RecordError(path, f"cannot be read ({error.strerror or error}).") from None
    if problem := _find_excess(text):
        raise RecordError(path, f"{problem}. Give a file that a run wrote.")
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RecordError(path, f"is not JSON ({error}). Give a file that a run wrote.") from None


def _find_excess(text: bytes) -> str:
    """Why reading it would take too much memory; empty if it would not."""
    if len(text) > LARGEST:
        return f"is larger than {LARGEST >> 20} MiB"
    if sum(map(text.count, (b",", b"[", b"{"))) > VALUES_AT_MOST:
        return f"has more than {VALUES_AT_MOST:,} values"
    return ""


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")


def _other_version(result: object, values: dict[str, Any]) -> str:
    manifest = values.get("manifest")
    packages = manifest.get("packages") if isinstance(manifest, dict) else None
    release = packages.get(WRITER) if isinstance(packages, dict) else None
    if release == version(WRITER):  # between two releases the number is the same
        release = None
    writer = f"{WRITER} {release}" if release else f"the {WRITER} that wrote it"
    return (
        f"has schema version {json.dumps(result)}, this {WRITER} reads versions {OLDEST} to {SCHEMA_VERSION}. "
        f"Read it with {writer}, or measure again."
    )


def _mistakes(error: ValidationError) -> str:
    if error.error_count() > MISTAKES_AT_MOST:
        return f"it has {error.error_count():,} mistakes"
    reported = []
    for item in error.errors(include_url=False, include_input=False)[:SHOWN]:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
        problem = "is missing" if item["type"] == "missing" else f"- {item['msg'].removeprefix('Value error, ')}"
        reported.append(f"{place} {problem}")
    more = error.error_count() - len(reported)
    return "; ".join(reported) + (f"; and {more} more" if more else "")
