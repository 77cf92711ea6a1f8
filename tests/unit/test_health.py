"""The tool tells when it was the limit itself."""

import math
import time

import gevent
import msgpack
import pytest

from loadgen.health import Beat, Health
from loadgen.ledger import Ledger
from loadgen.phase import Phase
from loadgen.runtime.loop import LoopThread
from loadgen.runtime.pulse import INTERVAL, Pulse
from loadgen.sample import Mode


def beat(at: float = 1.0, cpu: float = 0.02, lag: float = 0.001, in_flight: int = 3) -> Beat:
    return Beat(at, cpu, 0.1, lag, lag / 2, in_flight)


def test_a_calm_generator_has_no_limits() -> None:
    health = Health()
    for _ in range(100):
        health.add(beat())
    assert health.cpu_ratio == pytest.approx(0.2)
    assert health.hub_lag_p99 == pytest.approx(0.001, rel=1e-2)
    assert health.loop_lag_p99 == pytest.approx(0.0005, rel=1e-2)
    assert health.limits() == []


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (beat(cpu=0.098), "the load generator used 98% of its core: add workers"),
        (beat(lag=0.3), "the event loop was 0.15 s late at p99"),
        (beat(lag=0.15), "Locust's hub was 0.15 s late at p99"),
    ],
)
def test_each_limit_is_told_with_its_value(one: Beat, told: str) -> None:
    health = Health()
    health.add(one)
    assert any(limit.startswith(told) for limit in health.limits())


def test_nothing_seen_is_no_limit() -> None:
    assert math.isnan(Health().cpu_ratio)
    assert Health().limits() == []


def test_the_busiest_of_several_workers_counts_and_lags_are_those_of_all() -> None:
    merged = Health()
    for name, cpu in (("one", 0.03), ("two", 0.095)):
        worker = Health()
        for _ in range(10):
            worker.add(beat(cpu=cpu, lag=cpu))
        merged.merge(msgpack.unpackb(msgpack.packb(worker.as_message())), name)
    assert merged.cpu_ratio == pytest.approx(0.95)
    assert merged.hub_lag.get_total_count() == 20
    assert merged.hub_lag_p99 == pytest.approx(0.095, rel=1e-2)
    assert merged.in_flight == 3


def test_a_beat_counts_for_the_phase_that_more_than_half_of_it_lies_in() -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 1, seconds=1), 10.0, 11.0)
    for at in (10.03, 10.07, 10.95, 11.03, 11.07):
        ledger.beat(beat(at=at))
    assert ledger.windows[0].health.hub_lag.get_total_count() == 3


def test_a_stall_of_the_generator_that_outlasts_its_phase_counts_for_it() -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 1, seconds=1), 10.0, 11.0)
    ledger.open(Phase(1, Mode.SYNC, 1, seconds=1), 11.3, 12.3)
    ledger.beat(Beat(11.25, 0.9, 0.8, 0.7, 0.0, 3))
    assert ledger.windows[0].health.hub_lag_p99 == pytest.approx(0.7, rel=1e-2)
    assert not ledger.windows[1].health.cpu


def test_a_pulse_sees_a_stalled_loop_and_a_stalled_hub_and_used_cpu() -> None:
    loop = LoopThread()
    beats: list[Beat] = []
    pulse = Pulse(loop, beats.append, lambda: (7, 0.25))
    gevent.sleep(INTERVAL * 2.5)
    calm = len(beats)
    loop.post(time.sleep, 0.5)
    gevent.sleep(0.6)
    stalled = max(one.loop_lag for one in beats[calm:])
    calm = len(beats)
    until, used = time.perf_counter() + 0.4, time.process_time() + 0.3  # also where others want the machine
    while time.perf_counter() < until or time.process_time() < used:
        pass
    gevent.sleep(INTERVAL * 2.5)
    pulse.stop()
    loop.stop()
    assert stalled > 0.25
    assert max(one.hub_lag for one in beats[calm:]) > 0.15
    assert max(one.cpu for one in beats[calm:]) > 0.1
    assert {(one.in_flight, one.pace_lag) for one in beats} == {(7, 0.25)}
