"""Start, interruption and end of the process of a `locust` command."""

import logging
import math
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import gevent
import locust
import locust.main
from locust.runners import STATE_INIT

from loadgen.control.exit_codes import INTERRUPTED
from loadgen.locust_plugin import patches
from loadgen.locust_plugin.coordination import identity
from loadgen.locust_plugin.coordination.master_watch import MasterWatch
from loadgen.locust_plugin.display.terminal import find_shown
from loadgen.locust_plugin.stats_bounds import keep_bounded
from loadgen.locust_plugin.wrapping import Instead
from loadgen.runtime.child_processes import ForkGroup
from loadgen.runtime.early_exit import leave
from loadgen.runtime.patching import is_locust_command
from loadgen.runtime.start_errors import CANNOT_START, guard_start, unguard_arguments
from loadgen.settings.faults import Fault, SettingsError
from loadgen.text.plain_text import clean_logs

READY_WITHIN = 180.0
"""Seconds that users wait for their process to be ready."""

logger = logging.getLogger("loadgen")


def prepare_process(check: Callable[[Any], None]) -> None:
    """From the first `plug` on: errors before a run are reported in one line, and workers end with their parent.

    `check` gets the command's options as soon as Locust has parsed them, before a process is forked, a port opened or
    anything loaded. Changes only the names in Locust's main module. Idempotent.
    """
    guard_start()
    if isinstance(locust.main.sys, Instead):
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # until `adopt_runner` listens to it
        signal.signal(signal.SIGTERM, _leave_at_once)
    start = _Start(check)
    patches.sleep_on_hub(_sleep)
    patches.exit_through(start.exit)
    patches.fork_through(start.fork)
    patches.check_options(require_plug, start.take)
    patches.refuse_pytest_files(_refuse_without_users)
    patches.set_up_logging(lambda: clean_logs(find_shown()))


def prepare_runners(is_ready: Callable[[Any], bool]) -> None:
    """Before Locust creates a runner; `is_ready(environment)`: whether a worker may start its users. Idempotent."""
    patches.count_time_steadily()
    patches.list_arguments_once()
    patches.remember_absences()
    patches.wait_before_users(partial(_await_ready, is_ready))
    patches.end_retries(MasterWatch().check)


def adopt_runner(interrupt: "Interrupt", runner: Any, decide: Callable[[int], int]) -> None:
    """Handle signals and the end of the process, now that Locust has created its runner. Idempotent.

    Until the runner has begun, a start error ends the process with one line. SIGTERM, which ends a container, acts
    like Ctrl-C. A master without workers counts as a start error: Locust would exit as for a failed run. `decide`
    determines the exit code, even if a listener has set another.
    """
    unguard_arguments()
    gevent.spawn(keep_bounded, runner.stats)
    patches.carry_interrupts(interrupt)
    patches.quiet_hub()
    patches.sleep_on_hub(_sleep)
    patches.exit_through(partial(_exit, runner, decide))
    patches.take_sigterm(interrupt, interrupt.note)
    if is_locust_command():
        guard_start().has_begun = lambda: runner.state != STATE_INIT


def require_plug() -> None:
    """Raise SettingsError if no imported locustfile has called `plug`."""
    if not hasattr(locust.events, "loadgen"):
        hint = "Add `from locust import events` and `plug(events)`."
        raise SettingsError([Fault("locustfile", "", "never calls plug(events), so there are no settings", hint)])


def ignore_signals() -> None:
    """Ignore Ctrl-C and SIGTERM, with which Locust would cut the end of a run short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


class Interrupt:
    """Raises Ctrl-C in the main greenlet: Python would raise it in whichever greenlet happens to run, and kill it.

    Once: a second one while the users finish would lose the tables. After `PATIENCE` seconds it counts again.

    A worker forked by `--processes` leaves the end to its master for `MASTER_FIRST` seconds: a terminal signals the
    whole process group, and a worker that ends before its master would count as lost under load.
    """

    PATIENCE = 10.0
    MASTER_FIRST = 5.0

    def __init__(self, later: Callable[[float, Callable[[], None]], object] = gevent.spawn_later) -> None:
        self._later = later
        self._since = -math.inf
        self.number = 0
        """The number of the first signal; 0 before."""

    @property
    def came(self) -> bool:
        """True once someone has requested the end, and waits for it."""
        return self.number != 0

    @property
    def code(self) -> int:
        """The exit code of a process that it ends before the run began."""
        return INTERRUPTED + (self.number or signal.SIGINT)

    def note(self, number: int) -> None:
        """Note a signal."""
        self.number = self.number or number

    def __call__(self, number: int = signal.SIGINT) -> None:
        """Raise KeyboardInterrupt, which gevent passes on."""
        is_first = not self.came
        self.note(number)
        now = time.monotonic()
        if now - self._since < self.PATIENCE:
            return
        self._since = now
        if is_first and identity.forked_by_master:
            self._later(self.MASTER_FIRST, _raise)
        else:
            _raise()


def _raise() -> None:
    raise KeyboardInterrupt


class _Start:
    """Functions that Locust's main module calls before it has a runner."""

    def __init__(self, check: Callable[[Any], None]) -> None:
        self._check = check
        self._family = ForkGroup()
        self._only_waits = False
        """True in a process that only forks workers: it ends as they do."""

    def take(self, options: Any) -> None:
        """Check the options of the command."""
        self._only_waits = bool(options.processes and options.worker)
        self._check(options)

    def fork(self) -> int:
        """As `gevent.fork`, with a child that ends with this process."""
        pid = self._family.fork()
        if not pid:
            identity.forked_by_master = not self._only_waits
        self._only_waits &= bool(pid)
        return pid

    def exit(self, code: int = 0) -> NoReturn:
        """End as Locust requests; it has logged the start error in one line."""
        if code in (1, -1) and not self._only_waits:
            leave("", CANNOT_START)
        sys.exit(code)


def _exit(runner: Any, decide: Callable[[int], int], code: int = 0) -> NoReturn:
    """End as Locust requests; before anything has begun, a failure is a start error."""
    code = decide(code)
    if code in (1, -1) and runner is not None and runner.state == STATE_INIT:
        leave("The run did not begin: see the log above.", CANNOT_START)
    sys.exit(code)


def _leave_at_once(number: int, _frame: object) -> NoReturn:
    """End as Ctrl-C does while a locustfile is loaded; forked workers print nothing."""
    leave("" if identity.forked_by_master else "Interrupted before the run began.", INTERRUPTED + number)


def _refuse_without_users(path: str) -> NoReturn:
    hint = "Derive one from loadgen.AsyncUser or loadgen.SyncUser, with a @task."
    raise SettingsError([Fault("locustfile", path, "has no user class", hint)])


def _sleep(seconds: float) -> None:
    """Sleep on the hub; Ctrl-C while Locust waits for its workers ends the process without a traceback."""
    try:
        gevent.sleep(seconds)
    except KeyboardInterrupt:
        leave("Interrupted before the run began.", INTERRUPTED + signal.SIGINT)


def _await_ready(is_ready: Callable[[Any], bool], environment: Any) -> bool:
    with gevent.Timeout(READY_WITHIN, False):
        while not is_ready(environment):
            gevent.sleep(0.02)
    if is_ready(environment):
        return True
    logger.error("No users were started: this worker was not ready within %g s", READY_WITHIN)
    return False
