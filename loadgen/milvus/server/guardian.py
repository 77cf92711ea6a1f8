"""The process between a run and its server, which ends the server once the run is gone, however it ended.

`python -m loadgen.milvus.server.guardian --line FD --log FILE ... -- COMMAND` starts the command and waits for the end
of the line: a pipe whose other end is open only in the run, so that the system closes it even when the run is killed.
It imports nothing heavy, so it is ready before the server.
"""

import argparse
import contextlib
import ctypes
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from loadgen.milvus.server.line import END, GRACE, KEEP

PR_SET_PDEATHSIG = 1
PAUSE = 0.2


def main() -> int:
    """Guard one server to its end; 0 if the run ended it, 1 if it ended by itself or never started."""
    given = _parse()
    signals: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        signals.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, note)
    try:
        process = start(given.command, given.log)
    except OSError as error:
        note_end(given.log, f"{given.command[0]} could not be started ({error})")
        return 1
    keep = False
    while process.poll() is None and not signals:
        if select.select([given.line], [], [], PAUSE)[0]:
            said = os.read(given.line, 1)
            keep = keep or said == KEEP
            if said in (END, b""):
                break
    by_itself = process.poll() is not None
    end_group(process)
    if by_itself:
        code = process.returncode
        note_end(given.log, "The server ended by itself, " + (f"exit code {code}" if code >= 0 else f"signal {-code}"))
    for path in given.litter:
        Path(path.format(pid=process.pid)).unlink(missing_ok=True)
    if given.remove and not (keep or by_itself):
        shutil.rmtree(given.remove, ignore_errors=True)
    return int(by_itself)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--line", type=int, required=True, help="file descriptor; its end is the end of the run")
    parser.add_argument("--log", type=Path, required=True, help="takes the command's output")
    parser.add_argument("--remove", type=Path, help="folder to remove when the run is over and all went well")
    parser.add_argument("--litter", action="append", default=[], help="file to remove; {pid} is the command's")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def start(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    """Run the command in a new process group, so its children can be ended with it.

    On Linux it dies with this process, more exactly with the thread that calls this, which has to be the main thread.
    Elsewhere a guardian that is killed with SIGKILL leaves it behind.
    """
    guardian = os.getpid()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def bind_to_guardian() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # Milvus aborts at the end of an orderly stop
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != guardian:
                os._exit(1)

    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the command is this package's own
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=bind_to_guardian,  # noqa: PLW1509 - this process has no other threads
        )


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Send SIGTERM to the command and its children, and SIGKILL after the grace time to those still running."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def note_end(log: Path, line: str) -> None:
    """Add a line to the log: a killed server has written none."""
    with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as output:
        output.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
