"""A command of the user's, run by a shell: its exit code and its last lines."""

import contextlib
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import IO

LINES = 10
"""Last lines that are kept."""
LONGEST_LINE = 500
LOOK = 0.02
RUN = 'exec 9>&0 </dev/null; (exec 9>&-; exec /bin/sh -c "$1"); code=$?; echo $code >&9; exit $code'
"""Writes the exit code to the pipe that it finds as its input: gevent may take that of the process. A shell need not
know files above 9."""
OUTPUT_WITHIN = 1.0
"""Seconds for the last lines of a command that has ended: a process that it left behind may hold its output open."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended."""

    exit_code: int | None
    """As the shell returns it, negative for a signal; None: it was killed because it took too long."""
    lines: tuple[str, ...]


def run_command(text: str, within: float, is_over: Callable[[], bool] = lambda: False) -> CommandResult:
    """Run a command and wait for it; it is killed with its children after `within` seconds, or when `is_over`. Blocks.

    Raises OSError if there is no shell.
    """
    ended, ending = os.pipe()
    process = subprocess.Popen(  # noqa: S603 - the command is the user's own, from flags or a file
        ["/bin/sh", "-c", RUN, "sh", text],
        stdin=ending,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    lines: deque[str] = deque(maxlen=LINES)
    os.close(ending)
    reader = threading.Thread(target=_read, args=(process.stdout, lines), name="loadgen-command", daemon=True)
    reader.start()
    end, wait = perf_counter() + within, threading.Event().wait  # time.sleep may be gevent's
    while process.poll() is None and perf_counter() < end and not is_over():
        wait(LOOK)
    code = process.poll()
    if code is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    reader.join(OUTPUT_WITHIN)
    with os.fdopen(ended) as reported:
        shown = reported.read().strip() if code is not None else ""
    return CommandResult(int(shown) if shown else code, tuple(lines))


def _read(output: IO[bytes] | None, lines: "deque[str]") -> None:
    if output is None:
        return
    with output, contextlib.suppress(OSError, ValueError):
        while line := output.readline(64 * LONGEST_LINE):
            lines.append(line.decode(errors="replace").rstrip()[:LONGEST_LINE])
