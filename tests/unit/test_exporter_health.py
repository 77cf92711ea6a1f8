"""What a scrape says of the process itself: users, lags, active time, and whether it was the limit."""

import math

import pytest

from loadgen.exporters import Exporter, Role, new_registry
from loadgen.measure.health import Beat
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from tests.unit.test_exporter import ASYNC, KINDS, RUN, SYNC, make


def test_users_in_flight_and_lags_are_those_of_now() -> None:
    exporter, registry = make(users=7)
    exporter.beat(Beat(at=1.0, cpu=0.01, wall=0.1, hub_lag=0.003, loop_lag=0.3, in_flight=5))
    exporter.beat(Beat(at=1.1, cpu=0.01, wall=0.1, hub_lag=0.004, loop_lag=0.001, in_flight=4))
    assert registry.get_sample_value("loadgen_users") == 7
    assert registry.get_sample_value("loadgen_in_flight") == 4
    assert registry.get_sample_value("loadgen_hub_lag_seconds_count") == 2
    assert registry.get_sample_value("loadgen_hub_lag_seconds_sum") == pytest.approx(0.007)
    assert registry.get_sample_value("loadgen_loop_lag_seconds_bucket", {"le": "0.1"}) == 1


def test_waits_for_a_core_are_summed_where_they_are_known() -> None:
    exporter, registry = make()
    for core_wait in (0.02, math.nan, 0.03):
        exporter.beat(Beat(1.0, 0.01, 0.1, 0.001, 0.001, 1, core_wait=core_wait))
    assert registry.get_sample_value("loadgen_core_wait_seconds_total") == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("cpu", "lag", "late", "saturated"),
    [(0.05, 0.001, 0, 0), (0.095, 0.001, 0, 1), (0.05, 0.2, 100, 1), (0.05, 0.2, 2, 0), (0.05, 0.2, 3, 1)],
)
def test_a_process_is_saturated_by_its_cpu_or_by_its_p99_lag(cpu: float, lag: float, late: int, saturated: int) -> None:
    exporter, registry = make()
    exporter.enter(Phase(0, Mode.SYNC, 8), RUN)
    assert registry.get_sample_value("loadgen_saturated") == 0
    for number in range(100):
        exporter.beat(Beat(number / 10, cpu, 0.1, 0.001, lag if number < late else 0.001, 1))
    assert registry.get_sample_value("loadgen_saturated") == saturated
    for number in range(100):
        exporter.beat(Beat(10 + number / 10, 0.05, 0.1, 0.001, 0.001, 1))
    assert registry.get_sample_value("loadgen_saturated") == 0, "10 s later it is over"


def test_a_process_is_judged_in_phases_alone_and_one_goes_on_where_the_last_ended() -> None:
    exporter, registry = make()
    busy = Beat(1.0, 0.1, 0.1, 0.5, 0.5, 1)
    for _ in range(50):
        exporter.beat(busy)
    assert registry.get_sample_value("loadgen_saturated") == 0, "data are loaded"
    exporter.enter(Phase(0, Mode.SYNC, 8), RUN)
    assert registry.get_sample_value("loadgen_saturated") == 0
    exporter.beat(Beat(1.0, 0.01, 0.1, 0.0, 0.0, 1))
    assert registry.get_sample_value("loadgen_saturated") == 0, "what was before the phase is not in it"
    for _ in range(50):
        exporter.beat(busy)
    assert registry.get_sample_value("loadgen_saturated") == 1
    exporter.leave()
    assert registry.get_sample_value("loadgen_saturated") == 0
    exporter.enter(Phase(0, Mode.SYNC, 8), RUN)
    assert registry.get_sample_value("loadgen_saturated") == 1
    assert registry.get_sample_value("loadgen_hub_lag_seconds_count") == 101, "all lags are reported"


@pytest.mark.parametrize(("lags", "saturated"), [((0.129,), 0), ((0.11, 0.12), 0), ((0.11,) * 3, 1), ((0.3,), 1)])
def test_a_hub_that_was_late_once_does_not_saturate_a_short_phase(lags: tuple[float, ...], saturated: int) -> None:
    exporter, registry = make()
    exporter.enter(Phase(0, Mode.SYNC, 8), RUN)
    for lag in (*lags, *[0.001] * 20):
        exporter.beat(Beat(1.0, 0.01, 0.1, lag, 0.001, 1))
    assert registry.get_sample_value("loadgen_saturated") == saturated


def test_a_process_that_nobody_looks_at_in_a_phase_is_not_called_healthy() -> None:
    now = 100.0
    exporter, registry = make(clock=lambda: now)
    exporter.enter(Phase(0, Mode.SYNC, 8), RUN)
    exporter.beat(Beat(100.1, 0.01, 0.1, 0.001, 0.001, 1))
    now = 101.9
    assert registry.get_sample_value("loadgen_saturated") == 0
    now = 102.2
    assert math.isnan(registry.get_sample_value("loadgen_saturated") or 0.0), "2.1 s without a look"
    exporter.beat(Beat(102.2, 0.01, 0.1, 0.001, 0.001, 1))
    assert registry.get_sample_value("loadgen_saturated") == 0
    exporter.leave()
    now = 200.0
    assert registry.get_sample_value("loadgen_saturated") == 0, "between phases nothing is judged"


def test_arrivals_that_are_handed_over_late_saturate_a_process() -> None:
    exporter, registry = make()
    exporter.enter(Phase(0, Mode.SYNC, 8), RUN)
    for number in range(100):
        exporter.beat(Beat(number / 10, 0.01, 0.1, 0.001, 0.001, 1, 0.3))
    assert registry.get_sample_value("loadgen_saturated") == 1


@pytest.mark.parametrize("role", [Role.LOCAL, Role.MASTER])
def test_active_time_is_that_in_which_a_phase_has_users(role: Role) -> None:
    users = 0
    exporter = Exporter(role, lambda: users)
    registry = new_registry(exporter)
    exporter.expect(KINDS, {})
    beat = Beat(at=1.0, cpu=0.01, wall=0.25, hub_lag=0.0, loop_lag=0.0, in_flight=1)
    exporter.beat(beat)
    exporter.enter(Phase(0, Mode.SYNC, 8), RUN)
    exporter.beat(beat)
    users = 8
    exporter.beat(beat)
    exporter.enter(Phase(1, Mode.ASYNC, 8), RUN)
    exporter.beat(beat)
    exporter.beat(beat)
    exporter.leave()
    exporter.beat(beat)
    for labels, seconds in ((SYNC, 0.25), (ASYNC, 0.5)):
        assert registry.get_sample_value("loadgen_active_seconds_total", labels) == seconds


def test_a_phase_of_arrivals_is_active_without_users_and_told_by_its_rate() -> None:
    exporter, registry = make(users=0)
    exporter.enter(Phase(0, Mode.SYNC, 0, model="poisson", rate=100.0), RUN)
    exporter.beat(Beat(at=1.0, cpu=0.01, wall=0.25, hub_lag=0.0, loop_lag=0.0, in_flight=1))
    assert registry.get_sample_value("loadgen_active_seconds_total", SYNC) == 0.25
    reported = {"run_id": RUN["run_id"], "phase": "1", "variant": "sync", "mode": "sync", "concurrency": "100/s"}
    assert registry.get_sample_value("loadgen_phase_info", reported) == 1
