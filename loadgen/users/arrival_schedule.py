"""When arrivals are due: offsets in seconds from the start of a phase. Pure arithmetic, no clock; seeded.

A rate is split over n processes. *Constant*: arrival k of all is due at k / rate, and process i gets the arrivals
i, i + n, i + 2n, ... (stripes), so that the merged gaps are all equal. *Poisson*: each process draws its own
exponential gaps of rate / n; independent Poisson streams add up to one of the full rate (superposition; Kingman 1993,
Poisson processes, section 2.2).

When a process joins or leaves, all continue with another share from the same moment on. Constant stripes keep the grid
of the whole phase; a Poisson stream is memoryless, so a new one simply begins.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

CHUNK = 256
"""Gaps drawn per batch."""
TINY = 1e-9
"""Tolerance in seconds when comparing grid points with the moment of a change."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The arrivals of one phase, over all processes."""

    model: Literal["constant", "poisson"]
    rate: float
    """Arrivals per second, above 0."""
    seed: int
    phase: int
    """Number of the phase: each has a separate stream."""


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one process: number `index` (from 0) of `parts`."""

    index: int = 0
    parts: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.parts:
            raise ValueError(f"there is no share {self.index} of {self.parts}")


def offsets(pace: Pace, share: Share, after: float = 0.0) -> Iterator[float]:
    """Every arrival of this share from `after` on, in order, endless; seconds from the start of the phase.

    A new share in mid-phase is a new call with the moment of the change as `after`. Raises ValueError unless the rate
    is above 0.
    """
    if not (math.isfinite(pace.rate) and pace.rate > 0):
        raise ValueError(f"a rate of {pace.rate} arrivals per second is not above 0")
    return _stripes(pace, share, after) if pace.model == "constant" else _exponential(pace, share, after)


def _stripes(pace: Pace, share: Share, after: float) -> Iterator[float]:
    """Multiplied, not summed, so that the thousandth arrival is as exact as the first."""
    first = max(0, math.ceil((after - TINY) * pace.rate))
    number = first + (share.index - first) % share.parts
    while True:
        yield number / pace.rate
        number += share.parts


def _exponential(pace: Pace, share: Share, after: float) -> Iterator[float]:
    rng = np.random.default_rng([pace.seed, pace.phase, share.parts, share.index, round(after * 1e6)])
    scale = share.parts / pace.rate
    last = after
    while True:
        chunk = last + np.cumsum(rng.exponential(scale, CHUNK))
        yield from chunk.tolist()
        last = float(chunk[-1])
