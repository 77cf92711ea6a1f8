"""One operation of one mode at one level, in all its rounds: figures read from the phases of a record."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

from loadgen.compare import SlicedPhase
from loadgen.ledger import MICROSECONDS, new_histogram
from loadgen.record import OperationRecord, PhaseRecord, RunRecord
from loadgen.sample import Mode, Outcome
from loadgen.slices import SliceTally


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A level: so many users, or so many arrivals per second."""

    is_open: bool
    level: float

    def __str__(self) -> str:
        """Such as `8 users` or `100/s`."""
        if self.is_open:
            return f"{self.level:g}/s"
        return f"{self.level:,.0f} user{'' if self.level == 1 else 's'}"


def place_of(concurrency: int | None, rate: float | None) -> Place:
    """The level that a phase or a comparison was at."""
    return Place(True, rate) if rate is not None else Place(False, float(concurrency or 0))


@dataclass(frozen=True, slots=True)
class Series:
    """All rounds of one mode, for one operation at one level."""

    operation: str
    place: Place
    mode: Mode
    phases: tuple[PhaseRecord, ...]
    parts: tuple[OperationRecord, ...]
    """What the operation did in each of the phases."""

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
        return (self.count - self.failures) / self.seconds if self.seconds else 0.0

    @property
    def recall(self) -> float | None:
        """Mean recall of the rounds that have one."""
        known = [part.recall for part in self.parts if part.recall is not None]
        return math.fsum(known) / len(known) if known else None

    def times(self) -> HdrHistogram:
        """Response times of all rounds, in microseconds. Raises ValueError for a histogram that cannot be read."""
        total = new_histogram()
        try:
            for part in self.parts:
                total.add(HdrHistogram.decode(part.response_seconds.histogram))
        except Exception as error:  # noqa: BLE001 - whatever the codec says of a text that is none
            raise ValueError(f"a histogram of {self.operation} at {self.place} cannot be read ({error})") from None
        return total

    def sliced(self) -> list[SlicedPhase]:
        """The rounds that have slices, as the bootstrap takes them."""
        return [
            SlicedPhase(self.mode, tuple(SliceTally.from_text(p.seconds, p.operations, p.times) for p in part.slices))
            for part in self.parts
            if part.slices
        ]


def percentile(times: HdrHistogram, percent: float) -> float | None:
    """Seconds that so many per cent took at most; None where there is none."""
    if not times.get_total_count():
        return None
    return float(times.get_value_at_percentile(percent)) / MICROSECONDS


def find_series(record: RunRecord) -> list[Series]:
    """All series of a record's phases, by operation, level and mode (sync first); bursts are none."""
    found: dict[tuple[str, Place, Mode], list[tuple[PhaseRecord, OperationRecord]]] = {}
    for phase in record.phases:
        for part in () if phase.style else phase.operations:
            key = (part.operation, place_of(phase.concurrency, phase.rate), phase.mode)
            found.setdefault(key, []).append((phase, part))
    modes = list(Mode)
    ordered = sorted(found, key=lambda key: (key[0], key[1], modes.index(key[2])))
    return [_series(key, found[key]) for key in ordered]


def _series(key: tuple[str, Place, Mode], rounds: Sequence[tuple[PhaseRecord, OperationRecord]]) -> Series:
    return Series(*key, tuple(phase for phase, _ in rounds), tuple(part for _, part in rounds))
