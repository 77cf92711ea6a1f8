"""The report next to the record, drawn by a separate process: no plotting in the one that measures."""

import subprocess
import sys
from pathlib import Path

PATIENCE = 15.0
"""Seconds that the end of a run waits for its report at most: it takes two, far more on a loaded machine."""
HURRY = 0.5
"""Seconds that it waits after Ctrl-C."""
SUFFIXES = {"html": ".html", "markdown": ".md"}


def write_beside(record: Path, form: str, *, hurry: bool = False) -> str:
    """Have the report of a record written next to it; returns a line that says where it is, or why it is not.

    Neither a report that fails nor one that takes too long changes how the run ends: a slow one goes on by itself, in
    a new session, so Ctrl-C does not reach it. Blocks: call it in a thread.
    """
    path = record.with_suffix(SUFFIXES[form])
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
        return f"Report: {path} is still being drawn; if it does not come: {again}"
    except OSError as error:
        return f"No report: {error}. Try {again}"
    if drawing.returncode or not path.exists():  # gevent may have taken the exit code
        last = (said.strip().splitlines() or ["it gave no reason"])[-1]
        return f"No report: {last}. Try {again}"
    return f"Report: {path}"
