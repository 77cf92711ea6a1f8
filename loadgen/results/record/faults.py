"""Faults of a phase in the run record, and how the phase recovered from them."""

from typing import Annotated

from pydantic import Field

from loadgen.results.record.part import Count, Figure, Part

Seconds = Annotated[float, Field(ge=0)] | None
FailureName = Annotated[str, Field(pattern=r"^[a-z]{1,20}$")]
"""An outcome that is a failure, or `dropped`."""


class RecoveryRecord(Part):
    """How operations recovered from a fault, in seconds from the fault; null: not before the next fault or the end."""

    throughput_before: Figure
    """Answers per second before the first fault of the phase; null: there were none, and so no figure."""
    first_success_seconds: Seconds
    """End of the longest time without an answer; 0: answers never stopped for longer than before the fault."""
    recovery_seconds: Seconds
    """When the throughput over a second was back at 95 %; 0: it fell neither lower nor for longer than before."""
    failures: dict[FailureName, Count]
    """By outcome, from the fault to the next one or to the end of the phase."""


class FaultRecord(Part):
    """One fault. Times are seconds from the start of the measured part."""

    text: str
    """What was to happen, such as `20s pause server 5s`, with secrets of a command masked."""
    began: Figure
    """When it took effect; of a command and a restart, when it was started."""
    ended: Figure
    """When it was over; null: the phase ended before."""
    error: str
    """Why it could not be carried out; empty if it was."""
    exit_code: int | None
    """Of a command; null: there was none, or it was ended after --recovery-within."""
    output: tuple[str, ...]
    """The last lines of a command, secrets masked."""
    recovery: RecoveryRecord
    """Of all operations together."""
    operations: dict[str, RecoveryRecord]
    """Of each operation by itself."""

    @property
    def failure(self) -> str:
        """Why it was not carried out, or how its command failed; empty otherwise."""
        return self.error or (f"exit code {self.exit_code}" if self.exit_code else "")


class InsertCheckRecord(Part):
    """The rows whose inserts were acknowledged in the phase, searched for by id after it."""

    acknowledged: Count
    missing: Count
    names: tuple[str, ...]
    """The first missing ids, at most 20."""
    problem: str
    """Why they could not be searched for; empty if they were."""


class OutcomeCourseRecord(Part):
    """Operations in consecutive pieces of the phase."""

    seconds: Annotated[float, Field(gt=0)]
    """Length of a piece; the last one may be shorter."""
    answered: tuple[Count, ...]
    failures: dict[FailureName, tuple[Count, ...]]
    """By outcome; those that did not occur are omitted."""


class FaultsRecord(Part):
    """All faults of a phase."""

    faults: tuple[FaultRecord, ...]
    course: OutcomeCourseRecord
    expected_failures: Count
    """Failures and dropped arrivals from a fault until --recovery-within after it: they do not fail the run."""
    inserts: InsertCheckRecord | None
    """null: nothing was inserted."""
    connections_before: Count | None
    """Open TCP connections of all variants and processes to the server before the phase; null: unknown."""
    connections_after: Count | None
    """After the phase, when all variants had connected again."""
