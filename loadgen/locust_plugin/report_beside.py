"""The report next to a record, rendered by a separate process."""

import subprocess
import sys
from pathlib import Path

PATIENCE = 15.0
"""Maximum seconds that the end of a run waits for its report: it takes two, far more on a loaded machine."""
HURRY = 0.5
"""Maximum seconds after Ctrl-C."""
SUFFIXES = {"html": ".html", "markdown": ".md"}


def find_report(record: Path, form: str) -> Path:
    """The path of the report next to a record."""
    return record.with_suffix(SUFFIXES[form])


def write_beside(record: Path, form: str, *, hurry: bool = False) -> str:
    """Write the report of a record next to it; returns a line with its path, or with why there is none.

    Neither a failing nor a slow report affects the end of the run: a slow one continues in a new session, out of reach
    of Ctrl-C. Blocks: call it in a thread.
    """
    path = find_report(record, form)
    command = [sys.executable, "-m", "loadgen.cli.report", str(record), "--format", form, "--output", str(path)]
    again = f"loadgen report {record}"
    try:
        drawing = subprocess.Popen(  # noqa: S603 - this interpreter, and a record that it wrote
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        _, said = drawing.communicate(timeout=HURRY if hurry else PATIENCE)
    except subprocess.TimeoutExpired:
        return f"Report: {path} is still being rendered; if it does not appear: {again}"
    except OSError as error:
        return f"No report: {error}. Try {again}"
    if drawing.returncode or not path.exists():  # gevent may have taken the exit code
        last = (said.strip().splitlines() or ["it gave no reason"])[-1]
        return f"No report: {last}. Try {again}"
    return f"Report: {path}"
