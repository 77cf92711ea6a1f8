"""The record of a run that measured each variant with several values of a search parameter."""

from loadgen.results.record.part import Count, Part, Share
from loadgen.results.record.scaling import Estimate


class SweepPoint(Part):
    """All phases of one variant with one value."""

    variant: str
    """Its name among the variants of the run."""
    value: float
    """Of the search parameter."""
    recall: Share
    """Mean of the checked searches."""
    recall_checks: Count
    throughput: Estimate
    """Answered operations per second, with its 95 % interval."""


class AtRecall(Part):
    """The throughput at a recall, between those of the points on both sides of it."""

    recall: float
    throughput: Estimate | None
    """Operations per second; null: the points do not enclose the recall."""
    baseline: str
    """The family that it is compared with; empty for that one."""
    ratio: Estimate | None
    """Of the throughput to that of the baseline; null where one of both has none."""
    reason: str
    """Why there is no throughput; empty if there is one."""


class SweepRecord(Part):
    """One operation of one family of variants at one load level."""

    operation: str
    family: str
    """The variant that was given."""
    parameter: str
    concurrency: Count
    points: tuple[SweepPoint, ...]
    """By recall, ascending."""
    at_recall: AtRecall | None
    """Null: no recall was asked for."""
