"""The record of one kind of operation: outcomes and times."""

from collections import Counter
from typing import Annotated, Any

from pydantic import Field, model_validator

from loadgen.measure.operation import ITEMS_AT_MOST, NAME, STAGES_AT_MOST
from loadgen.measure.sample import Outcome, count_failures
from loadgen.results.record.compact import put_back
from loadgen.results.record.part import Count, Figure, PackedOrLeftOut, Part, Share
from loadgen.results.record.slices import Slices

StageName = Annotated[str, Field(pattern=rf"^{NAME.pattern}$")]
ItemName = StageName


class Durations(Part):
    """How long the operations of one kind took: answered ones and timeouts. Seconds; null where there were none."""

    mean: Figure
    p50: Figure
    p90: Figure
    p95: Figure
    p99: Figure
    p99_9: Figure
    max: Figure
    histogram: PackedOrLeftOut
    """All of them: an HDR histogram of microseconds (V2, compressed), base64. null only in `response_seconds`: the same
    as in `service_seconds`."""


class CourseRecord(Part):
    """When the answers arrived in a phase without a planned length, as runs of one mode have."""

    seconds: Annotated[float, Field(gt=0, le=1e9)]
    """Length of a piece: 1 s, doubled as the phase grows."""
    answered: tuple[Count, ...]
    """Answered operations in each complete piece, in time order."""


class Counted(Part):
    """Operations of one kind by how they ended."""

    operation: str
    outcomes: dict[Outcome, Count]
    """Counts by outcome; an outcome that did not occur may be missing."""

    @property
    def count(self) -> int:
        """All of them, failures included."""
        return sum(self.outcomes.values())

    @property
    def failures(self) -> int:
        """Those without a usable answer."""
        return count_failures(self.outcomes)


class OperationRecord(Counted):
    """All operations of one kind that finished in a phase."""

    @property
    def totals(self) -> Counter[Outcome]:
        """Counts by outcome without nested operations: what totals count."""
        return Counter(self.outcomes) - Counter(self.nested)

    throughput: Figure
    """Answered operations per second: ok and empty ones."""
    good: Count | None = None
    """Operations that were answered (`ok`) and met all conditions of the setting `objective` on this operation; null:
    there are none."""
    goodput: Figure = None
    """Good operations per second; null where they are not judged."""
    service_seconds: Durations
    """From the real start of each operation."""
    response_seconds: Durations
    """From its scheduled start: what a user experiences. In the closed model the same as the service time."""
    nested: dict[Outcome, Count] = Field(default_factory=dict)
    """The outcomes of nested operations, such as the search within an answer: totals exclude them."""
    stages: Annotated[dict[StageName, Durations], Field(max_length=STAGES_AT_MOST)] = Field(default_factory=dict)
    """Times of the stages that the operations reported, by name, of answered operations and timeouts."""
    repeated_stages: tuple[StageName, ...] = ()
    """Of these stages, the ones that may occur many times in one operation, such as the time between two tokens: their
    histograms have every time, and their mean is no part of the operation's mean."""
    items: Annotated[dict[ItemName, Count], Field(max_length=ITEMS_AT_MOST)] = Field(default_factory=dict)
    """What the answered operations processed besides rows, such as `tokens_out` or `documents`: sums by name."""
    recall: Share
    """Mean share (0 to 1) of the exact nearest neighbours that the checked searches returned."""
    recall_checks: Count
    """Searches that were checked; 0 where recall was not measured."""
    mrr: Share = None
    """Mean reciprocal rank (0 to 1) of the first chunk of an expected document; null where none are expected."""
    slices: Slices | None
    """The phase in slices of equal length, in time order; null if it had no planned length."""
    course: CourseRecord | None = None
    """null: the phase had a planned length, or was a burst, or nothing was answered."""

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, values: Any) -> Any:
        return put_back(values) if isinstance(values, dict) else values


class Outside(Counted):
    """Operations of one variant and kind that finished outside the phases: in a warm-up, or after their phase."""

    variant: str
    is_nested: bool = False
    """Nested operations, which no total counts."""

    @property
    def totals(self) -> Counter[Outcome]:
        """Counts by outcome without nested operations."""
        return Counter() if self.is_nested else Counter(self.outcomes)


class ScheduledRate(Part):
    """The rate of arrivals of one operation, linear between its points and constant before and after them."""

    operation: str
    """Name of its task; empty: of any."""
    points: tuple[tuple[float, Annotated[float, Field(ge=0)]], ...]
    """Seconds since the measured part began, ascending, and arrivals per second."""
