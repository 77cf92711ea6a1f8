"""What is measured: kinds of delays, the commands that drive them, and their phases."""

from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.calibrate import SECONDS
from loadgen.measure.sample import Mode
from loadgen.milvus.server.delays import Delays

BASE = 0.020
SLOW = 0.200
USERS, PACED_USERS = 4, 8
"""Users of the bare loops; more on a schedule, so that none is late for its next start."""
RATE, STOP_RATE = 200.0, 100.0
STOP_SECONDS = 10.0
"""A stop of 1 s in every 10 s in both models, if a phase has the default length."""
WARMUP = 0.5
ORDER = (Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC)
LOCUSTFILE = '''"""Searches in both modes, for `loadgen calibrate`."""

from locust import events, task

from loadgen import AsyncUser, SyncUser, plug

plug(events)


class SyncSearch(SyncUser):
    @task
    def search(self):
        self.client.search(self.next_query())


class AsyncSearch(AsyncUser):
    @task
    async def search(self):
        await self.client.search(self.next_query())
'''


@dataclass(frozen=True, slots=True)
class DelayProfile:
    """Delays with a name."""

    name: str
    delays: Delays


@dataclass(frozen=True, slots=True)
class Drive:
    """One command: bare loops, or `locust` in the closed or the open model. Its phases alternate the modes.

    With two variants they alternate those, in the same order.
    """

    driver: str
    """`bare` (loops that wait for their answers), `paced` (bare loops that start on a schedule), `closed` or `open`."""
    kinds: tuple[DelayProfile, ...]
    """One for each phase."""
    seconds: float
    """Length of a phase."""
    rate: float = 0.0
    """Arrivals per second; 0 in the closed model."""
    variants: str = ""
    """What `locust` compares instead of the modes."""

    @property
    def modes(self) -> list[Mode]:
        """The mode of each phase."""
        return [ORDER[number % len(ORDER)] for number in range(len(self.kinds))]

    @property
    def flags(self) -> list[str]:
        """For Locust: the length and the load of the phases."""
        rounds = str(len(self.kinds) // len(ORDER))
        compared = ["--variants", self.variants] if self.variants else []
        length = [
            *compared,
            "--rounds",
            rounds,
            "--phase-seconds",
            f"{self.seconds:g}",
            "--warmup-seconds",
            f"{self.warmup:g}",
        ]
        if self.rate:
            # Operations that wait through a stop are in flight: no arrival may be dropped for lack of a slot.
            return [*length, "--arrival", "constant", "--rate", f"{self.rate:g}", "--max-in-flight", "256"]
        return [*length, "--concurrency", str(USERS)]

    @property
    def warmup(self) -> float:
        """Seconds of load before each phase counts."""
        return min(WARMUP, self.seconds)


def make_kinds(seconds: float) -> tuple[DelayProfile, DelayProfile, DelayProfile, DelayProfile]:
    """Constant, two-point, stops, and no delay; a stop takes a tenth of its period."""
    period = STOP_SECONDS * seconds / SECONDS
    return (
        DelayProfile("constant", Delays(base=BASE)),
        DelayProfile("two-point", Delays(base=BASE, slow=SLOW, one_in=100)),
        DelayProfile("stop", Delays(base=BASE, stop=period / 10, every=period)),
        DelayProfile("none", Delays()),
    )


def make_plan(seconds: float) -> Sequence[Drive]:
    """All commands, the bare loops before the runs that are compared with them.

    Users who wait for a constant delay return together and queue in the client; arrivals on a schedule do not. So each
    model has its own kind of bare loops.
    """
    constant, two_point, stop, none = make_kinds(seconds)
    return (
        Drive("paced", (constant,) * 4, seconds, RATE),
        Drive("open", (constant,) * 4 + (two_point,) * 4, seconds, RATE),
        Drive("bare", (constant, constant, none, none), seconds),
        Drive("closed", (constant,) * 2 + (two_point,) * 4 + (none,) * 2, seconds),
        Drive("closed", (stop,) * 4, stop.delays.every),
        Drive("open", (stop,) * 4, stop.delays.every, STOP_RATE),
    )
