"""The search finds the highest rate of a server whose capacity is known."""

import numpy as np
import pytest

from loadgen.control.rate_search import RateSearchOutcome, SearchPlan, SearchTurns, Step
from tests.simulation.slot_server import SimulatedSteps, SlotServer

SERVERS = (SlotServer(8, 0.02), SlotServer(16, 0.02), SlotServer(32, 0.05))
"""Capacities of 400, 800 and 640 operations per second."""
PLAN = SearchPlan(seconds=10.0, warmup_seconds=2.0, within=360.0)
CLOSE = 0.05


@pytest.mark.parametrize("model", ["constant", "poisson"])
@pytest.mark.parametrize("server", SERVERS, ids=lambda server: f"{server.slots}x{server.seconds:g}")
def test_the_rate_is_within_5_per_cent_in_at_least_90_of_100_searches(server: SlotServer, model: str) -> None:
    steps = SimulatedSteps(server, model, limit=2.5 * server.seconds)
    edge = server.capacity if model == "constant" else server.find_edge(steps.limit)
    result = []
    for seed in range(100):
        turns = SearchTurns(["async"], PLAN)
        steps.search(turns, seed)
        result.append(turns.find()["async"])
    assert {one.outcome for one in result} == {RateSearchOutcome.LIMIT}
    assert sum(abs(one.rate / edge - 1) <= CLOSE for one in result) >= 90
    if model == "poisson":  # the edge of constant arrivals is sharp: its interval ends at the rates that were tried
        assert sum(one.low <= edge <= one.high for one in result) >= 85


def test_the_theory_agrees_with_a_long_simulation() -> None:
    server, random = SERVERS[0], np.random.default_rng(1)
    rate = server.find_edge(0.05)
    arrivals = np.cumsum(random.exponential(1 / rate, 2_000_000))
    below = float(np.mean(server.serve(arrivals) - arrivals <= 0.05))
    assert below == pytest.approx(0.99, abs=0.0015)


@pytest.mark.parametrize(("load", "low", "high"), [(0.9, 0, 2), (1.0, 0, 8), (1.1, 95, 100), (2.0, 100, 100)])
def test_a_backlog_grows_above_the_capacity_only(load: float, low: int, high: int) -> None:
    """Of 100 steps; at the critical load the queue is a random walk, whose trend the usual test calls significant."""
    server = SERVERS[1]
    steps = SimulatedSteps(server, "poisson", limit=1_000.0)
    random = np.random.default_rng(3)
    step = Step("async", load * server.capacity, 10.0, 2.0)
    assert low <= sum(not steps.run(step, random)[0].passes for _ in range(100)) <= high
