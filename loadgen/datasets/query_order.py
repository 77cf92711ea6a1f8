"""The order in which queries are asked if some of them are hot."""

import numpy as np

from loadgen.settings.model import Settings
from loadgen.settings.values import find_exponent

DRAWS = 100_003
"""Length of the order, a prime: users that begin at other places do not meet at a regular distance."""
RANKS, ORDER = 0, 1
"""Streams of random numbers."""
STREAM = 5
"""Sets these apart from the random numbers of the data."""


def draw_order(settings: Settings, worker: int) -> list[int]:
    """Numbers of queries, drawn from a Zipf distribution; empty without skew.

    The query of rank r (from 1) has the probability r ** -exponent / the sum of these over all queries. All workers
    have the same hot queries, each draws them in another order.
    """
    exponent = find_exponent(settings.query_skew)
    if not exponent:
        return []
    weights = np.arange(1, settings.queries + 1, dtype=np.float64) ** -exponent
    ranked = np.random.default_rng([settings.seed, STREAM, RANKS]).permutation(settings.queries)
    generator = np.random.default_rng([settings.seed, STREAM, ORDER, worker])
    drawn = np.searchsorted(np.cumsum(weights / weights.sum()), generator.random(DRAWS))
    return list(ranked[np.minimum(drawn, settings.queries - 1)].tolist())
