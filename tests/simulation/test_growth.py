"""An hour of load: what the sinks of samples hold in memory does not grow with every operation or second."""

import gc
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from locust import stats as locust_stats
from locust.env import Environment

from loadgen.exporters import Exporter, Role, VariantLabels
from loadgen.locust_plugin.request_event import RequestEvent
from loadgen.locust_plugin.stats_bounds import EVERY, bound
from loadgen.measure.health import Beat
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample

RATE, MINUTES, SETTLED, WATCHED = 40, 60, 11, 8
"""Operations a second; minutes of the phase, those before its growth counts, and those in which it does."""
HISTORY_EVERY = 5
"""Seconds between two elements of Locust's history."""


class Sinks:
    """All that count samples in one process, on a clock of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setitem(vars(locust_stats), "time", SimpleNamespace(time=lambda: self.now))
        self._random = np.random.default_rng(3)
        self._environment = Environment()
        self._runner = self._environment.create_local_runner()
        self._exporter = Exporter(Role.LOCAL, lambda: 8, lambda: self.now)
        self._exporter.expect({"async": VariantLabels(Mode.ASYNC, "llamaindex")}, {})
        self.ledger = Ledger()
        self.ledger.open(Phase(0, Mode.ASYNC, 8, 60.0 * MINUTES), self.now, self.now + 60 * MINUTES)
        self._sinks = (
            self.ledger,
            self._exporter,
            RequestEvent(self._environment.events, stats=self._environment.stats),
        )

    def work(self, minutes: int) -> None:
        """Minutes of searches with a long tail, one in forty of which fails."""
        for second in range(60 * minutes):
            samples = self._make_samples()
            for sink in self._sinks:
                sink(samples)
            for _ in range(10):
                lag = float(self._random.exponential(0.002))
                beat = Beat(self.now + 0.5, 0.05, 0.1, lag, lag, 8, core_wait=0.001, memory=3e8)
                self.ledger.beat(beat)
                self._exporter.beat(beat)
            if second % HISTORY_EVERY == 0:
                locust_stats.update_stats_history(self._runner, str(self.now))
            if second % EVERY == 0:
                bound(self._environment.stats)
            self.now += 1.0

    def held(self) -> int:
        """Bytes of all Python objects, without the samples (up to 300) that wait to be counted together."""
        assert self.ledger.windows[0].operation_stats
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    def _make_samples(self) -> list[Sample]:
        error = TimeoutError(f"deadline exceeded in call {self._random.integers(1 << 30)}")
        times = 0.005 * np.exp(self._random.normal(0, 0.35, RATE))
        times += (self._random.random(RATE) < 0.02) * self._random.exponential(0.05, RATE)
        return [
            Sample("async", "search", at - took, at - took, at, outcome, 10, error if outcome.is_failure else None)
            for place, took in enumerate(times.tolist())
            for at in [self.now + place / RATE]
            for outcome in [Outcome.TIMEOUT if place == 0 else Outcome.OK]
        ]


def test_an_hour_of_load_would_grow_by_less_than_a_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    sinks = Sinks(monkeypatch)
    tracemalloc.start()
    try:
        sinks.work(SETTLED)
        before = sinks.held()
        sinks.work(WATCHED)
        after = sinks.held()
    finally:
        tracemalloc.stop()
    (stats,) = sinks.ledger.windows[0].operation_stats.values()
    assert stats.operations == RATE * 60 * (SETTLED + WATCHED)
    assert (after - before) / 1e6 * MINUTES / WATCHED < 1.0
