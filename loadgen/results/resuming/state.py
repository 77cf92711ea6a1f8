"""What continuing a run takes beyond its record: whose run it is, and what a comparison needs of each phase.

`<run id>.resume` lies beside the record, which has everything that a reader of the results needs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from loadgen.measure.phase import Phase
from loadgen.measure.recall import Recalls
from loadgen.results.phase_result import PhaseResult, Unfinished
from loadgen.results.record import PhaseRecord, RecordError
from loadgen.results.record.part import Count, Part
from loadgen.results.record.writing import replace_file

SUFFIX = ".resume"
NOT_SAME = frozenset({
    "record", "record_url", "report", "print_record", "resume", "dry_run", "fresh", "overwrite", "cache", "otlp",
    "metrics_port", "metrics_bind", "metrics_targets", "metrics_linger", "worker_grace",
})  # fmt: skip
"""Settings that may differ when a run is continued: none of them changes what is measured."""


class Identity(Part):
    """What makes two starts the same run."""

    settings: dict[str, JsonValue]
    """As given, without secrets: the address of an embedded server is not among them."""
    locustfile: str
    """Fingerprint of the locustfiles."""
    users: tuple[str, ...]
    """Names of the user classes."""
    workers: Count
    """Number of expected workers; 0 for a single process."""
    version: str
    """Of this package."""

    def differences(self, other: "Identity") -> list[str]:
        """What the other one has not the same, as flags with both values."""
        names = [name for name in {**self.settings, **other.settings} if name not in NOT_SAME]
        pairs: list[tuple[str, object, object]] = [
            (f"--{name.replace('_', '-')}", self.settings.get(name), other.settings.get(name)) for name in names
        ]
        pairs += [
            ("the locustfile", self.locustfile, other.locustfile),
            ("its users", ", ".join(self.users), ", ".join(other.users)),
            ("--expect-workers", self.workers, other.workers),
            ("the version of milvus-loadgen", self.version, other.version),
        ]
        return [f"{name} was {_show(old)}, is {_show(new)}" for name, old, new in pairs if old != new]


class PhaseState(Part):
    """Of one phase, what its record lacks."""

    number: Count
    limits: tuple[str, ...]
    gaps: tuple[str, ...]
    connections: Count
    data: tuple[str, ...]
    recalls: dict[str, JsonValue]
    own: tuple[Count, ...]
    """Places of the operations of its own variant in the record."""
    unfinished: dict[str, tuple[Count, float]]


class RunState(Part):
    """Of one run."""

    run_id: str
    identity: Identity
    objections: dict[str, tuple[str, ...]]
    """Reasons why comparisons of a variant are invalid, known before the load."""
    phases: tuple[PhaseState, ...]


def describe_phase(result: PhaseResult) -> PhaseState:
    """What a continued run needs of a phase."""
    own = {id(part) for part in result.parts.values()}
    return PhaseState(
        number=result.phase.number,
        limits=result.limits,
        gaps=result.gaps,
        connections=result.connections,
        data=result.data,
        recalls=result.recalls.as_message(),
        own=tuple(place for place, part in enumerate(result.record.operations) if id(part) in own),
        unfinished={name: (one.count, one.oldest) for name, one in result.unfinished.items()},
    )


def restore_phase(phase: Phase, record: PhaseRecord, state: PhaseState) -> PhaseResult:
    """The result of a phase that an earlier process has measured."""
    parts = [record.operations[place] for place in state.own]
    recalls: Mapping[str, Any] = state.recalls
    return PhaseResult(
        phase=replace(phase, started_at=record.started_at.timestamp() if record.started_at else 0.0),
        record=record,
        limits=state.limits,
        gaps=state.gaps,
        connections=state.connections,
        data=state.data,
        recalls=Recalls.from_message(recalls),
        parts={part.operation: part for part in parts},
        unfinished={name: Unfinished(*result) for name, result in state.unfinished.items()},
    )


def write_state(folder: str | Path, state: RunState) -> None:
    """Write `<run id>.resume`, replacing an earlier state. Raises OSError."""
    replace_file(Path(folder) / f"{state.run_id}{SUFFIX}", json.dumps(state.model_dump(mode="json")))


def find_newest(folder: str | Path) -> Path | None:
    """The state of the newest run in a folder; None if there is none. Run ids sort by time."""
    result: Sequence[Path] = sorted(Path(folder).glob(f"*{SUFFIX}"))
    return result[-1] if result else None


def read_state(path: Path) -> RunState:
    """The inverse of `write_state`. Raises RecordError."""
    try:
        return RunState.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecordError(path, f"cannot be read ({error.strerror or error}).") from None
    except ValidationError:
        raise RecordError(path, "is not the state of a run of this version. Remove it to start anew.") from None


def _show(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "empty"
    return str(value) if value not in (None, "") else "empty"
