"""Is it the tool? What the load generator itself used and how late it was, added up over a phase."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

from loadgen.measure.histograms import count_above, percentile

MICROSECONDS = 1_000_000
WATCHED_AT_LEAST = 0.5
"""Part of a phase for which the load generator was looked at, below which its health is not known."""
CPU_LIMIT = 0.9
"""Part of one core above which the interpreter lock, and not the server, sets the pace."""
LAG_LIMIT = 0.1
"""Seconds of lag from which a beat, or an arrival, is late, and at p99 the generator is too late to be trusted."""
LATE_AT_LEAST = 3
"""Late beats, or arrivals, that make a limit: p99 of fewer than a hundred is the longest, and one may be chance."""


SHORT_SECONDS = 0.5
"""A phase of fewer seconds has too few beats to say more than whether there was one."""

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


def too_late(p99: float, late: int) -> bool:
    """Whether a lag was the limit: its p99 in seconds (nan: no lag), and how many beats or arrivals were late."""
    return late >= LATE_AT_LEAST and p99 >= LAG_LIMIT


def beats_missed(hub_lag: float) -> int:
    """Late beats that a hub's lag (seconds) represents: beats run on the hub, so 0.3 s is one instead of three."""
    return as_microseconds(hub_lag) // as_microseconds(LAG_LIMIT)


@dataclass(frozen=True, slots=True)
class Lag:
    """How late one part of one process was in a phase."""

    p99: float = math.nan
    """Seconds; nan where nothing was seen."""
    longest: float = math.nan
    late: int = 0
    """Beats, of the pace arrivals, that were 0.1 s late or more."""

    @property
    def is_limit(self) -> bool:
        """True where it says that the generator, and not the server, was measured."""
        return too_late(self.p99, self.late)


@dataclass(slots=True)
class Watch:
    """All beats of one process in one phase."""

    cpu: float = 0.0
    """Seconds."""
    wall: float = 0.0
    hub: HdrHistogram = field(default_factory=new_lags)
    loop: HdrHistogram = field(default_factory=new_lags)
    pace: HdrHistogram = field(default_factory=new_lags)
    """How late arrivals of an open phase were handed over."""
    hub_late: int = 0
    """Late beats, counted as they come: to look for them in a histogram takes a tenth of a second."""
    loop_late: int = 0
    pace_late: int = 0
    """Late arrivals."""
    in_flight_most: int = 0
    """Operations in flight at one beat."""
    in_flight_sum: int = 0
    """Of all beats."""

    def add(self, beat: Beat) -> None:
        """Count one beat."""
        self.cpu += beat.cpu
        self.wall += beat.wall
        self.hub.record_value(as_microseconds(beat.hub_lag))
        self.loop.record_value(as_microseconds(beat.loop_lag))
        self.hub_late += beats_missed(beat.hub_lag)
        self.loop_late += beat.loop_lag >= LAG_LIMIT
        self.in_flight_most = max(self.in_flight_most, beat.in_flight)
        self.in_flight_sum += beat.in_flight

    def merge(self, message: Mapping[str, Any]) -> None:
        """Add the values of `as_message`."""
        self.cpu += message["cpu"]
        self.wall += message["wall"]
        self.hub.decode_and_add(message["hub"])
        self.loop.decode_and_add(message["loop"])
        self.pace.decode_and_add(message["pace"])
        self.hub_late += message["hub_late"]
        self.loop_late += message["loop_late"]
        self.pace_late += message["pace_late"]
        self.in_flight_most = max(self.in_flight_most, message["in_flight_most"])
        self.in_flight_sum += message["in_flight_sum"]

    def as_message(self) -> dict[str, Any]:
        """Plain values for the way to the master."""
        return {
            "cpu": self.cpu,
            "wall": self.wall,
            "hub": self.hub.encode(),
            "loop": self.loop.encode(),
            "pace": self.pace.encode(),
            "hub_late": self.hub_late,
            "loop_late": self.loop_late,
            "pace_late": self.pace_late,
            "in_flight_most": self.in_flight_most,
            "in_flight_sum": self.in_flight_sum,
        }


@dataclass(slots=True)
class Health:
    """What was seen of every process in one phase: the worst of them decides, as it is part of every figure."""

    watches: dict[str, Watch] = field(default_factory=dict)
    """By the name of the process: workers have their ids, a process that makes the load itself has none."""

    def add(self, beat: Beat, process: str = "") -> None:
        """Count one beat."""
        self._of(process).add(beat)

    def add_pace(self, lags: HdrHistogram, process: str = "") -> None:
        """Count how late arrivals of an open phase were handed over, in microseconds."""
        if lags.get_total_count():
            watch = self._of(process)
            watch.pace.add(lags)
            watch.pace_late += count_above(lags, LAG_LIMIT)

    def merge(self, message: Mapping[str, Any], process: str) -> None:
        """Add the `as_message` of a worker."""
        if message:
            self._of(process).merge(message)

    def as_message(self) -> dict[str, Any]:
        """Plain values of this one process, for the way to the master; empty where nothing was seen."""
        watch = self.watches.get("")
        return watch.as_message() if watch else {}

    def _of(self, process: str) -> Watch:
        return self.watches.setdefault(process, Watch())

    @property
    def cpu_ratio(self) -> float:
        """CPU of the busiest process against one core; nan where nothing was seen."""
        return max((one.cpu / one.wall for one in self.watches.values() if one.wall > 0), default=math.nan)

    @property
    def loop(self) -> Lag:
        """Lag of the event loop in the process where it was worst."""
        return _worst([_find_lag(one.loop, one.loop_late) for one in self.watches.values()])

    @property
    def hub(self) -> Lag:
        """Lag of Locust's hub in the process where it was worst."""
        return _worst([_find_lag(one.hub, one.hub_late) for one in self.watches.values()])

    @property
    def pace(self) -> Lag:
        """How late arrivals were handed over in the process where it was worst."""
        return _worst([_find_lag(one.pace, one.pace_late) for one in self.watches.values()])

    @property
    def in_flight_mean(self) -> float:
        """Mean operations in flight in all processes together, over their beats; nan without any beat."""
        seen = [(one.in_flight_sum, one.hub.get_total_count()) for one in self.watches.values()]
        return sum(total / beats for total, beats in seen if beats) if any(beats for _, beats in seen) else math.nan

    @property
    def in_flight_most(self) -> int:
        """The sum of the maxima of all processes: an upper bound of the operations in flight at any beat."""
        return sum(one.in_flight_most for one in self.watches.values())

    def watched_share(self, expected: Mapping[str, float]) -> float:
        """For which part of its time, 0 to 1, the process was looked at that was looked at least.

        `expected`: the seconds of the phase that each process took part in, by its name; nan where there are none.
        """
        return min(self._shares(expected), default=math.nan)

    def _shares(self, expected: Mapping[str, float]) -> list[float]:
        return [self._watched(name, seconds) for name, seconds in expected.items() if seconds > 0]

    def _watched(self, process: str, seconds: float) -> float:
        watch = self.watches.get(process)
        seen = watch.wall if watch is not None else 0.0
        return min(1.0, seen / seconds) if seconds >= SHORT_SECONDS else float(seen > 0)

    def gaps(self, expected: Mapping[str, float]) -> list[str]:
        """Why it is unknown whether the generator was the limit; empty if it is known."""
        shares = self._shares(expected)
        blind = [share for share in shares if share < WATCHED_AT_LEAST]
        if not blind:
            return []
        who = "the load generator" if len(shares) == 1 else f"{len(blind)} of {len(shares)} workers"
        told = f"{who} reported CPU and lags for {min(blind):.0%} of the time"
        return [f"{told}, so whether the generator was the limit is unknown"]

    def limits(self) -> list[str]:
        """Why the generator was the limit, each with what to do; empty where it was not."""
        found = []
        if self.cpu_ratio >= CPU_LIMIT:
            found.append(f"the load generator used {self.cpu_ratio:.0%} of its core: add workers")
        told = {"the event loop was": self.loop, "Locust's hub was": self.hub, "arrivals were started": self.pace}
        found += [f"{part} {lag.p99:.2f} s late at p99: {LATE}" for part, lag in told.items() if lag.is_limit]
        return found


def as_microseconds(seconds: float) -> int:
    """Whole microseconds as the histograms of lags take them: 1 us to a minute."""
    return min(max(1, round(seconds * MICROSECONDS)), 60 * MICROSECONDS)


def _find_lag(histogram: HdrHistogram, late: int) -> Lag:
    return Lag(percentile(histogram, 99), percentile(histogram, 100), late) if histogram.get_total_count() else Lag()


def _worst(lags: list[Lag]) -> Lag:
    """One that is a limit before all others, then the highest p99."""
    seen = [lag for lag in lags if not math.isnan(lag.p99)]
    return max(seen, key=lambda lag: (lag.is_limit, lag.p99), default=Lag())
