"""What Locust's own process needs where gevent has not patched it."""

import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NoReturn

import gevent
import gevent.os
import locust.main
from locust.exception import StopTest
from locust.runners import STATE_INIT, locust_exception_handler

from loadgen.control.exit_codes import INTERRUPTED
from loadgen.locust_plugin import identity
from loadgen.locust_plugin.display import find_handlers
from loadgen.runtime.guarding import CANNOT_START, guard_start, unguard_arguments
from loadgen.runtime.leaving import leave
from loadgen.runtime.orphans import Family
from loadgen.runtime.patching import is_locust_command
from loadgen.settings.faults import Fault, SettingsError
from loadgen.text.plain_text import clean_logs

__all__ = [
    "CANNOT_START",
    "Instead",
    "Interrupt",
    "ignore_signals",
    "leave",
    "prepare_locust_main",
    "quiet_phases",
    "repair_locust_main",
    "require_plug",
]


class Instead:
    """A module with some of its functions replaced, for the eyes of one other module."""

    def __init__(self, module: "ModuleType | Instead", **replaced: Any) -> None:
        self._module = module
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the module's own."""
        return getattr(self._module, name)

    def replaces(self, name: str) -> bool:
        """Whether this function is one of ours."""
        return name in self.__dict__


def prepare_locust_main(check: Callable[[Any], None]) -> None:
    """From the first `plug` on: what goes wrong before a run ends in one line, and workers end with their parent.

    `check` takes the command's options as soon as Locust has read them, when no process is forked, no port taken and
    nothing loaded. Changes nothing but what Locust's main module sees. Idempotent.
    """
    guard_start()
    if isinstance(locust.main.sys, Instead):
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # until `repair_locust_main` listens to it
        signal.signal(signal.SIGTERM, _leave_at_once)
    start = _Start(check)
    vars(locust.main).update(
        time=Instead(time, sleep=_sleep),
        os=Instead(os, waitpid=gevent.os.waitpid),
        sys=Instead(sys, exit=start.exit),
        gevent=Instead(gevent, fork=start.fork),
        get_parser=partial(start.get_parser, locust.main.get_parser),
        load_locustfile_pytest=_refuse_without_users,
        setup_logging=partial(_setup_logging, locust.main.setup_logging),
    )


def _setup_logging(original: Callable[..., None], *given: Any) -> None:
    """As Locust's, with logs that show no character that a terminal would obey, from the first line on."""
    original(*given)
    clean_logs(find_handlers())


def _leave_at_once(number: int, _frame: object) -> NoReturn:
    """End as Ctrl-C does while a locustfile is loaded; workers that were forked meanwhile have nothing to add."""
    leave("" if identity.forked_by_master else "Interrupted before the run began.", INTERRUPTED + number)


def _refuse_without_users(path: str) -> NoReturn:
    """Where no locustfile has a user class Locust would look for tests of pytest, whose users cannot run here."""
    way_out = "Derive one from loadgen.AsyncUser or loadgen.SyncUser, with a @task."
    raise SettingsError([Fault("locustfile", path, "has no user class", way_out)])


def require_plug() -> None:
    """Raise SettingsError where no locustfile that was imported has called `plug`."""
    if not hasattr(locust.events, "loadgen"):
        way_out = "Add `from locust import events` and `plug(events)`."
        raise SettingsError([Fault("locustfile", "", "calls no plug(events), so there are no settings", way_out)])


class _Start:
    """What Locust's main module calls before it has a runner."""

    def __init__(self, check: Callable[[Any], None]) -> None:
        self._check = check
        self._family = Family()
        self._only_waits = False
        """True in a process that forks workers and has nothing else to do: it ends as they do."""

    def get_parser(self, original: Callable[[], Any]) -> Any:
        """Locust's parser; the result is checked immediately."""
        require_plug()
        parser = original()
        parse = parser.parse_args

        def parse_args(*given: Any, **named: Any) -> Any:
            options = parse(*given, **named)
            self._only_waits = bool(options.processes and options.worker)
            self._check(options)
            return options

        parser.parse_args = parse_args
        return parser

    def fork(self) -> int:
        """As `gevent.fork`, with a child that ends when this process is gone."""
        pid = self._family.fork()
        if not pid:
            identity.forked_by_master = not self._only_waits
        self._only_waits &= bool(pid)
        return pid

    def exit(self, code: int = 0) -> NoReturn:
        """End as Locust asks; what it could not start with it has logged in one line."""
        if code in (1, -1) and not self._only_waits:
            leave("", CANNOT_START)
        sys.exit(code)


def repair_locust_main(interrupt: "Interrupt", runner: Any, decide: Callable[[int], int]) -> None:
    """Let Locust's main module sleep and reap children as its hub requires; `time` and `os` elsewhere stay unchanged.

    What could not start ends the process in one line until the runner has begun. Unpatched, Locust's `time.sleep` while
    it waits for workers would stall the hub, so that no worker is ever seen, and its `os.waitpid` would ask for
    children that gevent has already reaped. SIGTERM, with which a container is ended, counts as Ctrl-C until Locust
    listens to it itself, which is not before a plan of phases is over. A master whose workers do not come could not
    start: Locust would give that the code of a run that failed. `decide` has the last word on the exit code, also where
    a listener has set another. Idempotent.
    """
    unguard_arguments()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        gevent.signal_handler(signal.SIGINT, interrupt, signal.SIGINT)
    hub = gevent.get_hub()
    hub.NOT_ERROR = (*hub.NOT_ERROR, KeyboardInterrupt, StopTest)  # Locust tells of both; the hub need not
    vars(locust.main).update(
        time=Instead(time, sleep=_sleep),
        os=Instead(os, waitpid=gevent.os.waitpid),
        sys=Instead(sys, exit=partial(_exit, runner, decide)),
    )
    known = locust.main.gevent
    if not (isinstance(known, Instead) and known.replaces("signal_handler")):
        ours = gevent.signal_handler(signal.SIGTERM, interrupt, signal.SIGTERM)
        locust.main.gevent = Instead(known, signal_handler=partial(_hand_over, interrupt, ours))
    if is_locust_command():
        guard_start().has_begun = lambda: runner.state != STATE_INIT


def _exit(runner: Any, decide: Callable[[int], int], code: int = 0) -> NoReturn:
    """End as Locust asks; before anything has begun, failing is not to be able to start."""
    code = decide(code)
    if code in (1, -1) and runner is not None and runner.state == STATE_INIT:
        leave("The run did not begin: see the log above.", CANNOT_START)
    sys.exit(code)


def _hand_over(interrupt: "Interrupt", ours: Any, number: int, listener: Callable[[], None]) -> Any:
    """Put Locust's own listener in place of ours, which still takes note."""
    ours.cancel()

    def note_and_listen() -> None:
        interrupt.note(number)
        listener()

    return gevent.signal_handler(number, note_and_listen)


def ignore_signals() -> None:
    """Let neither Ctrl-C nor SIGTERM, which Locust would take as another order to end, cut the end of a run short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def quiet_phases() -> None:
    """Leave out the five lines that Locust logs for each phase of a plan; one of ours says it. Idempotent."""
    logger = logging.getLogger("locust.runners")
    if not any(isinstance(found, _NoRamping) for found in logger.filters):
        logger.addFilter(_NoRamping())


class _NoRamping(logging.Filter):
    """Drops the lines about spawning; warnings stay."""

    STARTS = ("Ramping to", "All users spawned", "Shape ", "Sending spawn jobs")

    def filter(self, record: logging.LogRecord) -> bool:
        """True for what is to be shown."""
        return record.levelno > logging.INFO or not record.getMessage().startswith(self.STARTS)


def stop_test(environment: Any, error: StopTest) -> None:
    """End the run as Locust does if one of its greenlets raises StopTest. Returns immediately."""

    def fail() -> NoReturn:
        raise error

    gevent.spawn(fail).link_exception(locust_exception_handler(environment))


class Interrupt:
    """Carries Ctrl-C to the main greenlet: left to Python it would hit whichever greenlet happens to run, and kill it.

    Once: a second one while the users finish would cost the tables. After `PATIENCE` seconds it counts again.
    """

    PATIENCE = 10.0

    def __init__(self) -> None:
        self._since = -math.inf
        self.number = 0
        """Of the first signal that came; 0 before."""

    @property
    def came(self) -> bool:
        """True once somebody has asked for the end: he waits for it."""
        return self.number != 0

    @property
    def code(self) -> int:
        """The exit code of a process that it ends before the run began."""
        return INTERRUPTED + (self.number or signal.SIGINT)

    def note(self, number: int) -> None:
        """A signal came."""
        self.number = self.number or number

    def __call__(self, number: int = signal.SIGINT) -> None:
        """Raise KeyboardInterrupt, which gevent hands on."""
        self.note(number)
        now = time.monotonic()
        if now - self._since >= self.PATIENCE:
            self._since = now
            raise KeyboardInterrupt


def _sleep(seconds: float) -> None:
    """Sleep on the hub; Ctrl-C while Locust waits for its workers ends the process without a traceback."""
    try:
        gevent.sleep(seconds)
    except KeyboardInterrupt:
        leave("Interrupted before the run began.", INTERRUPTED + signal.SIGINT)
