"""When arrivals are due: offsets in seconds from the start of a phase. Pure arithmetic, no clock; seeded.

A rate is split over n processes. *Constant*: arrival k of all is due at k / rate, and process i gets the arrivals
i, i + n, i + 2n, ... (stripes), so that the merged gaps are all equal. *Poisson*: each process draws its own
exponential gaps of rate / n; independent Poisson streams add up to one of the full rate (superposition; Kingman 1993,
Poisson processes, section 2.2).

A rate that changes over time is the same schedule on a clock that runs as fast as arrivals are expected: arrival k is
due when k are expected, and gaps are exponential in expected arrivals (the mapping theorem; the same book, section
2.3). Rates by operation are separate streams, merged.

When a process joins or leaves, all continue with another share from the same moment on. Constant stripes keep the grid
of the whole phase; a Poisson stream is memoryless, so a new one simply begins.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Literal

import numpy as np

from loadgen.measure.rate_curve import Points, RateCurve

CHUNK = 256
"""Gaps drawn per batch."""
TINY = 1e-9
"""Tolerance in seconds when comparing grid points with the moment of a change."""
GOLDEN = (math.sqrt(5) - 1) / 2
"""Shifts the grids of several operations against each other, so that their arrivals do not coincide."""


@dataclass(frozen=True, slots=True)
class ArrivalSchedule:
    """The arrivals of one phase, over all processes."""

    model: Literal["constant", "poisson"]
    rate: float
    """Arrivals per second, above 0."""
    seed: int
    phase: int
    """Number of the phase: each has a separate stream."""
    curves: tuple[tuple[str, Points], ...] = ()
    """Rates over time, by operation (empty: any); seconds since the phase began. Without any, `rate` at all times."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one process: number `index` (from 0) of `parts`."""

    index: int = 0
    parts: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.parts:
            raise ValueError(f"there is no share {self.index} of {self.parts}")


class NamedOffset(float):
    """When an arrival of a certain operation is due."""

    __slots__ = ("operation",)
    operation: str

    @classmethod
    def of(cls, due: float, operation: str) -> "NamedOffset":
        """The offset with the name of its operation."""
        made = cls(due)
        made.operation = operation
        return made


def offsets(schedule: ArrivalSchedule, share: Share, after: float = 0.0) -> Iterator[float]:
    """Every arrival of this share from `after` on, in order, endless; seconds from the start of the phase.

    With rates by operation they are `NamedOffset`s; after the last arrival they are infinite. A new share in mid-phase
    is a new call with the moment of the change as `after`. Raises ValueError unless the rate is above 0.
    """
    if not (math.isfinite(schedule.rate) and schedule.rate > 0):
        raise ValueError(f"a rate of {schedule.rate} arrivals per second is not above 0")
    if not schedule.curves:
        make = _stripes if schedule.model == "constant" else _exponential
        return make(schedule, share, after)
    streams = [_follow(schedule, number, share, after) for number in range(len(schedule.curves))]
    return chain(heapq.merge(*streams), repeat(math.inf))


def _stripes(schedule: ArrivalSchedule, share: Share, after: float) -> Iterator[float]:
    """Multiplied, not summed, so that the thousandth arrival is as exact as the first."""
    first = max(0, math.ceil((after - TINY) * schedule.rate))
    number = first + (share.index - first) % share.parts
    while True:
        yield number / schedule.rate
        number += share.parts


def _exponential(schedule: ArrivalSchedule, share: Share, after: float) -> Iterator[float]:
    rng = np.random.default_rng([schedule.seed, schedule.phase, share.parts, share.index, round(after * 1e6)])
    scale = share.parts / schedule.rate
    last = after
    while True:
        chunk = last + np.cumsum(rng.exponential(scale, CHUNK))
        yield from chunk.tolist()
        last = float(chunk[-1])


def _follow(schedule: ArrivalSchedule, number: int, share: Share, after: float) -> Iterator[float]:
    """The arrivals of one curve, up to the last one that it expects."""
    operation, points = schedule.curves[number]
    curve = RateCurve(points)
    if schedule.model == "constant":
        counts, begin = _stripe_counts(curve, number, share, after), 0.0
    else:
        counts, begin = _draw(schedule, number, share, after), after
    for count in counts:
        due = curve.find(count, begin)
        if due == math.inf:
            return
        yield NamedOffset.of(due, operation) if operation else due


def _stripe_counts(curve: RateCurve, number: int, share: Share, after: float) -> Iterator[float]:
    """How many arrivals are expected, since the phase began, when each of this share is due."""
    shift = number * GOLDEN % 1
    first = max(0, math.ceil(curve.count(0.0, after - TINY) - shift))
    place = first + (share.index - first) % share.parts
    while True:
        yield place + shift
        place += share.parts


def _draw(schedule: ArrivalSchedule, number: int, share: Share, after: float) -> Iterator[float]:
    """The same since `after`, with exponential gaps."""
    rng = np.random.default_rng([schedule.seed, schedule.phase, share.parts, share.index, round(after * 1e6), number])
    last = 0.0
    while True:
        chunk = last + np.cumsum(rng.exponential(share.parts, CHUNK))
        yield from chunk.tolist()
        last = float(chunk[-1])
