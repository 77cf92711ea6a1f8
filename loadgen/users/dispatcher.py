"""Arrivals of one phase in one process: each starts when it is due, whatever the earlier ones do.

One thread keeps the schedule of both modes: it sleeps to within a tenth of a millisecond, whereas the timers of an
event loop have millisecond resolution. It hands each arrival to a slot, which is a thread or starts a coroutine. Its
own lateness (due to a busy interpreter, for example) is part of the response times, which count from when the arrival
was due.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from random import Random
from time import perf_counter
from typing import Any, Literal, cast

from loadgen.measure.health import as_microseconds, new_lags
from loadgen.measure.phase import Phase
from loadgen.measure.rate_curve import RateCurve
from loadgen.users.arrival_schedule import ArrivalSchedule, NamedOffset, Share, offsets
from loadgen.users.process_state import ProcessState
from loadgen.users.slot_queue import Arrival, Drop, SlotQueue, TaskChoice
from loadgen.users.slots import SLOTS, Slot


class TaskChoices:
    """Chooses the task of an arrival: a class by its weight, then one of its tasks by theirs, as Locust does."""

    def __init__(self, classes: Sequence[type[Any]], name: str = "") -> None:
        """With a name, only tasks that are called so."""
        known = [(kind, one, task) for kind, one in enumerate(classes) for task in one.tasks]
        own = [each for each in known if name in ("", each[2].__name__)]
        self._choices = [TaskChoice(kind, task) for kind, _, task in own]
        self._weights = list(accumulate(one.weight / len(one.tasks) for _, one, _ in own))

    def draw(self, random: Random, _due: float = 0.0) -> TaskChoice:
        """Draw one."""
        if len(self._choices) == 1:
            return self._choices[0]
        return random.choices(self._choices, cum_weights=self._weights)[0]


class NamedTaskChoices:
    """Chooses the task of an arrival of a certain operation: one that is called after it."""

    def __init__(self, classes: Sequence[type[Any]], names: Iterable[str]) -> None:
        self._by_name = {name: TaskChoices(classes, name) for name in names}

    def draw(self, random: Random, due: float) -> TaskChoice:
        """Draw one for a `NamedOffset`."""
        return self._by_name[cast("NamedOffset", due).operation].draw(random)


@dataclass(frozen=True, slots=True)
class ShareChange:
    """A new share from a moment on (seconds from the start of the phase)."""

    after: float
    share: Share


class Dispatcher:
    """Created on the hub when a phase is announced; `start` begins the schedule, `halt` ends it."""

    def __init__(
        self, environment: Any, process_state: ProcessState, phase: Phase, classes: Sequence[type[Any]]
    ) -> None:
        settings = process_state.settings_for(phase.variant)
        model = cast("Literal['constant', 'poisson']", phase.model)
        curves = tuple((name, RateCurve(points).shifted(phase.warmup_seconds).points) for name, points in phase.curves)
        self._schedule = ArrivalSchedule(model, phase.rate, settings.seed, phase.number, curves)
        self._phase = phase
        named = [name for name, _ in curves if name]
        self._choices = NamedTaskChoices(classes, named) if named else TaskChoices(classes)
        self._tell = partial(_tell_drop, process_state)
        self._slot_queue: SlotQueue[Slot] = SlotQueue(settings.max_wait, self._tell)
        self._slots: list[Slot] = []
        for number in range(settings.max_in_flight):
            random = Random(f"{settings.seed}/{phase.number}/{number}")
            draw = None if named else partial(self._choices.draw, random, 0.0)
            users = [kind(environment) for kind in classes]
            self._slots.append(SLOTS[phase.mode](users, self._slot_queue, draw, self._tell))
        self._changes: deque[ShareChange] = deque()
        self._woken = threading.Event()
        self._halted = False
        self._thread: threading.Thread | None = None
        self.offered = 0
        """Arrivals that were due in the measured part."""
        self.lags = new_lags()
        """Delays of these arrivals, in microseconds."""
        self.latest = 0.0
        """Maximum delay of these arrivals, in seconds, since this was last set to 0."""

    def prepare(self) -> None:
        """Start all slots. Raises RuntimeError if the system provides no more threads."""
        for slot in self._slots:
            slot.begin()

    @property
    def missing(self) -> int:
        """Slots that are not yet ready."""
        return sum(not slot.ready for slot in self._slots)

    @property
    def failed(self) -> int:
        """Slots that will never be ready because an on_start raised."""
        return sum(slot.failed for slot in self._slots)

    @property
    def in_flight(self) -> int:
        """Slots with an unfinished arrival, whose task may be doing something other than an operation."""
        return self._slot_queue.taken

    @property
    def waiting(self) -> int:
        """Arrivals that wait for a slot."""
        return self._slot_queue.waiting

    @property
    def operations(self) -> int:
        """Operations in flight."""
        return sum(user.sent for slot in self._slots for user in slot.users)

    @property
    def is_over(self) -> bool:
        """True if no more arrivals follow."""
        return self._thread is None or not self._thread.is_alive()

    @property
    def leaving(self) -> int:
        """Slots that have not yet called their on_stop."""
        return sum(not slot.over for slot in self._slots)

    def start(self, start: float, change: ShareChange) -> None:
        """Keep the schedule whose offset 0 is at `start` (perf_counter), from the change on; all slots are ready."""
        self._slot_queue.fill(reversed(self._slots))
        self._changes.append(change)
        self._thread = threading.Thread(target=self._keep, args=(start,), name="loadgen-arrivals", daemon=True)
        self._thread.start()

    def reshare(self, change: ShareChange) -> None:
        """Continue with another share from a moment on; a past one means immediately."""
        self._changes.append(change)
        self._woken.set()

    def halt(self) -> None:
        """No more arrivals. Idempotent."""
        self._halted = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join()

    def dismiss(self) -> None:
        """Call on_stop on every slot once it is free; after `halt`."""
        for slot in self._slots:
            slot.end()

    def abandon(self) -> None:
        """Count the operations still in flight as failed; after `halt`."""
        for slot in self._slots:
            slot.abandon()

    def _keep(self, start: float) -> None:
        random = Random(f"{self._schedule.seed}/{self._schedule.phase}/{self._changes[0].share.index}")
        counts_from, ends = self._phase.warmup_seconds, self._phase.warmup_seconds + self._phase.seconds
        done = -1.0
        stream, due = self._switch(done)
        while not self._halted:
            if self._changes and due >= self._changes[0].after:
                stream, due = self._switch(done)
                continue
            left = start + min(due, ends) - perf_counter()
            if left > 0:
                if self._woken.wait(left):
                    self._woken.clear()
                continue
            if due >= ends:
                break
            now = perf_counter()
            if due >= counts_from:
                self._count(now - start - due)
            self._dispatch(Arrival(start + due, self._choices.draw(random, due)), now)
            due, done = next(stream), due
        halted_at = perf_counter()
        late: list[float] = []
        while due < min(ends, halted_at - start):  # it was behind: arrivals due by now were never handed over
            late.append(start + due)
            if due >= counts_from:
                self._count(halted_at - start - due)
            due = next(stream)
        self._slot_queue.clear(halted_at)
        if late:
            self._tell(Drop(tuple(late), halted_at))

    def _count(self, lag: float) -> None:
        """Count an arrival of the measured part that started this many seconds late."""
        self.offered += 1
        self.latest = max(self.latest, lag)
        self.lags.record_value(as_microseconds(lag))

    def _switch(self, done: float) -> tuple[Iterator[float], float]:
        """The stream after the next change and its first offset; arrivals due up to `done` have been handed over."""
        change = self._changes.popleft()
        stream = offsets(self._schedule, change.share, change.after)
        return stream, next(due for due in stream if due > done)

    def _dispatch(self, arrival: Arrival, now: float) -> None:
        self._slot_queue.expire(now)
        slot = self._slot_queue.arrive(arrival, now)
        if slot is not None:
            slot.hand(arrival)


def _tell_drop(process_state: ProcessState, drop: Drop) -> None:
    process_state.queue.put(partial(process_state.drop, drop.due, drop.at))
