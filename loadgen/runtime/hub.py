"""The way to Locust's hub: finished samples in small batches, and calls in their order between them."""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

import gevent
from gevent.event import Event

from loadgen.sample import Sample

logger = logging.getLogger(__name__)

T = TypeVar("T")
BATCH = 32
"""Samples handed over at once. A batch holds the interpreter lock (some 20 us a sample), so it stays short."""
PAUSE = 0.2
"""Seconds between two looks at the queue, unless somebody waits for it to be empty. A wake of the hub costs some 100 us
of CPU and drives the loop's data out of the caches, so it wakes 5 times a second at most, not for each sample; what is
measured was stamped before and does not change."""
LOOK = 0.005
"""Seconds between two looks of who waits for the queue to be empty."""


class HubQueue:
    """A queue from any thread to the hub. Whoever makes it must be on the hub, and `deliver` is called there."""

    def __init__(self, deliver: Callable[[Sequence[Sample]], None]) -> None:
        self._deliver = deliver
        self._items: deque[Sample | Callable[[], object]] = deque()
        self._awake = False
        self._idle = Event()
        self._idle.set()
        self._wake = Event()
        self._hurry = Event()
        self._watcher = gevent.get_hub().loop.async_()
        self._watcher.start(self._wake.set)
        self._greenlet = gevent.spawn(self._drain)

    def put(self, item: Sample | Callable[[], object]) -> None:
        """Hand over a sample, or a function to call on the hub after all samples put before it. From any thread."""
        self._items.append(item)
        if not self._awake:
            self._awake = True
            self._watcher.send()

    def flush(self, within: float = 5.0) -> bool:
        """Wait on the hub until all that was put is delivered; False where that took longer than `within` seconds."""
        deadline = gevent.Timeout(within, False)
        with deadline:
            while self._items or not self._idle.is_set():
                self._hurry.set()
                gevent.sleep(LOOK)
            return True
        return False

    def close(self) -> None:
        """Deliver what is there and stop listening."""
        self.flush()
        self._greenlet.kill()
        self._watcher.stop()

    def _drain(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            self._idle.clear()
            self._awake = False  # before the look: what is put from here on wakes us again
            while self._items:
                try:
                    self._deliver_some()
                except Exception:
                    logger.exception("A listener failed; the samples after it go on")
                gevent.sleep(0)
            self._idle.set()
            self._hurry.clear()
            self._hurry.wait(PAUSE)

    def _deliver_some(self) -> None:
        batch: list[Sample] = []
        call: Callable[[], object] | None = None
        while self._items and call is None and len(batch) < BATCH:
            item = self._items.popleft()
            if isinstance(item, Sample):
                batch.append(item)
            else:
                call = item
        if batch:
            self._deliver(batch)
        if call is not None:
            call()


def run_in_thread(function: Callable[[], T]) -> T:
    """Run a blocking function on an OS thread while the hub goes on; its value or its exception comes back."""
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
        with contextlib.suppress(Exception):  # nobody waits any more after Ctrl-C
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
    """Let the hub run for so many seconds; called on the hub."""
    gevent.sleep(seconds)


def spawn(function: Callable[..., object], *arguments: object) -> "gevent.Greenlet[..., object]":
    """Run a function on the hub, beside what runs there now."""
    return gevent.spawn(function, *arguments)
