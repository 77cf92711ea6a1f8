"""Exactly known delays: when an answer is due, and what the distribution of all of them is."""

import random
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

STOPS_AT = 0.4
"""Where in each period a stop begins: in its middle, so that what waits is answered before the period ends."""
ARRIVALS = 5_000
"""Evenly spaced arrivals that the known distribution is counted from."""


@dataclass(frozen=True, slots=True)
class Delays:
    """How long a server delays an answer. Times are seconds."""

    base: float = 0.0
    """Each answer."""
    slow: float = 0.0
    """One in `one_in` answers, instead of the base."""
    one_in: int = 0
    """0: none is slow."""
    stop: float = 0.0
    """Nothing is answered for so long ..."""
    every: float = 0.0
    """... once in so long; 0: it never stops."""
    jitter: float = 0.0
    """Mean of an exponential time that each answer takes on top."""
    seed: int = 0
    """Which jitter: the same seed gives the same to the same arrival numbers."""

    def due(self, arrived: float, turn: int) -> float:
        """When the answer to arrival number `turn` is due; both from the moment at which these delays began."""
        slow = self.one_in and turn % self.one_in == self.one_in // 2
        due = arrived + (self.slow if slow else self.base)
        if self.jitter:
            due += random.Random(f"{self.seed} {turn}").expovariate(1 / self.jitter)
        if self.every:
            place = due % self.every - STOPS_AT * self.every
            if 0 <= place < self.stop:
                due += self.stop - place
        return due

    def known(self, *percents: float) -> list[float]:
        """Percentiles of the delays of arrivals on a schedule, whatever the server does."""
        times = np.arange(ARRIVALS) / ARRIVALS * (self.every or 1.0)
        delays = sorted(self.due(float(at), turn) - float(at) for turn, at in enumerate(times))
        return pick(np.array(delays), *percents)

    def as_message(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Self:
        """The inverse of `as_message`."""
        return cls(**message)


def pick(values: NDArray[np.float64], *percents: float) -> list[float]:
    """Percentile of sorted values (at least one), as HDR histograms define it."""
    return [float(values[max(0, int(np.ceil(round(percent / 100 * len(values), 9))) - 1)]) for percent in percents]
