"""Is it the tool? What the load generator itself used and how late it was, added up over a phase."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

MICROSECONDS = 1_000_000
CPU_LIMIT = 0.9
"""Part of one core above which the interpreter lock, and not the server, sets the pace."""
LAG_LIMIT = 0.1
"""Seconds of lag at p99 above which the generator is too late to be trusted."""


LATE = "give it a core of its own, or add workers"


@dataclass(frozen=True, slots=True)
class Beat:
    """One look at a process. Times are seconds; `cpu` was used in the `wall` since the beat before."""

    at: float
    cpu: float
    wall: float
    hub_lag: float
    loop_lag: float
    in_flight: int
    pace_lag: float = 0.0
    """By how much an arrival of an open phase was handed over late at most, since the beat before."""


def new_lags() -> HdrHistogram:
    """Microseconds up to a minute, three digits."""
    return HdrHistogram(1, 60 * MICROSECONDS, 3)


@dataclass(slots=True)
class Health:
    """All beats of one phase, from every process."""

    cpu: dict[str, tuple[float, float]] = field(default_factory=dict)
    """For each process: seconds of CPU, seconds of wall clock."""
    hub_lag: HdrHistogram = field(default_factory=new_lags)
    loop_lag: HdrHistogram = field(default_factory=new_lags)
    pace_lag: HdrHistogram = field(default_factory=new_lags)
    """How late arrivals of an open phase were handed over."""
    in_flight: int = 0
    """The most operations under way at once in one process."""

    def add(self, beat: Beat, process: str = "") -> None:
        """Count one beat."""
        cpu, wall = self.cpu.get(process, (0.0, 0.0))
        self.cpu[process] = (cpu + beat.cpu, wall + beat.wall)
        self.hub_lag.record_value(as_microseconds(beat.hub_lag))
        self.loop_lag.record_value(as_microseconds(beat.loop_lag))
        self.in_flight = max(self.in_flight, beat.in_flight)

    def merge(self, message: Mapping[str, Any], process: str) -> None:
        """Add what a worker's `as_message` told."""
        cpu, wall = self.cpu.get(process, (0.0, 0.0))
        self.cpu[process] = (cpu + message["cpu"], wall + message["wall"])
        self.hub_lag.decode_and_add(message["hub_lag"])
        self.loop_lag.decode_and_add(message["loop_lag"])
        self.pace_lag.decode_and_add(message["pace_lag"])
        self.in_flight = max(self.in_flight, message["in_flight"])

    def as_message(self) -> dict[str, Any]:
        """Plain values for the way to the master."""
        return {
            "cpu": sum(cpu for cpu, _ in self.cpu.values()),
            "wall": sum(wall for _, wall in self.cpu.values()),
            "hub_lag": self.hub_lag.encode(),
            "loop_lag": self.loop_lag.encode(),
            "pace_lag": self.pace_lag.encode(),
            "in_flight": self.in_flight,
        }

    @property
    def cpu_ratio(self) -> float:
        """CPU of the busiest process against one core; nan where nothing was seen."""
        return max((cpu / wall for cpu, wall in self.cpu.values() if wall > 0), default=math.nan)

    @property
    def loop_lag_p99(self) -> float:
        """Seconds that the event loop was late; nan where nothing was seen."""
        return _p99(self.loop_lag)

    @property
    def hub_lag_p99(self) -> float:
        """Seconds that Locust's hub was late; nan where nothing was seen."""
        return _p99(self.hub_lag)

    @property
    def pace_lag_p99(self) -> float:
        """Seconds that arrivals were handed over late; nan without any."""
        return _p99(self.pace_lag)

    @property
    def has_pace(self) -> bool:
        """True where arrivals were handed over."""
        return bool(self.pace_lag.get_total_count())

    def limits(self) -> list[str]:
        """Why the generator was the limit, each with what to do; empty where it was not."""
        found = []
        if self.cpu_ratio >= CPU_LIMIT:
            found.append(f"the load generator used {self.cpu_ratio:.0%} of its core: add workers")
        if self.loop_lag_p99 >= LAG_LIMIT:
            found.append(f"the event loop was {self.loop_lag_p99:.2f} s late at p99: {LATE}")
        if self.hub_lag_p99 >= LAG_LIMIT:
            found.append(f"Locust's hub was {self.hub_lag_p99:.2f} s late at p99: {LATE}")
        if self.pace_lag_p99 >= LAG_LIMIT:
            found.append(f"arrivals were started {self.pace_lag_p99:.2f} s late at p99: {LATE}")
        return found


def as_microseconds(seconds: float) -> int:
    """Whole microseconds as the histograms of lags take them: 1 us to a minute."""
    return min(max(1, round(seconds * MICROSECONDS)), 60 * MICROSECONDS)


def _p99(histogram: HdrHistogram) -> float:
    if not histogram.get_total_count():
        return math.nan
    return float(histogram.get_value_at_percentile(99)) / MICROSECONDS
