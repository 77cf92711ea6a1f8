"""Samples of one kind as columns: one pass takes them apart for all that count them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from loadgen.measure.sample import Outcome, Sample, StageTimes

VARIANT, OPERATION, SCHEDULED, STARTED, FINISHED, OUTCOME, ROWS, NESTED, STAGES, ITEMS = map(
    Sample._fields.index,
    ("variant", "operation", "scheduled", "started", "finished", "outcome", "rows", "nested", "stages", "items"),
)


class Batch(NamedTuple):
    """One or more samples of one variant and operation. Times are those of the samples, in the same order."""

    samples: Sequence[Sample]
    scheduled: NDArray[np.float64]
    started: NDArray[np.float64]
    finished: NDArray[np.float64]
    outcomes: tuple[Outcome, ...]
    rows: tuple[int, ...]
    nested: tuple[bool, ...]
    stages: tuple[StageTimes, ...]
    items: tuple[Mapping[str, int], ...]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Self:
        """Raises IndexError without a sample."""
        return cls._make_from(samples, tuple(zip(*samples, strict=True)))

    @classmethod
    def _make_from(cls, samples: Sequence[Sample], columns: Sequence[Any]) -> Self:
        scheduled, started, finished = (np.array(columns[place]) for place in (SCHEDULED, STARTED, FINISHED))
        outcomes, rows, nested, stages, items = (columns[place] for place in (OUTCOME, ROWS, NESTED, STAGES, ITEMS))
        return cls(samples, scheduled, started, finished, outcomes, rows, nested, stages, items)

    @property
    def is_uniform(self) -> bool:
        """Whether all have the same outcome."""
        return self.outcomes.count(self.outcomes[0]) == len(self.outcomes)

    def with_outcome(self, *outcomes: Outcome) -> Self | None:
        """Those with one of these outcomes; None if there is none."""
        if self.is_uniform:
            return self if self.outcomes[0] in outcomes else None
        some = [sample for sample in self.samples if sample.outcome in outcomes]
        return self.of(some) if some else None

    def by_outcome(self) -> dict[Outcome, Self]:
        """All of them, by their outcomes."""
        if self.is_uniform:
            return {self.outcomes[0]: self}
        return {outcome: some for outcome in Outcome if (some := self.with_outcome(outcome)) is not None}


def split_by_kind(samples: Sequence[Sample]) -> dict[tuple[str, str], Batch]:
    """The samples of each variant and operation. Usually there is only one kind."""
    if not samples:
        return {}
    columns = tuple(zip(*samples, strict=True))
    variants, operations = columns[VARIANT], columns[OPERATION]
    if len(set(variants)) == len(set(operations)) == 1:
        return {(variants[0], operations[0]): Batch._make_from(samples, columns)}  # noqa: SLF001 - its own module
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.variant, sample.operation), []).append(sample)
    return {kind: Batch.of(some) for kind, some in groups.items()}
