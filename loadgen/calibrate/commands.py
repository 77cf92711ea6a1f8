"""A command of a calibration: run to its end, or ended with the calibration."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Timer

PHASE = re.compile(r"Phase (\d+) of \d+")
STOP_WITHIN = 10.0


class CalibrationError(Exception):
    """A command failed; the text is its own message."""


def run_command(
    command: Sequence[str], folder: Path, seconds: float, on_phase: Callable[[int], object] = lambda _number: None
) -> tuple[int, str, str]:
    """Run it in a folder, for that long at most, without settings of the environment.

    Calls `on_phase` with the number of each phase, from 1, as it begins. Returns the exit code, standard output, and
    the last lines of standard error.
    """
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LOADGEN_", "LOCUST_"))}
    output = folder / "output"
    lines: list[str] = []
    with (
        output.open("w") as out,
        subprocess.Popen(  # noqa: S603 - the command is this package's own
            command,
            cwd=folder,
            env=clean | {"NO_COLOR": "1", "LOADGEN_METRICS_PORT": "off"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process,
        _ended(process, seconds),
    ):
        for line in process.stderr or ():
            lines.append(line)
            if reported := PHASE.search(line):
                on_phase(int(reported[1]))
    return process.returncode, output.read_text(), "".join(lines[-20:])


class _ended:  # noqa: N801 - reads as a word in the `with`
    """Ends a process with the block, or after some seconds at the latest."""

    def __init__(self, process: "subprocess.Popen[str]", seconds: float) -> None:
        self._process = process
        self._timer = Timer(seconds, self._end, [signal.SIGKILL])

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        try:
            if kind is not None:
                self._end(signal.SIGTERM)
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)
