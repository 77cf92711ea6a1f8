"""Exactly known delays: when an answer is due, and the distribution of all delays."""

import random
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

STOPS_AT = 0.4
"""Position of the stop in each period: in the middle, so that waiting calls are answered before the period ends."""
ARRIVALS = 5_000
"""Number of evenly spaced arrivals from which the known distribution is computed."""


@dataclass(frozen=True, slots=True)
class Delays:
    """How long a server delays an answer. Times are seconds."""

    base: float = 0.0
    """Delay of each answer."""
    slow: float = 0.0
    """Delay of one in `one_in` answers, instead of the base."""
    one_in: int = 0
    """0: no answer is slow."""
    stop: float = 0.0
    """Duration for which nothing is answered ..."""
    every: float = 0.0
    """... once in each period of this length; 0: it never stops."""
    jitter: float = 0.0
    """Mean of an exponential time added to each answer."""
    seed: int = 0
    """Seed of the jitter: equal seeds give equal jitter for each arrival number."""

    slots: int = 0
    """Answers that are prepared at the same time, each for its delay, in order of arrival; 0: all."""

    def due(self, arrived: float, turn: int) -> float:
        """When the answer to arrival number `turn` is due; both relative to the moment at which these delays began."""
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
