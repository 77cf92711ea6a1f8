"""Whether the holder of a lease is still alive."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from loadgen.milvus.store.holders import Holder, machine


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """How often a lease is renewed and when it expires. All processes must agree. Seconds."""

    beat: float = 15.0
    expiry: float = 60.0
    poll: float = 0.5
    """Between two checks while waiting for another holder."""

    @property
    def missed(self) -> float:
        """The age of a heartbeat above which its holder is probably dead."""
        return 1.5 * self.beat


class Life(Enum):
    """The known state of a holder."""

    ALIVE = 1
    SILENT = 2
    """It has missed a heartbeat, or cannot be judged yet."""
    DEAD = 3


class HolderWatch:
    """Judges holders without comparing the clocks of two machines.

    Ages are by the server's clock, which timestamps every row. If the server has none, the heartbeat number must change
    within that time by our own clock.
    """

    def __init__(self, timing: LeaseTiming, clock: Callable[[], float] = time.monotonic) -> None:
        self._timing = timing
        self._clock = clock
        self._beats: dict[str, tuple[int, float, bool]] = {}
        """For each lease its last heartbeat, when it was first seen, and whether we had seen the previous one."""

    def judge(self, holder: Holder, now: float | None) -> Life:
        """`now` is the server's clock."""
        if holder.is_dead():
            return Life.DEAD
        age = None if now is None or holder.written is None else now - holder.written
        if age is not None and age >= self._timing.expiry:
            return Life.DEAD
        beat, since, came = self._beats.get(holder.lease, (holder.beat, self._clock(), False))
        if beat != holder.beat:
            since, came = self._clock(), True
        self._beats[holder.lease] = (holder.beat, since, came)
        silence = self._clock() - since if age is None else age
        is_fresh = (age is not None or came) and silence < self._timing.missed
        if holder.machine == machine() or is_fresh:
            return Life.ALIVE
        return Life.DEAD if silence >= self._timing.expiry else Life.SILENT
