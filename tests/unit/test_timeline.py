"""The timeline of the report: the scheduled rate beside the achieved one."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from loadgen.measure.sample import Outcome
from loadgen.measure.slices import SliceStats
from loadgen.reports.summary import summarize
from loadgen.reports.timeline import timeline
from loadgen.results.record import PhaseRecord, ScheduledRate, Slices
from tests.unit.record_support import operation, phase, record

BEGAN = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def open_phase(mode: str, number: int, **given: Any) -> PhaseRecord:
    began = BEGAN + timedelta(seconds=20 * number)
    values = {"model": "poisson", "rate": 75.0, "seconds": 10.0, "offered": 750, "started_at": began} | given
    return phase(mode, None, **values)


def scheduled(*phases: PhaseRecord) -> tuple[list[tuple[float, float]], str]:
    """The points of the line of scheduled rates, and the text of the chart."""
    chart = timeline(summarize(record(*phases)))
    assert chart is not None
    lines = [line for line in chart.figure.axes[0].lines if line.get_label() == "scheduled"]
    points = [point for line in lines for point in np.asarray(line.get_xydata()).tolist()]
    return [(at, rate) for at, rate in points if not math.isnan(at)], chart.text


def test_a_profile_is_drawn_with_its_points_and_a_rate_as_a_level() -> None:
    ramp = ScheduledRate(operation="", points=((0.0, 50.0), (5.0, 100.0), (10.0, 50.0)))
    points, text = scheduled(open_phase("sync", 0, scheduled=(ramp,)), open_phase("async", 1))
    assert points == [(0.0, 50.0), (5.0, 100.0), (10.0, 50.0), (20.0, 75.0), (30.0, 75.0)]
    assert "The dotted line is the scheduled rate" in text


def test_rates_by_operation_add_up() -> None:
    rates = {"search": 70.0, "insert": 5.0}
    mix = tuple(ScheduledRate(operation=name, points=((0.0, rate),)) for name, rate in rates.items())
    assert scheduled(open_phase("sync", 0, scheduled=mix))[0] == [(0.0, 75.0), (10.0, 75.0)]


def test_users_have_no_schedule() -> None:
    points, text = scheduled(phase("sync", 8, started_at=BEGAN))
    assert points == []
    assert "scheduled" not in text


def test_the_mean_of_an_aborted_phase_is_that_of_its_seconds() -> None:
    pieces = [SliceStats(1.0, 100), SliceStats(0.25, 5)]
    part = operation(outcomes={Outcome.OK: 105}, slices=Slices.of(pieces, is_judged=False))
    chart = timeline(summarize(record(phase("sync", 8, part, seconds=1.25, started_at=BEGAN))))
    assert chart is not None
    [point] = chart.figure.points
    assert (point.y, point.text) == (84.0, "sync, 8 users, from 0 s: 84.00 operations/s")
