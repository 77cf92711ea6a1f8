"""A Locust environment in this process, with stores that answer without a network."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import gevent
from locust.env import Environment
from locust.user.task import LOCUST_STATE_STOPPING

from loadgen.locust_plugin.request_event import RequestEvent
from loadgen.measure.ledger import Ledger
from loadgen.measure.sample import Mode, Sample
from loadgen.runtime.hub import HubQueue
from loadgen.runtime.loop import LoopThread
from loadgen.settings.model import Settings
from loadgen.users import ProcessState


class CountingStore:
    """Counts what it is asked, as a server would; answers after `seconds`, or when `gate` opens."""

    def __init__(self, seconds: float = 0.001, gate: threading.Event | None = None) -> None:
        self.calls = 0
        self.threads: set[int] = set()
        self._seconds = seconds
        self._gate = gate
        self._lock = threading.Lock()

    def _count(self) -> SimpleNamespace:
        with self._lock:
            self.calls += 1
            self.threads.add(threading.get_ident())
        return SimpleNamespace(ids=["1"], nodes=[], similarities=[1.0])

    def query(self, _query: Any) -> SimpleNamespace:
        answer = self._count()
        if self._gate is not None:
            self._gate.wait(20)
        time.sleep(self._seconds)
        return answer

    async def aquery(self, _query: Any) -> SimpleNamespace:
        answer = self._count()
        while self._gate is not None and not self._gate.is_set():  # noqa: ASYNC110 - set from another thread
            await asyncio.sleep(0.005)
        await asyncio.sleep(self._seconds)
        return answer


class Stage:
    """An environment with a local runner, and everything that its users report."""

    def __init__(self, classes: list[type[Any]], store: Any) -> None:
        self.environment = Environment(user_classes=classes)
        self.runner = self.environment.create_local_runner()
        self.samples: list[Sample] = []
        self.requests: list[dict[str, Any]] = []
        self.environment.events.request.add_listener(lambda **event: self.requests.append(event))
        self.request_event = RequestEvent(self.environment.events)
        self.queue = HubQueue(self._deliver)
        self.loop = LoopThread()
        self.process_state = ProcessState(Settings(), self.queue, Ledger(), self.loop)
        self.process_state.stores = {mode: [store] for mode in Mode}
        queries = [SimpleNamespace(number=number) for number in range(1000)]
        self.process_state.queries = dict.fromkeys(Mode, queries)
        vars(self.environment)["loadgen"] = self.process_state

    def _deliver(self, samples: Any) -> None:
        self.samples.extend(samples)
        self.request_event(samples)

    def start(self, users: int) -> None:
        self.runner.start(users, spawn_rate=users)
        assert self.runner.spawning_greenlet is not None
        self.runner.spawning_greenlet.join()

    def wait_until(self, true: Callable[[], bool], what: str, within: float = 20.0) -> None:
        """Let the hub run until something is so; AssertionError names what was waited for."""
        with gevent.Timeout(within, AssertionError(f"waited {within} s for: {what}")):
            while not true():
                gevent.sleep(0.005)

    def when_stopping(self, action: Callable[[], object]) -> None:
        """Do this as soon as every user was asked to end."""
        users = [greenlet.args[0] for greenlet in self.runner.user_greenlets]

        def wait() -> None:
            while not all(user._state == LOCUST_STATE_STOPPING for user in users):
                gevent.sleep(0.005)
            action()

        gevent.spawn(wait)

    def stop(self) -> None:
        self.runner.stop()
        assert self.queue.flush()

    def close(self) -> None:
        self.runner.quit()
        self.queue.close()
        self.loop.stop()


@contextmanager
def stage(*classes: type[Any], store: Any = None) -> Iterator[Stage]:
    """A stage for these user classes, taken down afterwards."""
    made = Stage(list(classes), store if store is not None else CountingStore())
    try:
        yield made
    finally:
        made.close()
