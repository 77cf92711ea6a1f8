"""The end of a process that could not start."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from loadgen.text.plain_text import lines

SECONDS_TO_END = 2.0
"""How long the workers that were forked here may take to end, before they are killed."""


_last_steps: list[Callable[[], object]] = []


def before_leaving(step: Callable[[], object]) -> Callable[[], None]:
    """Register a function that `leave` calls first; returns a function that unregisters it."""
    _last_steps.append(step)

    def forget() -> None:
        with contextlib.suppress(ValueError):
            _last_steps.remove(step)

    return forget


def leave(message: str, code: int = 2) -> NoReturn:
    """Print one message without a traceback and end the process immediately, after the workers that it forked.

    Threads may still load rows. An orderly end of the interpreter would stop them within native code, which now and
    then aborts the process (SIGABRT in place of the exit code). The embedded server ends with the process anyway.
    """
    with contextlib.suppress(Exception):
        _end_twins()  # they log their end before the message
    with contextlib.suppress(OSError, ValueError):  # the reader of the output may be gone
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{lines(message)}\n" if message else "")
        sys.stderr.flush()
    for step in tuple(_last_steps):
        with contextlib.suppress(Exception):
            step()
    logging.shutdown()
    os._exit(code)


def _end_twins() -> None:
    """End the processes that Locust's --processes forked from this one; Locust's `kill_workers` misses them.

    So none of them outlives this process or has to detect that its master is gone.
    """
    import psutil

    this = psutil.Process()
    twins = []
    for child in this.children():
        with contextlib.suppress(psutil.Error):
            if child.cmdline() == this.cmdline():
                child.terminate()
                twins.append(child)
    for late in psutil.wait_procs(twins, SECONDS_TO_END)[1]:
        with contextlib.suppress(psutil.Error):
            late.kill()
