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

from loadgen.milvus.server.line import DONE, END, FAILED, GRACE, KEEP, KILL, PAUSE, RESUME, START

PR_SET_PDEATHSIG = 1
LOOK = 0.2
"""Seconds between two checks whether the server still runs."""
SIGNALS = {PAUSE: signal.SIGSTOP, RESUME: signal.SIGCONT, KILL: signal.SIGKILL}


def main() -> int:
    """Guard one server to its end; 0 if the run ended it, 1 if it ended by itself or never started."""
    given = _parse()
    signals: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        signals.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, note)
    try:
        guarded = Guarded(given, start(given.command, given.log))
    except OSError as error:
        note_end(given.log, f"{given.command[0]} could not be started ({error})")
        return 1
    while not signals and guarded.listen():
        pass
    by_itself = guarded.has_ended
    end_group(guarded.process)
    if by_itself:
        code = guarded.process.returncode
        note_end(given.log, "The server ended by itself, " + (f"exit code {code}" if code >= 0 else f"signal {-code}"))
    guarded.clean()
    if given.remove and not (guarded.keep or by_itself):
        shutil.rmtree(given.remove, ignore_errors=True)
    return int(by_itself)


class Guarded:
    """The server, and what the run has done to it."""

    def __init__(self, given: argparse.Namespace, process: "subprocess.Popen[bytes]") -> None:
        self._given = given
        self.process = process
        self.keep = False
        self._is_killed = False
        """The run has killed it, and may start it again."""

    @property
    def has_ended(self) -> bool:
        """True if it has ended by itself."""
        return self.process.poll() is not None and not self._is_killed

    def listen(self) -> bool:
        """Wait for the line, for a moment, and do as it says; False if the server has ended, or shall end."""
        wait = 0.0 if self.has_ended else LOOK  # what was said before it ended may have ended it
        if not select.select([self._given.line], [], [], wait)[0]:
            return not self.has_ended
        said = os.read(self._given.line, 1)
        self.keep = self.keep or said == KEEP
        if said in SIGNALS or said == START:
            self._answer(said)
        return said not in (END, b"")

    def _answer(self, said: bytes) -> None:
        try:
            done = self._start() if said == START else self._signal(said)
        except OSError as error:
            note_end(self._given.log, f"The server could not be started again ({error})")
            done = False
        if self._given.answers >= 0:
            with contextlib.suppress(OSError):
                os.write(self._given.answers, DONE if done else FAILED)

    def _signal(self, said: bytes) -> bool:
        if self.process.poll() is not None:
            return self._is_killed and said == KILL
        self._is_killed = said == KILL
        os.killpg(self.process.pid, SIGNALS[said])
        if said == KILL:
            self.process.wait()
        return True

    def _start(self) -> bool:
        if self.process.poll() is None:
            return False
        self.clean()
        self.process = start(self._given.command, self._given.log)
        self._is_killed = False
        return True

    def clean(self) -> None:
        """Remove what it has left outside its folder."""
        for path in self._given.litter:
            Path(path.format(pid=self.process.pid)).unlink(missing_ok=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--line", type=int, required=True, help="file descriptor; its end is the end of the run")
    parser.add_argument("--answers", type=int, default=-1, help="file descriptor for an answer to each order")
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
        os.killpg(process.pid, signal.SIGCONT)  # one that is paused would not see it
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
