"""One operation of one variant at one level, in all its rounds: figures read from the phases of a record."""

import contextlib
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from hdrh.histogram import HdrHistogram

from loadgen.measure import histograms
from loadgen.measure.histogram_texts import sum_histograms
from loadgen.measure.sample import EMPTY_AT_MOST, Outcome
from loadgen.measure.slice_table import SliceTable
from loadgen.measure.slices import SliceStats
from loadgen.results.bootstrap import SlicedPhase
from loadgen.results.cost import Cost, find_cost
from loadgen.results.figures import LoadLevel, load_level, per_second, throughput
from loadgen.results.record import Durations, OperationRecord, PhaseRecord, RunRecord
from loadgen.results.requirements import parse_max_empty
from loadgen.results.server_work import ServerWork, find_server_work
from loadgen.settings.faults import SettingsError


@dataclass(frozen=True, slots=True)
class Series:
    """All rounds of one variant, for one operation at one level."""

    operation: str
    level: LoadLevel
    variant: str
    phases: tuple[PhaseRecord, ...]
    """All phases of this variant at this level; those in which the operation never ended count with their time."""
    by_phase: tuple[OperationRecord | None, ...]
    """The operation in each phase; None where it never ended."""
    _times: list[HdrHistogram] = field(default_factory=list, compare=False, repr=False)

    @property
    def parts(self) -> list[OperationRecord]:
        """The operation in each phase in which it ended."""
        return [part for part in self.by_phase if part is not None]

    @property
    def seconds(self) -> float:
        """Measured length of all rounds."""
        return math.fsum(phase.seconds for phase in self.phases)

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How the operations ended."""
        total: Counter[Outcome] = Counter()
        for part in self.parts:
            total.update(part.outcomes)
        return total

    @property
    def count(self) -> int:
        """All finished operations."""
        return sum(part.count for part in self.parts)

    @property
    def failures(self) -> int:
        """Operations without a usable answer."""
        return sum(part.failures for part in self.parts)

    @property
    def dropped(self) -> int:
        """Arrivals that were never sent, of any operation."""
        return sum(phase.dropped for phase in self.phases)

    @property
    def throughput(self) -> float:
        """Answered operations per second."""
        return throughput(self.outcomes, self.seconds)

    @property
    def good(self) -> int | None:
        """Operations that met the objective; None if they are not judged."""
        known = [part.good for part in self.parts if part.good is not None]
        return sum(known) if known else None

    @property
    def goodput(self) -> float | None:
        """Good operations per second; None if they are not judged."""
        return None if self.good is None else per_second(self.good, self.seconds)

    @property
    def items(self) -> Counter[str]:
        """What the operations processed besides rows, by name."""
        total: Counter[str] = Counter()
        for part in self.parts:
            total.update(part.items)
        return total

    @property
    def cost(self) -> Cost:
        """What an operation of any kind costs the load generator."""
        return find_cost(self.phases)

    @property
    def server_work(self) -> ServerWork | None:
        """What the server says of itself; None if it was not asked."""
        return find_server_work(self.phases)

    @property
    def recall(self) -> float | None:
        """Mean recall of the checked searches of all rounds; None if none was checked."""
        return mean_recall(self.parts)

    @property
    def mrr(self) -> float | None:
        """Mean reciprocal rank of the checked answers of all rounds; None if none was ranked."""
        return mean_rank([self])

    def times(self) -> HdrHistogram:
        """Response times of all rounds, in microseconds; not to be changed.

        Summed up once. Raises ValueError for a histogram that cannot be read.
        """
        if not self._times:
            self._times.append(self._sum_up([part.response_seconds for part in self.parts]))
        return self._times[0]

    def _sum_up(self, durations: Iterable[Durations]) -> HdrHistogram:
        try:
            return sum_histograms(one.histogram for one in durations)
        except ValueError as error:
            raise ValueError(f"a histogram of {self.operation} at {self.level} cannot be read: it {error}") from None

    def stage_times(self) -> dict[str, HdrHistogram]:
        """Times of each reported stage in all rounds, in microseconds, by name.

        Raises ValueError for a histogram that cannot be read.
        """
        names = sorted({stage for part in self.parts for stage in part.stages})
        return {name: self._sum_up([part.stages[name] for part in self.parts if name in part.stages]) for name in names}

    def pieces(self) -> list[SliceStats]:
        """The counts, without times, of one phase without a planned length, in time order; otherwise none."""
        courses = [part.course for part in self.parts if part.course is not None]
        if len(self.phases) != 1 or len(courses) != 1:
            return []
        return [SliceStats(courses[0].seconds, operations) for operations in courses[0].answered]

    @property
    def repeated_stages(self) -> frozenset[str]:
        """Stages that may occur many times in one operation."""
        return frozenset(stage for part in self.parts for stage in part.repeated_stages)

    def sliced(self) -> list[SlicedPhase]:
        """The rounds that have slices, as bootstrap input; a round in which nothing ended has empty ones."""
        lengths = next((part.slices.lengths for part in self.parts if part.slices is not None), [])
        result = []
        for part in self.by_phase:
            if part is None:
                slices = SliceTable.of([SliceStats(seconds) for seconds in lengths])
            else:
                slices = part.slices.table if part.slices is not None else SliceTable.of([])
            if len(slices):
                result.append(SlicedPhase(self.variant, slices))
        return result


def most_empty(record: RunRecord) -> float:
    """The tolerated share of empty answers in this run, 0 to 1; 1 % in records of earlier versions."""
    given = record.manifest.settings.get("max_empty")
    with contextlib.suppress(SettingsError):
        return parse_max_empty(str(given))
    return EMPTY_AT_MOST


def mean_recall(parts: Iterable[OperationRecord]) -> float | None:
    """Mean recall (0 to 1) over all checked searches; None if none was checked."""
    return _mean_of_checks((part.recall, part.recall_checks) for part in parts)


def mean_rank(some: Iterable[Series]) -> float | None:
    """Mean reciprocal rank (0 to 1) over all checks of several series; None if none was ranked."""
    return _mean_of_checks((part.mrr, part.recall_checks) for series in some for part in series.parts)


def _mean_of_checks(parts: Iterable[tuple[float | None, int]]) -> float | None:
    """The mean over all checks of phases, each with its own mean and number of checks."""
    known = [(mean, number) for mean, number in parts if mean is not None]
    checks = sum(number for _, number in known)
    return math.fsum(mean * number for mean, number in known) / checks if checks else None


def percentile(times: HdrHistogram, percent: float) -> float | None:
    """The given percentile in seconds; None without operations."""
    value = histograms.percentile(times, percent)
    return None if math.isnan(value) else value


def find_series(record: RunRecord) -> list[Series]:
    """All series of a record, by operation, level and variant (in the order of a round); bursts are excluded."""
    result: set[tuple[str, LoadLevel, str]] = set()
    phases: dict[tuple[LoadLevel, str], list[PhaseRecord]] = {}
    for phase in record.phases:
        if not phase.style:
            level = load_level(phase.concurrency, phase.rate)
            phases.setdefault((level, phase.variant), []).append(phase)
            result |= {(part.operation, level, phase.variant) for part in phase.operations}
    by_name = {
        key: [{part.operation: part for part in reversed(phase.operations)} for phase in some]
        for key, some in phases.items()
    }
    order = {name: place for place, name in enumerate(record.variant_names)}
    ordered = sorted(result, key=lambda key: (key[0], key[1], order[key[2]]))
    return [
        Series(*key, tuple(phases[key[1:]]), tuple(parts.get(key[0]) for parts in by_name[key[1:]])) for key in ordered
    ]
