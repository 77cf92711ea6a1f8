"""What is counted of one variant, and of one operation of it, since the process began."""

from typing import NamedTuple

from loadgen.exporters.buckets import DURATIONS, SHARES, Buckets
from loadgen.measure.sample import Mode, Outcome

OTHER = "other"
"""Variant, operation or stage of what came after all that have series."""


class Kind(NamedTuple):
    """What a variant is, beside its own settings."""

    mode: Mode
    client: str


class Series:
    """All operations of one variant and one name."""

    __slots__ = ("ok", "others", "response", "rows", "service")

    def __init__(self) -> None:
        self.ok = 0
        self.others = dict.fromkeys((outcome for outcome in Outcome if outcome is not Outcome.OK), 0)
        self.rows = 0
        self.service = Buckets(DURATIONS)
        self.response = Buckets(DURATIONS)

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many ended how; every outcome is there, also with 0."""
        return {Outcome.OK: self.ok} | self.others


class VariantSeries:
    """All that one variant did. `labels` are its name, mode and client."""

    __slots__ = ("active", "dropped", "labels", "nested", "offered", "operations", "recall", "stages", "task_errors")

    def __init__(self, name: str, mode: str, client: str) -> None:
        self.labels = (name, mode, client)
        self.operations: dict[str, Series] = {}
        self.nested: dict[str, Series] = {}
        """Of operations that were part of others, which all other series leave out."""
        self.stages: dict[tuple[str, str], Buckets] = {}
        """By operation and stage, of nested operations as well."""
        self.active = 0.0
        """Seconds in which its phases made load, in the process that leads."""
        self.dropped = 0
        self.task_errors = 0
        self.offered = 0.0
        """Arrivals per second that are due now."""
        self.recall = Buckets(SHARES)
