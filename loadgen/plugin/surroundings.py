"""What Locust's own process needs where gevent has not patched it."""

import contextlib
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
import psutil
from locust.exception import StopTest
from locust.runners import STATE_INIT, locust_exception_handler

CANNOT_START = 2
"""Exit code for wrong settings and for what could not start."""


class _Instead:
    """A module with some of its functions replaced, for the eyes of one other module."""

    def __init__(self, module: ModuleType, **replaced: Any) -> None:
        self._module = module
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the module's own."""
        return getattr(self._module, name)


def repair_locust_main(interrupt: "Interrupt", runner: Any) -> None:
    """Let Locust's main module wait and reap children the way its hub needs it; nobody else's `time` or `os` changes.

    Unpatched, its `time.sleep` while it waits for workers would stall the hub, so that no worker is ever seen, and its
    `os.waitpid` would ask for children that gevent has already reaped. SIGTERM, with which a container is ended, counts
    as Ctrl-C until Locust listens to it itself, which is not before a plan of phases is over. A master whose workers do
    not come could not start: Locust would give that the code of a run that failed. Idempotent.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        gevent.signal_handler(signal.SIGINT, interrupt)
    hub = gevent.get_hub()
    hub.NOT_ERROR = (*hub.NOT_ERROR, KeyboardInterrupt, StopTest)  # Locust tells of both; the hub need not
    locust.main.time = _Instead(time, sleep=_sleep)
    locust.main.os = _Instead(os, waitpid=gevent.os.waitpid)
    locust.main.sys = _Instead(sys, exit=partial(_exit, runner))
    if not isinstance(locust.main.gevent, _Instead):
        ours = gevent.signal_handler(signal.SIGTERM, interrupt)
        locust.main.gevent = _Instead(gevent, signal_handler=partial(_hand_over, ours))


def _exit(runner: Any, code: int = 0) -> NoReturn:
    """End as Locust asks; before anything has begun, failing is not to be able to start."""
    if code == 1 and runner is not None and runner.state == STATE_INIT:
        leave("The run did not begin: see the log above.", CANNOT_START)
    sys.exit(code)


def _hand_over(ours: Any, number: int, listener: Callable[[], None]) -> Any:
    """Put Locust's own listener in place of ours."""
    ours.cancel()
    return gevent.signal_handler(number, listener)


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
    """End the run as Locust does where a greenlet of its own raises StopTest. Returns at once."""

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

    @property
    def came(self) -> bool:
        """True once somebody has pressed Ctrl-C: he waits for the end."""
        return self._since > -math.inf

    def __call__(self) -> None:
        """Raise KeyboardInterrupt, which gevent hands on."""
        now = time.monotonic()
        if now - self._since >= self.PATIENCE:
            self._since = now
            raise KeyboardInterrupt


def _sleep(seconds: float) -> None:
    """Sleep on the hub; Ctrl-C while Locust waits for its workers ends the process without a traceback."""
    try:
        gevent.sleep(seconds)
    except KeyboardInterrupt:
        leave("Interrupted before the run began.", 130)


def leave(message: str, code: int = 2) -> NoReturn:
    """Print one message without a traceback and end the process at once.

    Threads may still load rows. An orderly end of the interpreter would stop them within native code, which now and
    then aborts the process (SIGABRT in place of the exit code). The embedded server ends with the process anyway.
    """
    sys.stdout.flush()
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
    logging.shutdown()
    _end_twins()
    os._exit(code)


def _end_twins() -> None:
    """End the processes that Locust's --processes has forked from this one; its own `kill_workers` overlooks them."""
    this = psutil.Process()
    for child in this.children():
        with contextlib.suppress(psutil.Error):
            if child.cmdline() == this.cmdline():
                child.terminate()
