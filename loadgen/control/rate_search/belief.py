"""Where the edge is: the rate at which a step is as likely to pass as to fail, as a probability distribution.

A step at rate r passes with probability m + (1 - 2 m) / (1 + exp((ln r - ln edge) / s)), where m is the chance of a
mishap, such as a pause of the machine, and s the width of the edge: near zero where arrivals and service are regular,
some per cent where they are random. Both edge and width are unknown; each step multiplies the distribution by its
likelihood. The next step is at the median, where it teaches most: probabilistic bisection (Horstein 1963, Sequential
transmission using noiseless feedback), as the adaptive method QUEST does it (Watson and Pelli 1983, QUEST: a Bayesian
adaptive psychometric method).
"""

import math

import numpy as np
from numpy.typing import NDArray

MISHAP = 0.02
"""Probability that a step far below the edge fails, or one far above it passes."""
WIDTHS = (0.004, 0.02, 0.08)
"""Widths of the edge that are considered, as a share of the rate."""
WEIGHTS = (0.4, 0.4, 0.2)
RESOLUTION = 0.004
"""Between two edges that are considered, as a share of the rate."""
REACH = 64.0
"""Factor beyond the rough bracket in which the edge is considered: a mishap may have ended the rough steps."""
CERTAINTY = 0.95


class Belief:
    """The distribution of the edge, which the rough steps have bracketed by two rates."""

    def __init__(self, low: float, high: float) -> None:
        first, last = math.log(low / REACH), math.log(high * REACH)
        self._edges = np.arange(first, last, RESOLUTION)
        middle, half = (math.log(low) + math.log(high)) / 2, (math.log(high) - math.log(low)) / 2
        outside = np.maximum(np.abs(self._edges - middle) - half, 0.0)
        weights = np.log(np.array(WEIGHTS))[:, None]
        self._logs: NDArray[np.float64] = weights - outside[None, :]
        """A row for each width: logarithms of the probabilities, up to a constant."""
        self._cumulated = self._add_up()

    def learn(self, rate: float, *, passes: bool) -> None:
        """A step at this rate has passed or failed."""
        distance = (math.log(rate) - self._edges[None, :]) / np.array(WIDTHS)[:, None]
        above = 1 / (1 + np.exp(np.clip(distance, -60.0, 60.0)))
        chance = MISHAP + (1 - 2 * MISHAP) * above
        self._logs += np.log(chance if passes else 1 - chance)
        self._cumulated = self._add_up()

    def _add_up(self) -> NDArray[np.float64]:
        weights = np.exp(self._logs - self._logs.max()).sum(axis=0)
        cumulated: NDArray[np.float64] = np.cumsum(weights)
        return cumulated

    def quantiles(self, *shares: float) -> list[float]:
        """Rates below which the edge is with these probabilities."""
        places = np.searchsorted(self._cumulated, np.array(shares) * self._cumulated[-1])
        return [float(math.exp(self._edges[min(int(place), len(self._edges) - 1)])) for place in places]

    def interval(self) -> tuple[float, float]:
        """The rates between which the edge is with a probability of 95 %."""
        tail = (1 - CERTAINTY) / 2
        low, high = self.quantiles(tail, 1 - tail)
        return low, high
