"""The search for the highest rate that meets conditions, as part of a run record."""

from typing import Literal

from loadgen.results.record.part import Count, Figure, Part


class RateConditionRecord(Part):
    """One condition of a search."""

    text: str
    variant: str | None
    """null: it applies to every variant."""
    limit: Figure
    """Seconds for a time; a share from 0 to 1, or a number per second, for other figures."""
    is_time: bool


class RateStepRecord(Part):
    """One step: a phase of one variant at one rate."""

    variant: str
    rate: float
    """Arrivals per second."""
    seconds: float
    """Measured; less than planned if it ended early."""
    passes: bool
    """All conditions were met, and the server kept up."""
    reason: str
    """What failed; empty if it passes."""
    is_generator: bool
    """It failed while the load generator was at its limit, so it says nothing about the server."""
    throughput: Figure
    """Answered operations per second, of all kinds."""
    values: tuple[Figure, ...]
    """The measured figure of each condition, in their order; null where it does not apply or nothing was measured."""


class RateFindingRecord(Part):
    """The result of one variant."""

    variant: str
    outcome: Literal["found", "generator", "at least", "none", "unfinished"]
    """`generator`: the load generator was at its limit just above the rate; `at least`: every step passed; `none`: even
    the lowest rate failed; `unfinished`: the search was interrupted, and no result is claimed."""
    rate: Figure
    """Arrivals per second: the highest that meets the conditions; of `at least` the highest, of `none` the lowest that
    was tried; null if unfinished."""
    low: Figure
    high: Figure
    """The edge is between these with a probability of 95 %; null without one."""
    reason: str
    """What failed just above the rate."""


class RateSearchRecord(Part):
    """The search; its phases are among those of the run."""

    conditions: tuple[RateConditionRecord, ...]
    within_seconds: float
    processes: Count
    """Processes that generated load."""
    steps: tuple[RateStepRecord, ...]
    """In the order in which they ran."""
    findings: tuple[RateFindingRecord, ...]
    """By variant, in the order of a round. While the run goes on, the results so far."""

    def of(self, variant: str) -> list[RateStepRecord]:
        """The steps of one variant, by rate."""
        return sorted((one for one in self.steps if one.variant == variant), key=lambda one: one.rate)
