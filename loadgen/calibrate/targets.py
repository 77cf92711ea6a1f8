"""The targets of the tool, and whether it met them."""

import math
from collections.abc import Sequence
from statistics import fmean

import numpy as np

from loadgen.calibrate.driver import Measurement
from loadgen.calibrate.plan import RATE, STOP_RATE
from loadgen.calibrate.target import Target
from loadgen.measure.sample import Mode
from loadgen.text.listing import count_of
from loadgen.users.arrival_schedule import ArrivalSchedule, Share, offsets

NEAR_SECONDS, NEAR_SHARE = 0.001, 0.03
"""A time is near another one within 1 ms, or within 3 %."""
WAIT_SHARE = 0.05
THROUGHPUT_AT_LEAST = 0.95
GAPS = 5_000
KOLMOGOROV_95 = 1.358
"""Of a sample of n, 95 % have a Kolmogorov-Smirnov distance below this divided by the root of n."""
PERCENTS = (50.0, 95.0, 99.0, 99.9)
P50, P95, P99 = range(3)


def find_targets(measurements: Sequence[Measurement]) -> list[Target]:
    """All targets, judged on the means over the phases of a mode."""
    targets = [_never_early(measurements)]
    for mode in Mode:
        bare = _of(measurements, "paced", "constant", mode)
        opened = _of(measurements, "open", "constant", mode)
        targets += [_near_bare(mode, place, opened, bare) for place in (P50, P99)]
    for mode in Mode:
        bare, closed = _of(measurements, "bare", "constant", mode), _of(measurements, "closed", "constant", mode)
        targets.append(_throughput(mode, closed, bare))
    for mode in Mode:
        targets += [_waiting(mode, place, _of(measurements, "open", "stop", mode)) for place in (P95, P99)]
    return [*targets, _exponential(1), _exponential(4)]


def _of(measurements: Sequence[Measurement], driver: str, kind: str, mode: Mode) -> list[Measurement]:
    return [one for one in measurements if (one.driver, one.kind.name, one.mode) == (driver, kind, mode)]


def _mean(measurements: Sequence[Measurement], place: int, name: str = "service") -> float:
    return fmean(getattr(one, name)[place] for one in measurements)


def _never_early(measurements: Sequence[Measurement]) -> Target:
    """The histograms have three digits, so they may show a thousandth less."""
    least = min(one.service[P50] - one.kind.delays.base for one in measurements)
    met = all(one.service[P50] >= one.kind.delays.base * 0.999 for one in measurements)
    return Target("no p50 below the delay that the server kept", "at least +0 ms", f"{least * 1000:+.2f} ms", met)


def _late(measurements: Sequence[Measurement]) -> float:
    return max((one.kept.late[1] for one in measurements if one.kept.late), default=0.0)


def _near_bare(mode: Mode, place: int, opened: Sequence[Measurement], bare: Sequence[Measurement]) -> Target:
    mine, limit = _mean(opened, place), _mean(bare, place)
    allowed = max(NEAR_SECONDS, NEAR_SHARE * limit)
    name = f"{mode}: service time p{PERCENTS[place]:g} at {RATE:g}/s, constant delay, against a bare loop"
    wanted = f"{limit * 1000:.2f} ms, within {allowed * 1000:.2f}"
    measured = f"{mine * 1000:.2f} ms ({(mine - limit) * 1000:+.2f})"
    return Target(name, wanted, measured, abs(mine - limit) <= allowed, _late([*opened, *bare]))


def _throughput(mode: Mode, closed: Sequence[Measurement], bare: Sequence[Measurement]) -> Target:
    mine, limit = (fmean(one.throughput for one in side) for side in (closed, bare))
    name = f"{mode}: operations/s of waiting users, constant delay, against a bare loop"
    wanted = f"{limit:.1f}/s, at least {THROUGHPUT_AT_LEAST:g} of it"
    met = mine >= THROUGHPUT_AT_LEAST * limit
    return Target(name, wanted, f"{mine:.1f}/s ({mine / limit:.3f})", met, _late([*closed, *bare]))


def _waiting(mode: Mode, place: int, stopped: Sequence[Measurement]) -> Target:
    mine = _mean(stopped, place, "response")
    delays = stopped[0].kind.delays
    implied = delays.known(PERCENTS[place])[0]
    name = (
        f"{mode}: response time p{PERCENTS[place]:g} at {STOP_RATE:g}/s, {delays.stop:g} s stop in {delays.every:g} s"
    )
    wanted = f"{implied * 1000:.0f} ms, within {WAIT_SHARE:.0%}"
    near = abs(mine - implied) <= WAIT_SHARE * implied
    return Target(name, wanted, f"{mine * 1000:.0f} ms ({mine / implied - 1:+.1%})", near, _late(stopped))


def _exponential(workers: int) -> Target:
    """Merged Poisson arrivals of several workers, against the exponential law (Kolmogorov-Smirnov, one sample)."""
    schedule = ArrivalSchedule("poisson", RATE, seed=1, phase=0)
    until = GAPS / RATE
    moments: list[float] = []
    for index in range(workers):
        for at in offsets(schedule, Share(index, workers)):
            if at > until:
                break
            moments.append(at)
    gaps = np.sort(np.diff(np.sort(moments)))
    law, count = 1 - np.exp(-RATE * gaps), len(gaps)
    steps = np.arange(count + 1) / count
    distance = float(max(np.max(steps[1:] - law), np.max(law - steps[:-1])))
    limit = KOLMOGOROV_95 / math.sqrt(count)
    name = f"Poisson arrivals of {count_of(workers, 'worker')} against the exponential law (KS distance)"
    return Target(name, f"below {limit:.4f}", f"{distance:.4f}", distance < limit)
