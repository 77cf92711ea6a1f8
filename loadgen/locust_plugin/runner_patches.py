"""Workarounds for Locust's runners, each with what it works around. See `main_patches` for those of its main module."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import gevent
import locust.runners
import locust.stats
from locust.exception import StopTest
from locust.runners import STATE_MISSING, STATE_STOPPING, MasterRunner, WorkerRunner

from loadgen.locust_plugin.main_patches import Instead

READY_WITHIN = 180.0
"""Seconds that users wait for their process to be made ready."""

logger = logging.getLogger("loadgen")


def mend_runners(is_ready: Callable[[Any], bool]) -> None:
    """All that has to be other before Locust makes a runner; `is_ready(environment)` says whether users may start."""
    count_time_steadily()
    remember_absences()
    wait_before_users(is_ready)


def count_time_steadily() -> None:
    """Give Locust's runners and tables a steady clock: Unix time when this is called, monotonic from there on.

    With the machine's, a step back leaves `shape_worker` asleep for as long between two ticks while the users go on,
    and has workers discard the users of each further phase as older than those before; one forward has
    `heartbeat_timeout_checker` end every worker; the rates of `StatsEntry` are of an hour in either case. No process
    compares its readings with those of another. Idempotent.
    """
    if isinstance(locust.runners.time, Instead):
        return
    ahead = time.time() - time.monotonic()
    steady = Instead(time, time=lambda: ahead + time.monotonic())
    for module in (locust.runners, locust.stats):
        vars(module)["time"] = steady


class RememberedNode(locust.runners.WorkerNode):
    """A worker as its master knows it, which remembers how often it was missing.

    Locust sets a worker that says nothing for three heartbeats to `missing`, and back with the next one, which may come
    a millisecond later: whoever looks at the state from time to time does not see that it was away for seconds.
    """

    absences: ClassVar[Counter[str]] = Counter()
    """How often each was missing, by its id: Locust makes a new node of one that says again that it is ready."""

    @property
    def state(self) -> str:
        """Locust's name of the state."""
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        if state == STATE_MISSING:
            self.absences[self.id] += 1
        self._state = state


def remember_absences() -> None:
    """Have masters make their workers of that class. Idempotent."""
    vars(locust.runners)["WorkerNode"] = RememberedNode


def wait_before_users(is_ready: Callable[[Any], bool]) -> None:
    """Have every worker start users only where `is_ready(environment)`; before Locust makes a runner. Idempotent.

    Locust sends a worker its users as soon as it has connected, which can be before `events.init` is fired there: then
    `test_start` has no listener yet, and users would be made in a process that has no stores. `start_worker` runs in a
    greenlet that a later message about users replaces, so waiting in it holds up nothing else.
    """
    original = WorkerRunner.start_worker
    if getattr(original, "waits", False):
        return

    def start_worker(self: Any, user_classes_count: dict[str, int], **kwargs: Any) -> None:
        with gevent.Timeout(READY_WITHIN, False):
            while not is_ready(self.environment):
                gevent.sleep(0.02)
        if is_ready(self.environment):
            original(self, user_classes_count, **kwargs)
        else:
            logger.error("No users were started: this worker was not made ready within %g s", READY_WITHIN)

    start_worker.waits = True  # type: ignore[attr-defined]
    WorkerRunner.start_worker = start_worker  # type: ignore[method-assign] # a patch


def leave_workers_to_coordinator(runner: Any, is_held: Callable[[], bool], has_plan: Callable[[], bool]) -> None:
    """Keep a master from ending a run because its last worker went missing, or from moving users, while `is_held()`.

    `MasterRunner.heartbeat_worker` and its handling of `quit` stop the test as soon as no worker is left, although a
    worker that missed three heartbeats comes back a second later; `check_stopped` then calls the run stopped. The
    coordinator waits for a replacement instead and ends the run itself. Where a worker leaves or joins, they start the
    users anew as well: beside the load shape's own start, so that both dispatch at the same time, and in the greenlet
    that should hear the workers. In a plan the next phase takes those that are there.
    """
    start, stop, quit_, check_stopped = runner.start, runner.stop, runner.quit, runner.check_stopped

    def is_locusts_own() -> bool:
        return getattr(gevent.getcurrent(), "_run", None) in (runner.heartbeat_worker, runner.client_listener)

    def held_start(*args: Any, **kwargs: Any) -> None:
        if is_locusts_own() and is_held() and has_plan():
            return
        _start(start, *args, **kwargs)

    def held_stop(*args: Any, **kwargs: Any) -> None:
        if not (is_locusts_own() and is_held() and runner.worker_count <= 0):
            stop(*args, **kwargs)

    def held_quit() -> None:
        if not (is_locusts_own() and is_held() and runner.worker_count <= 0):
            quit_()

    def held_check_stopped() -> None:
        if runner.state == STATE_STOPPING or not is_held():
            check_stopped()

    runner.start, runner.stop, runner.quit, runner.check_stopped = held_start, held_stop, held_quit, held_check_stopped


def _start(start: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    """Start a master; StopTest is one line of the log, as its page starts it in a greenlet that does not know it."""
    told = ""
    try:
        start(*args, **kwargs)
    except StopTest as error:
        told = str(error)
    if told:
        logger.error("%s", told)


def keep_users_to_plan(runner: Any) -> None:
    """While there is a plan of phases, have its load shape alone start users.

    In a terminal Locust's `input_listener` takes w, W, s and S for one or ten users more or less. They would be users
    of every class, in the middle of a phase that says it has others, or without any run.
    """
    start = runner.start

    def held_start(*args: Any, **kwargs: Any) -> None:
        if runner.environment.shape_class is None or gevent.getcurrent() is runner.shape_greenlet:
            start(*args, **kwargs)
        else:
            logger.warning("The users of a plan of phases cannot be changed. Use --mode sync or --mode async for that")

    runner.start = held_start


def keep_runs_apart(events: Any, is_of_run: Callable[[Mapping[str, Any]], bool]) -> None:
    """Leave out of a master's table what a worker reports that is not of its run; `is_of_run` is given the report.

    A worker that was away while its run ended sends the rest of it when it is back, in the middle of the next run, and
    Locust's own listener adds whatever comes. It was the first; hooks have no other way to come before it.
    """

    def look(data: dict[str, Any], **_: Any) -> None:
        if not is_of_run(data):
            nothing = locust.stats.RequestStats()
            data |= {"stats": [], "errors": {}, "stats_total": nothing.total.get_stripped_report()}

    events.worker_report._handlers.insert(0, look)  # noqa: SLF001


def dispatch_anew(runner: Any) -> None:
    """Have a master spread the users of its next start over the workers that are there then; while it has no users.

    Its dispatcher keeps what it believes of each worker, also of one that went missing and came back.
    """
    if isinstance(runner, MasterRunner):
        runner._users_dispatcher = None  # noqa: SLF001


class QuitNote:
    """Whether the master has told this worker to quit; a worker that ends without that has failed."""

    def __init__(self, runner: Any) -> None:
        self.came = False
        self._original = runner.handle_message
        runner.handle_message = self._handle

    def _handle(self, msg: Any) -> None:
        self.came = self.came or msg.type == "quit"
        self._original(msg)
