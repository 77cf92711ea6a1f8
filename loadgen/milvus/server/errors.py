"""Errors of a server that does not run, and the lines of its log that explain them."""

from pathlib import Path

LINES = 5
WIDTH = 300
REASONS = ("panic:", "fatal error:", "Traceback ", "F20")
"""Beginnings of the line with the reason: Go's panics precede goroutine lists, glog's fatal lines start with F20."""


class ServerError(RuntimeError):
    """The server did not start or has ended. The text says what happened and where the log is."""


class RefusedError(ServerError):
    """The request cannot be met (busy port, folder not writable, wheel missing); nothing was started."""


class PortTakenError(ServerError):
    """Another process took one of the server's ports between its choice and the start."""


def describe_failure(what: str, log: Path) -> str:
    """`what`, the log's path, and the lines of the log that matter most."""
    lines = pick_lines(log)
    return "\n".join(
        [f"{what}; its log is {log}" + (", which ends:" if lines else ""), *(f"  {line}" for line in lines)]
    )


def pick_lines(log: Path) -> list[str]:
    """The last panic in the log and what follows, or the last lines; long lines are truncated. Empty without a log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    lines = [line.rstrip() for line in lines if line.strip()]
    reasons = [number for number, line in enumerate(lines) if line.startswith(REASONS)]
    traceback = bool(reasons) and lines[reasons[-1]].startswith("Traceback ")
    first = reasons[-1] if reasons and not traceback else max(0, len(lines) - LINES)
    return [line if len(line) <= WIDTH else line[: WIDTH - 3] + "..." for line in lines[first : first + LINES]]
