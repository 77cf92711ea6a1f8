"""The queue to Locust's hub: finished samples in small batches, with calls in order between them."""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

import gevent
from gevent.event import Event

from loadgen.measure.errors import ErrorLog
from loadgen.measure.sample import Sample

logger = logging.getLogger(__name__)

T = TypeVar("T")
BATCH = 64
"""Samples per batch: small, because a batch keeps the interpreter lock (5 to 10 us per sample)."""
PAUSE = 0.2
"""Seconds between two deliveries, unless a caller waits for an empty queue. Waking the hub costs some 100 us of CPU and
evicts the loop's data from the caches, so it wakes at most 5 times a second, not for each sample. This changes no
measured time, because samples are already timed."""
ENDING = (KeyboardInterrupt, gevent.GreenletExit)
"""Exceptions that end a process or a greenlet from outside; any other, including SystemExit, is an error."""
WAITING_AT_MOST = 64
"""Maximum greenlets that may wait in a listener while others deliver; beyond that the queue waits too."""
LOOK = 0.005
"""Seconds between two checks for an empty queue."""


class HubQueue:
    """A queue from any thread to the hub. Created on the hub, where `deliver` is called too.

    One greenlet delivers. If a listener that it calls blocks (it sleeps, or it stops the run, which waits for users
    whose last samples are in this queue), another greenlet continues with the rest. `deliver` is then called again
    before the first call has returned, first without samples, and must deliver what the first call has left.
    Exceptions of `deliver` or of a call, whatever their type, end neither.
    """

    def __init__(self, deliver: Callable[[Sequence[Sample]], None]) -> None:
        self._deliver = deliver
        self._items: deque[Sample | Callable[[], object]] = deque()
        self._awake = False
        self._closed = False
        self._delivering = False
        self._waiting: set[gevent.Greenlet] = set()
        """Greenlets that have been replaced because a listener that they called blocks."""
        self._idle = Event()
        self._idle.set()
        self._wake = Event()
        self._hurry = Event()
        self._errors = ErrorLog(logger)
        loop = gevent.get_hub().loop
        self._watcher = loop.async_()
        self._watcher.start(self._wake.set)
        self._overseer = loop.prepare(priority=loop.MINPRI)  # after the one in which gevent runs its greenlets
        self._overseer.start(self._relieve)
        self._greenlet = gevent.spawn(self._drain)

    def put(self, item: Sample | Callable[[], object]) -> None:
        """Hand over a sample, or a function to call on the hub after all samples put before it. From any thread."""
        self._items.append(item)
        if not self._awake:
            self._awake = True
            self._watcher.send()

    def flush(self, within: float = 5.0) -> bool:
        """Wait on the hub until everything put is delivered; False if that takes longer than `within` seconds.

        A listener may call it too, as Locust's `runner.quit` eventually does: it then waits for everything except the
        sample or call for which the listener was called.
        """
        deadline = gevent.Timeout(within, False)
        this = gevent.getcurrent()
        with deadline:
            while self._items or not self._idle.is_set() or self._waiting - {this}:
                self._hurry.set()
                gevent.sleep(LOOK)
            return True
        return False

    def close(self) -> None:
        """Deliver the remaining items and stop listening."""
        self.flush()
        self._closed = True
        gevent.killall([self._greenlet, *self._waiting], timeout=1.0)
        self._overseer.stop()
        self._watcher.stop()

    def _relieve(self) -> None:
        """Called by the hub before it waits for events: a delivery still in progress is then blocked itself."""
        if self._delivering and len(self._waiting) < WAITING_AT_MOST:
            self._delivering = False
            self._waiting.add(self._greenlet)
            self._greenlet = gevent.spawn(self._drain)
            self._items.appendleft(self._resume)
            self._watcher.send()  # what is only spawned here would begin with the hub's next event

    def _resume(self) -> None:
        """Deliver what a blocked greenlet has left."""
        self._deliver(())

    def _drain(self) -> None:
        this = gevent.getcurrent()
        while not self._closed:
            self._wake.wait()
            self._wake.clear()
            self._idle.clear()
            self._awake = False  # before the check: anything put from here on wakes us again
            while self._items:
                self._delivering = True
                try:
                    self._deliver_some()
                except BaseException as error:  # noqa: BLE001 - a listener's; later items must not be lost
                    if not self._closed:
                        self._errors.note(error, "A call on Locust's hub failed")
                if self._greenlet is not this:  # a listener has blocked, and another greenlet has taken over
                    self._waiting.discard(this)
                    return
                self._delivering = False
                gevent.sleep(0)
            self._idle.set()
            self._hurry.clear()
            self._hurry.wait(PAUSE)

    def _deliver_some(self) -> None:
        """Deliver one batch of samples, or one call: a call after samples must not wait for their listeners."""
        items = self._items
        batch: list[Sample] = []
        while items and len(batch) < BATCH:
            item = items.popleft()
            if isinstance(item, Sample):
                batch.append(item)
            elif batch:
                items.appendleft(item)
                break
            else:
                item()
                return
        self._deliver(batch)


def run_in_thread(function: Callable[[], T]) -> T:
    """Run a blocking function on an OS thread while the hub goes on; returns its value or raises its exception."""
    hub = gevent.get_hub()
    done = Event()
    watcher = hub.loop.async_()
    watcher.start(done.set)
    values: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            values.append(function())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the answer is waited for
            errors.append(error)
        with contextlib.suppress(Exception):  # after Ctrl-C nothing waits for it
            watcher.send()

    threading.Thread(target=work, name="loadgen-blocking", daemon=True).start()
    try:
        done.wait()
    finally:
        watcher.stop()
    if errors:
        raise errors[0]
    return values[0]


def pause(seconds: float) -> None:
    """Let the hub run for these seconds; called on the hub."""
    gevent.sleep(seconds)


def spawn(function: Callable[..., object], *arguments: object) -> "gevent.Greenlet[..., object]":
    """Run a function on the hub, concurrently with its other greenlets."""
    return gevent.spawn(function, *arguments)
