"""The sampled operations of a phase, whose requests sent a trace context."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from loadgen.measure.sample import Outcome
from loadgen.results.record.part import Count, Part


class TraceRecord(Part):
    """One sampled operation."""

    operation: str
    trace_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    """As a tracing back end shows it (W3C Trace Context)."""
    started_at: AwareDatetime
    """When it was due, by the clock of the machine that sent it."""
    response_seconds: Annotated[float, Field(ge=0, le=1e9)]
    outcome: Outcome


class TracesRecord(Part):
    """The sampled operations of a phase, nested ones excluded."""

    sampled: Count
    """All of them."""
    slowest: Annotated[tuple[TraceRecord, ...], Field(max_length=1_000)]
    """Up to ten of each operation, in order of the operations' names, the slowest first."""
