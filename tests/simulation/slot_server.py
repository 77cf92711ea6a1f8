"""A server with N slots that each take T seconds, on a virtual clock, and what queueing theory says of it."""

from dataclasses import dataclass
from math import exp, lgamma, log

import numpy as np
from numpy.typing import NDArray

from loadgen.control.rate_search import Backlog, SearchTurns, Step, StepVerdict

Floats = NDArray[np.float64]
LOOK = 0.5
"""Seconds between two looks at the backlog."""
SLICE = 0.5
MORE_STATES = 400
"""Queue lengths beyond which the stationary distribution is cut off."""


@dataclass(frozen=True, slots=True)
class SlotServer:
    """Serves in order of arrival."""

    slots: int
    seconds: float

    @property
    def capacity(self) -> float:
        """Operations per second."""
        return self.slots / self.seconds

    def serve(self, arrivals: Floats) -> Floats:
        """When each is answered. With equal service times, arrival i gets the slot of arrival i - N.

        Its end is max(arrival, end of that) + T (Kiefer and Wolfowitz 1955), for each N-th arrival a running maximum.
        """
        lines = -(-len(arrivals) // self.slots)
        padded = np.full(lines * self.slots, np.inf)
        padded[: len(arrivals)] = arrivals
        served = np.arange(lines)[:, None] * self.seconds
        ends: Floats = np.maximum.accumulate(padded.reshape(lines, self.slots) - served, axis=0) + served + self.seconds
        return ends.ravel()[: len(arrivals)]

    def find_edge(self, limit: float) -> float:
        """The rate of Poisson arrivals at which the p99 of the response times is the limit: the M/D/N queue."""
        low, high = 0.2 * self.capacity, 0.9999 * self.capacity
        for _ in range(20):
            middle = (low + high) / 2
            if self.share_below(limit - self.seconds, middle) >= 0.99:
                low = middle
            else:
                high = middle
        return low

    def share_below(self, wait: float, rate: float) -> float:
        """The share of Poisson arrivals that wait at most so long (Franx 2001, A simple solution for the M/D/c waiting
        time distribution, Operations Research Letters 29, formula 3)."""
        multiple = int(wait // self.seconds) + 1
        left = rate * (multiple * self.seconds - wait)
        below = np.cumsum(self._stationary(rate))
        terms = range(multiple * self.slots)
        result = (below[(multiple + 1) * self.slots - j - 1] * exp(j * log(left) - left - lgamma(j + 1)) for j in terms)
        return float(sum(result))

    def _stationary(self, rate: float) -> Floats:
        """Numbers in the system: T seconds later all in service have left, and the arrivals of T seconds have come."""
        states = np.arange(self.slots + MORE_STATES)
        load = rate * self.seconds
        arriving = np.exp(states * log(load) - load - np.array([lgamma(n + 1) for n in states.tolist()]))
        chain = np.zeros((len(states), len(states)))
        for state in states.tolist():
            left = max(state - self.slots, 0)
            chain[state, left:] = arriving[: len(states) - left]
        chain[:, -1] += 1 - chain.sum(axis=1)
        equations = chain.T - np.eye(len(states))
        equations[-1] = 1
        one = np.zeros(len(states))
        one[-1] = 1
        floats: Floats = np.asarray(np.linalg.solve(equations, one), dtype=np.float64)
        return floats


@dataclass(frozen=True, slots=True)
class SimulatedSteps:
    """Steps of a search against such a server: a requirement p99 < `limit`."""

    server: SlotServer
    model: str
    limit: float

    def run(self, step: Step, random: np.random.Generator) -> tuple[StepVerdict, Backlog]:
        """One step."""
        ends = step.warmup_seconds + step.seconds
        arrivals = self._arrivals(step.rate, ends, random)
        answered = self.server.serve(arrivals)
        backlog = Backlog(step.rate)
        looks = np.arange(LOOK, ends, LOOK)
        waiting = np.searchsorted(arrivals, looks, "right") - np.searchsorted(answered, looks, "right")
        for at, number in zip(looks.tolist(), waiting.tolist(), strict=True):
            backlog.look(at, number)
        counts = (answered >= step.warmup_seconds) & (answered < ends)
        responses, moments = (answered - arrivals)[counts], answered[counts]
        if backlog.grows(_slice(moments, responses)):
            return StepVerdict(passes=False, reason="the backlog grew"), backlog
        place = int(0.99 * len(responses))
        p99 = float(np.partition(responses, place)[place]) if len(responses) else np.inf
        return StepVerdict(p99 < self.limit, "" if p99 < self.limit else f"p99 {p99:.3f}"), backlog

    def _arrivals(self, rate: float, ends: float, random: np.random.Generator) -> Floats:
        if self.model == "constant":
            return np.arange(int(rate * ends)) / rate
        arrivals = np.cumsum(random.exponential(1 / rate, int(1.3 * rate * ends) + 50))
        return arrivals[arrivals < ends]

    def search(self, turns: SearchTurns, seed: int) -> None:
        """Carry out a whole search."""
        random = np.random.default_rng(seed)
        while (step := turns.next()) is not None:
            turns.observe(step, self.run(step, random)[0], step.warmup_seconds + step.seconds + 1.0)


def _slice(moments: Floats, responses: Floats) -> list[tuple[float, float]]:
    """Means of the response times by slice."""
    places = (moments / SLICE).astype(np.int64)
    counts, sums = np.bincount(places), np.bincount(places, weights=responses)
    return [(SLICE * place, float(sums[place] / counts[place])) for place in np.flatnonzero(counts).tolist()]
