"""The free concurrency slots, and the arrivals that wait for one."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class TaskChoice:
    """What an arrival does: a task of the `kind`-th user class."""

    kind: int
    task: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An upcoming operation: when it is due (perf_counter seconds), and its task."""

    due: float
    choice: TaskChoice


@dataclass(frozen=True, slots=True)
class Drop:
    """Arrivals that got no slot: when they were due, and when they were dropped."""

    due: tuple[float, ...]
    at: float


class SlotQueue(Generic[S]):
    """The free slots, last used first, and a queue of arrivals for them. Thread-safe.

    An arrival that has waited for `max_wait` seconds is dropped: `tell` is called with it, never under the lock.
    """

    def __init__(self, max_wait: float, tell: Callable[[Drop], object]) -> None:
        self._max_wait = max_wait
        self._tell = tell
        self._lock = threading.Lock()
        self._free: list[S] = []
        self._waiting: deque[Arrival] = deque()
        self._number = 0

    def fill(self, slots: Iterable[S]) -> None:
        """Add free slots."""
        with self._lock:
            self._free.extend(slots)
            self._number = len(self._free)

    @property
    def taken(self) -> int:
        """Slots with an operation in flight."""
        return self._number - len(self._free)

    @property
    def waiting(self) -> int:
        """Arrivals that wait for one."""
        return len(self._waiting)

    def arrive(self, arrival: Arrival, now: float) -> S | None:
        """The slot assigned to the arrival; None if it has to wait."""
        with self._lock:
            if self._free and not self._waiting:
                return self._free.pop()
            self._waiting.append(arrival)
        self.expire(now)
        return None

    def release(self, slot: S, now: float) -> Arrival | None:
        """Free a slot, or return the arrival that has waited longest and now gets it; None if none waits."""
        self.expire(now)
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._free.append(slot)
            return None

    def expire(self, now: float) -> None:
        """Drop arrivals that have waited too long, each at the moment its limit passed."""
        late: list[float] = []
        with self._lock:
            while self._waiting and now - self._waiting[0].due > self._max_wait:
                late.append(self._waiting.popleft().due)
        for due in late:
            self._tell(Drop((due,), due + self._max_wait))

    def clear(self, now: float) -> None:
        """Discard all waiting arrivals."""
        self.expire(now)
        with self._lock:
            due = tuple(arrival.due for arrival in self._waiting)
            self._waiting.clear()
        if due:
            self._tell(Drop(due, now))
