"""The counts of one variant, and of each of its operations, since the process began."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from loadgen.exporters.buckets import DURATIONS, SHARES, Buckets
from loadgen.measure.sample import Mode, Outcome
from loadgen.settings.model import Settings
from loadgen.settings.variants import find_baseline, find_variants, settings_of

OTHER = "other"
"""Variant, operation or stage beyond the maximum number of series."""
LONGEST_LABEL = 200
"""Maximum characters of a variant's settings in its info."""


class VariantLabels(NamedTuple):
    """Labels of a variant, apart from its settings."""

    mode: Mode
    client: str


class FaultSeries:
    """Declared faults of one action, since the process began."""

    def __init__(self) -> None:
        self.begun = self.active = 0


class OperationSeries:
    """All operations of one variant and one name."""

    __slots__ = ("good", "items", "ok", "others", "response", "rows", "service", "stages")

    def __init__(self) -> None:
        self.ok = 0
        self.others = dict.fromkeys((outcome for outcome in Outcome if outcome is not Outcome.OK), 0)
        self.rows = 0
        self.items: dict[str, int] = {}
        """What they processed besides rows, such as tokens."""
        self.good: int | None = None
        """Those that met the objective; None if they were never judged."""
        self.service = Buckets(DURATIONS)
        self.response = Buckets(DURATIONS)
        self.stages: dict[str, Buckets] = {}
        """Those of its variant, by stage: found sooner here."""

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """Counts by outcome; every outcome is present, even with 0."""
        return {Outcome.OK: self.ok} | self.others


class VariantSeries:
    """All series of one variant. `labels` are its name, mode and client."""

    __slots__ = ("active", "dropped", "labels", "nested", "offered", "operations", "rank", "recall", "stages",
                 "task_errors")  # fmt: skip

    def __init__(self, name: str, mode: str, client: str) -> None:
        self.labels = (name, mode, client)
        self.operations: dict[str, OperationSeries] = {}
        self.nested: dict[str, OperationSeries] = {}
        """Nested operations, which all other series exclude."""
        self.stages: dict[tuple[str, str], Buckets] = {}
        """By operation and stage, including nested operations."""
        self.active = 0.0
        """Total seconds of its phases, counted in the master or single process."""
        self.dropped = 0
        self.task_errors = 0
        self.offered = 0.0
        """Arrivals per second that are due now."""
        self.recall = Buckets(SHARES)
        self.rank = Buckets(SHARES)


def describe_variants(settings: Settings) -> Iterator[Mapping[str, str]]:
    """The labels of each variant's info, except the run's id."""
    baseline = find_baseline(settings)
    for one in find_variants(settings):
        own = settings_of(settings, one)
        yield {
            "variant": one.name,
            "mode": one.mode,
            "client": one.client,
            "baseline": str(one.name == baseline).lower(),
            "collection": own.collection,
            "index": own.index_type,
            "settings": one.text[:LONGEST_LABEL],
        }
