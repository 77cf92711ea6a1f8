"""The tool tells when it was the limit itself."""

import math
import time

import gevent
import msgpack
import pytest

from loadgen.measure.health import Beat, Health, new_lags
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.runtime.health_sampler import INTERVAL, HealthSampler, LoadReading
from loadgen.runtime.loop import LoopThread


def beat(at: float = 1.0, cpu: float = 0.02, lag: float = 0.001, in_flight: int = 3) -> Beat:
    return Beat(at, cpu, 0.1, lag, lag / 2, in_flight)


def test_a_calm_generator_has_no_limits() -> None:
    health = Health()
    for _ in range(100):
        health.add(beat())
    assert health.cpu_ratio == pytest.approx(0.2)
    assert health.hub.p99 == pytest.approx(0.001, rel=1e-2)
    assert health.loop.p99 == pytest.approx(0.0005, rel=1e-2)
    assert health.limits() == []


@pytest.mark.parametrize(
    ("one", "reported"),
    [
        (beat(cpu=0.098), "the load generator used 98% of its core: add workers"),
        (beat(lag=0.3), "the event loop was 0.15 s late at p99"),
        (beat(lag=0.15), "Locust's hub was 0.15 s late at p99"),
    ],
)
def test_each_limit_is_told_with_its_value(one: Beat, reported: str) -> None:
    health = Health()
    for _ in range(3):
        health.add(one)
    assert any(limit.startswith(reported) for limit in health.limits())


def seen(hub: tuple[float, ...] = (), loop: tuple[float, ...] = (), beats: int = 50) -> Health:
    """A phase with a number of beats, the first of them with these lags."""
    health = Health()
    calm = (0.001,) * beats
    for hub_lag, loop_lag in zip((*hub, *calm)[:beats], (*loop, *calm)[:beats], strict=True):
        health.add(Beat(1.0, 0.02, 0.1, hub_lag, loop_lag, 3))
    return health


@pytest.mark.parametrize(
    ("health", "late", "is_limit"),
    [
        (seen(hub=(0.129,)), (1, 0), False),
        (seen(hub=(0.129,), beats=20), (1, 0), False),
        (seen(hub=(0.11, 0.12)), (2, 0), False),
        (seen(hub=(0.11, 0.12, 0.13)), (3, 0), True),
        (seen(hub=(0.3,)), (3, 0), True),
        (seen(hub=(0.15, 0.3), beats=300), (4, 0), False),
        (seen(loop=(0.5, 0.5)), (0, 2), False),
        (seen(loop=(0.1, 0.2, 0.15)), (0, 3), True),
        (seen(loop=(0.2,) * 3, beats=400), (0, 3), False),
    ],
    ids=["one hub", "one of few", "two", "three", "one for three", "of 300", "two loop", "three loop", "of 400"],
)
def test_a_lag_is_a_limit_with_three_late_beats_and_a_p99_above_it(
    health: Health, late: tuple[int, int], is_limit: bool
) -> None:
    assert (health.hub.late, health.loop.late) == late, "a hub's beat of 0.3 s counts as the three that were due"
    assert bool(health.limits()) is is_limit


@pytest.mark.parametrize(("late", "is_limit"), [(2, False), (3, True)])
def test_arrivals_are_a_limit_with_three_late_ones(late: int, is_limit: bool) -> None:
    health, lags = Health(), new_lags()
    lags.record_value(350_000, late)
    lags.record_value(1_000, 90)
    health.add_pace(lags)
    assert health.pace.longest == pytest.approx(0.35, rel=1e-2)
    assert (health.pace.late, bool(health.limits())) == (late, is_limit)


def test_nothing_seen_is_no_limit_and_no_health_either() -> None:
    assert math.isnan(Health().cpu_ratio)
    assert Health().limits() == []
    assert Health().gaps({"": 10.0}) == [
        (
            "the load generator reported CPU and lags for 0% of the time, so it is unknown whether the generator "
            "was the limit"
        )
    ]


@pytest.mark.parametrize(
    ("beats", "seconds", "share", "known"),
    [
        (100, 10.0, 1.0, True),
        (103, 10.0, 1.0, True),
        (51, 10.0, 0.51, True),
        (49, 10.0, 0.49, False),
        (1, 10.0, 0.01, False),
        (0, 10.0, 0.0, False),
        (1, 0.4, 1.0, True),
        (0, 0.4, 0.0, False),
    ],
)
def test_health_is_known_where_half_of_the_phase_was_looked_at(
    beats: int, seconds: float, share: float, known: bool
) -> None:
    health = Health()
    for _ in range(beats):
        health.add(beat())
    assert health.watched_share({"": seconds}) == pytest.approx(share)
    assert (health.gaps({"": seconds}) == []) is known


def test_a_stalled_hub_has_looked_at_the_time_of_its_stall() -> None:
    health = Health()
    health.add(Beat(10.0, 0.5, 8.0, 7.9, 0.001, 3))
    assert health.gaps({"": 10.0}) == []
    assert health.limits(), "by its lag"


def test_each_worker_that_took_part_has_to_be_seen() -> None:
    health = Health()
    for name in ("one", "two"):
        health.merge(report(seen(beats=100)), name)
    assert health.gaps({"one": 10.0, "two": 10.0}) == []
    assert health.gaps({"one": 10.0, "two": 10.0, "joined for its warm-up": 0.0}) == []
    assert health.watched_share({"one": 10.0, "three": 10.0}) == 0.0
    [gap] = health.gaps({"one": 10.0, "two": 10.0, "three": 10.0})
    assert gap.startswith("1 of 3 workers reported CPU and lags for 0% of the time")
    assert math.isnan(health.watched_share({}))


def report(worker: Health) -> dict[str, object]:
    """What the master hears of a worker."""
    reported: dict[str, object] = msgpack.unpackb(msgpack.packb(worker.as_message()))
    return reported


def test_the_worst_of_several_workers_decides_however_many_are_calm() -> None:
    merged, late = Health(), Health()
    for number in range(100):
        late.add(beat(cpu=0.095, lag=0.5 if number < 5 else 0.001, in_flight=5))
    calm = [Health() for _ in range(7)]
    for worker in calm:
        for _ in range(100):
            worker.add(beat())
    assert not calm[0].limits()
    for name, worker in enumerate([late, *calm]):
        merged.merge(report(worker), str(name))
    assert merged.cpu_ratio == pytest.approx(0.95)
    assert merged.hub.p99 == pytest.approx(0.5, rel=1e-2)
    assert merged.limits() == late.limits()
    assert len(late.limits()) == 3


def test_reports_of_one_worker_add_up() -> None:
    merged = Health()
    for _ in range(3):
        worker = Health()
        worker.add(beat(lag=0.15))
        merged.merge(report(worker), "one")
        merged.merge({}, "two")
    assert merged.hub.late == 3
    assert merged.limits()


def test_a_lag_that_is_a_limit_is_worse_than_a_longer_one_that_is_none() -> None:
    merged = Health()
    merged.merge(report(seen(loop=(0.2, 0.2, 0.2))), "often")
    merged.merge(report(seen(loop=(5.0,))), "once")
    assert merged.loop.p99 == pytest.approx(0.2, rel=1e-2)
    assert merged.limits()


def test_operations_under_way_are_those_of_all_workers_together() -> None:
    merged = Health()
    assert math.isnan(merged.in_flight_mean)
    for name, under_way in (("one", (1, 2, 3)), ("two", (10, 20))):
        worker = Health()
        for number in under_way:
            worker.add(beat(in_flight=number))
        merged.merge(report(worker), name)
    assert merged.in_flight_mean == pytest.approx(2 + 15)
    assert merged.in_flight_most == 3 + 20


def test_a_beat_counts_for_the_phase_that_more_than_half_of_it_lies_in() -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 1, seconds=1), 10.0, 11.0)
    for at in (10.03, 10.07, 10.95, 11.03, 11.07):
        ledger.beat(beat(at=at))
    assert ledger.windows[0].health.processes[""].hub.get_total_count() == 3


def test_a_stall_of_the_generator_that_outlasts_its_phase_counts_for_it() -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 1, seconds=1), 10.0, 11.0)
    ledger.open(Phase(1, Mode.SYNC, 1, seconds=1), 11.3, 12.3)
    ledger.beat(Beat(11.25, 0.9, 0.8, 0.7, 0.0, 3))
    assert ledger.windows[0].health.hub.p99 == pytest.approx(0.7, rel=1e-2)
    assert not ledger.windows[1].health.processes


def test_a_beat_that_fails_is_missing_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    loop = LoopThread()
    beats: list[Beat] = []
    looks: list[int] = []

    def look() -> LoadReading:
        looks.append(1)
        if len(looks) == 1:
            raise AttributeError("no in_flight")
        if len(looks) == 2:
            raise SystemExit
        return 7, 0.0, {}

    def take(one: Beat) -> None:
        beats.append(one)
        if len(beats) == 1:
            raise ValueError("the first")

    sampler = HealthSampler(loop, take, look)
    with gevent.Timeout(20):
        while len(beats) < 3:
            gevent.sleep(0.01)
    sampler.stop()
    loop.stop()
    assert len(looks) == len(beats) + 2
    reported = [
        one.getMessage() for one in caplog.records if "look at the load generator's own health" in one.getMessage()
    ]
    assert len(reported) == 3
    for text, name in zip(reported, ("AttributeError", "SystemExit", "ValueError"), strict=True):
        assert name in text


def test_the_sampler_sees_a_stalled_loop_and_a_stalled_hub_and_used_cpu() -> None:
    loop = LoopThread()
    beats: list[Beat] = []
    sampler = HealthSampler(loop, beats.append, lambda: (7, 0.25, {"embed": 0.02}))
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
    sampler.stop()
    loop.stop()
    assert stalled > 0.25
    assert max(one.hub_lag for one in beats[calm:]) > 0.15
    assert max(one.cpu for one in beats[calm:]) > 0.1
    assert {(one.in_flight, one.pace_lag, one.held["embed"]) for one in beats} == {(7, 0.25, 0.02)}
