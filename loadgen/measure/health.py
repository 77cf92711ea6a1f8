"""Whether the load generator was the limit: its CPU and its lags, accumulated over a phase."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loadgen.measure.histograms import SparseHistogram, count_above
from loadgen.measure.lag import LAG_LIMIT, Lag, find_lag, find_worst
from loadgen.measure.usage import TotalUsage, Usage, add_up

MICROSECONDS = 1_000_000
WATCHED_AT_LEAST = 0.5
"""Share of a phase that must have been observed; below it the generator's health is unknown."""
CPU_LIMIT = 0.9
"""Share of one core above which the interpreter lock, not the server, is the limit."""
HELD_LIMIT = 0.25
"""Share of a phase for which one stage held the event loop, from which a warning is due."""
CORE_WAIT_LIMIT = 0.1
"""Share of a phase for which the event loop waited for a core, from which a warning is due: asyncio has one thread,
blocking users have many, and each gets an equal share of a crowded machine."""
SHORT_SECONDS = 0.5
"""In a shorter phase there are too few beats to judge more than whether there was any."""

LATE = "give it a dedicated core, or add workers"


@dataclass(frozen=True, slots=True)
class Beat:
    """One sample of a process. Times are seconds; `cpu` was used in the `wall` time since the previous beat."""

    at: float
    cpu: float
    wall: float
    hub_lag: float
    loop_lag: float
    in_flight: int
    pace_lag: float = 0.0
    """Maximum delay of an arrival in an open phase since the previous beat."""
    core_wait: float = math.nan
    """How long the event loop's thread was ready and had no core, since the previous beat; nan if unknown."""
    held: Mapping[str, float] = field(default_factory=dict)
    """For how long each stage held the event loop, since the previous beat."""
    memory: float = math.nan
    """Resident bytes; nan if unknown."""
    sent: float = math.nan
    """Bytes to the server since the previous beat; nan if unknown."""
    received: float = math.nan


def new_lags() -> SparseHistogram:
    """An empty histogram of lags: microseconds, three digits."""
    return SparseHistogram()


def beats_missed(hub_lag: float) -> int:
    """Late beats that a hub's lag (seconds) represents: beats run on the hub, so 0.3 s is one instead of three."""
    return as_microseconds(hub_lag) // as_microseconds(LAG_LIMIT)


@dataclass(slots=True)
class ProcessHealth:
    """All beats of one process in one phase."""

    cpu: float = 0.0
    """Seconds."""
    wall: float = 0.0
    hub: SparseHistogram = field(default_factory=new_lags)
    loop: SparseHistogram = field(default_factory=new_lags)
    pace: SparseHistogram = field(default_factory=new_lags)
    """Delays of the arrivals of an open phase."""
    hub_late: int = 0
    """Late beats, counted on arrival: finding them in a histogram takes a tenth of a second."""
    loop_late: int = 0
    pace_late: int = 0
    """Late arrivals."""
    in_flight_most: int = 0
    """Maximum operations in flight at any beat."""
    in_flight_sum: int = 0
    """Operations in flight, summed over all beats."""
    core_wait: float = 0.0
    """Seconds that the event loop's thread was ready and had no core, in `core_watched` seconds."""
    core_watched: float = 0.0
    held: dict[str, float] = field(default_factory=dict)
    """Seconds for which each stage held the event loop, in `wall` seconds."""
    usage: Usage = field(default_factory=Usage)

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
        if not math.isnan(beat.core_wait):
            self.core_wait += beat.core_wait
            self.core_watched += beat.wall
        self._add_held(beat.held)
        self.usage.add(beat.wall, beat.memory, beat.sent, beat.received)

    def merge(self, message: Mapping[str, Any]) -> None:
        """Add the values of `as_message`."""
        self.cpu += message["cpu"]
        self.wall += message["wall"]
        self.hub.add_packed(message["hub"])
        self.loop.add_packed(message["loop"])
        self.pace.add_packed(message["pace"])
        self.hub_late += message["hub_late"]
        self.loop_late += message["loop_late"]
        self.pace_late += message["pace_late"]
        self.in_flight_most = max(self.in_flight_most, message["in_flight_most"])
        self.in_flight_sum += message["in_flight_sum"]
        self.core_wait += message["core_wait"]
        self.core_watched += message["core_watched"]
        self._add_held(message["held"])
        self.usage.merge(message["usage"])

    def settle(self) -> None:
        """Take little memory: the phase is over."""
        for lags in (self.hub, self.loop, self.pace):
            lags.settle()

    def _add_held(self, held: Mapping[str, float]) -> None:
        for stage, seconds in held.items():
            self.held[stage] = self.held.get(stage, 0.0) + seconds

    def as_message(self) -> dict[str, Any]:
        """Plain values to send to the master."""
        return {
            "cpu": self.cpu,
            "wall": self.wall,
            "hub": self.hub.pack(),
            "loop": self.loop.pack(),
            "pace": self.pace.pack(),
            "hub_late": self.hub_late,
            "loop_late": self.loop_late,
            "pace_late": self.pace_late,
            "in_flight_most": self.in_flight_most,
            "in_flight_sum": self.in_flight_sum,
            "core_wait": self.core_wait,
            "core_watched": self.core_watched,
            "held": dict(self.held),
            "usage": self.usage.as_message(),
        }


@dataclass(slots=True)
class Health:
    """The beats of every process in one phase. The worst process decides, since it contributes to every figure."""

    processes: dict[str, ProcessHealth] = field(default_factory=dict)
    """By process name: the worker's id, or empty for a single process."""

    def add(self, beat: Beat, process: str = "") -> None:
        """Count one beat."""
        self._of(process).add(beat)

    def add_pace(self, lags: SparseHistogram, process: str = "") -> None:
        """Count the delays of arrivals of an open phase, in microseconds."""
        if lags.get_total_count():
            health = self._of(process)
            health.pace.add(lags)
            health.pace_late += count_above(lags, LAG_LIMIT)

    def merge(self, message: Mapping[str, Any], process: str) -> None:
        """Add the `as_message` of a worker."""
        if message:
            self._of(process).merge(message)

    def as_message(self) -> dict[str, Any]:
        """Plain values of this process, to send to the master; empty if nothing was observed."""
        health = self.processes.get("")
        return health.as_message() if health else {}

    def _of(self, process: str) -> ProcessHealth:
        return self.processes.setdefault(process, ProcessHealth())

    @property
    def cpu_ratio(self) -> float:
        """CPU of the busiest process, as a share of one core; nan if nothing was observed."""
        return max((one.cpu / one.wall for one in self.processes.values() if one.wall > 0), default=math.nan)

    @property
    def core_wait_ratio(self) -> float:
        """Share of the time in which the event loop was ready and had no core, in the worst process; nan: unknown."""
        shares = (one.core_wait / one.core_watched for one in self.processes.values() if one.core_watched > 0)
        return max(shares, default=math.nan)

    @property
    def held_ratios(self) -> dict[str, float]:
        """Share of the time for which each stage held the event loop, in the process where it held it longest."""
        result: dict[str, float] = {}
        for one in self.processes.values():
            for stage, seconds in one.held.items():
                result[stage] = max(result.get(stage, 0.0), min(1.0, seconds / one.wall))
        return result

    @property
    def cores_used(self) -> float:
        """CPU time of all processes to wall time; nan if nothing was observed."""
        shares = [one.cpu / one.wall for one in self.processes.values() if one.wall > 0]
        return sum(shares) if shares else math.nan

    @property
    def usage(self) -> TotalUsage:
        """Memory of all processes, and bytes per second."""
        return add_up(one.usage for one in self.processes.values())

    @property
    def loop(self) -> Lag:
        """Lag of the event loop in the worst process."""
        return find_worst([find_lag(one.loop, one.loop_late) for one in self.processes.values()])

    @property
    def hub(self) -> Lag:
        """Lag of Locust's hub in the worst process."""
        return find_worst([find_lag(one.hub, one.hub_late) for one in self.processes.values()])

    @property
    def pace(self) -> Lag:
        """Delay of arrivals in the worst process."""
        return find_worst([find_lag(one.pace, one.pace_late) for one in self.processes.values()])

    @property
    def in_flight_mean(self) -> float:
        """Mean operations in flight over all processes and beats; nan without any beat."""
        seen = [(one.in_flight_sum, one.hub.get_total_count()) for one in self.processes.values()]
        return sum(total / beats for total, beats in seen if beats) if any(beats for _, beats in seen) else math.nan

    @property
    def in_flight_most(self) -> int:
        """The sum of the maxima of all processes: an upper bound of the operations in flight at any beat."""
        return sum(one.in_flight_most for one in self.processes.values())

    def watched_share(self, expected: Mapping[str, float]) -> float:
        """The share (0 to 1) of its time for which the least observed process was observed.

        `expected`: seconds of the phase in which each process took part, by name. Returns nan if it is empty.
        """
        return min(self._shares(expected), default=math.nan)

    def _shares(self, expected: Mapping[str, float]) -> list[float]:
        return [self._watched(name, seconds) for name, seconds in expected.items() if seconds > 0]

    def _watched(self, process: str, seconds: float) -> float:
        health = self.processes.get(process)
        seen = health.wall if health is not None else 0.0
        return min(1.0, seen / seconds) if seconds >= SHORT_SECONDS else float(seen > 0)

    def gaps(self, expected: Mapping[str, float]) -> list[str]:
        """Why it is unknown whether the generator was the limit; empty if it is known."""
        shares = self._shares(expected)
        blind = [share for share in shares if share < WATCHED_AT_LEAST]
        if not blind:
            return []
        who = "the load generator" if len(shares) == 1 else f"{len(blind)} of {len(shares)} workers"
        reported = f"{who} reported CPU and lags for {min(blind):.0%} of the time"
        return [f"{reported}, so it is unknown whether the generator was the limit"]

    def limits(self) -> list[str]:
        """Why the generator was the limit, each with a remedy; empty if it was not."""
        result = []
        if self.cpu_ratio >= CPU_LIMIT:
            result.append(f"the load generator used {self.cpu_ratio:.0%} of its core: add workers")
        loop = f"the event loop{self._name_holder()} was"
        reported = {loop: self.loop, "Locust's hub was": self.hub, "arrivals were started": self.pace}
        result += [f"{part} {lag.p99:.2f} s late at p99: {LATE}" for part, lag in reported.items() if lag.is_limit]
        return result

    def _name_holder(self) -> str:
        """The stage that held the loop longest, where it is known."""
        shares = self.held_ratios
        longest = max(shares, key=shares.__getitem__, default="")
        return f" (held by stage {longest} for {shares[longest]:.0%} of the time)" if longest else ""


def as_microseconds(seconds: float) -> int:
    """Whole microseconds within the range of the lag histograms: 1 us to a minute."""
    return min(max(1, round(seconds * MICROSECONDS)), 60 * MICROSECONDS)
