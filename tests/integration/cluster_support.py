"""A master with its workers as processes of their own, and what they print while they run."""

import json
import queue
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Self

from tests.integration.locust_command import Run, start_locust

MASTER = (
    "--headless",
    "--only-summary",
    "--master",
    "--master-bind-host",
    "127.0.0.1",
    "--expect-workers-max-wait",
    "60",
)
WITHIN = 150.0
"""Seconds for anything that is waited for: the machine may be busy with other tests."""


class Member:
    """One process, whose standard error is read line by line."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.pid = run.process.pid
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.seen: list[str] = []
        assert run.process.stderr
        self._reader = threading.Thread(target=self._read, args=(run.process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream: object) -> None:
        for line in stream:  # type: ignore[attr-defined]
            self._lines.put(line)

    def wait_for(self, text: str, within: float = WITHIN) -> str:
        """The next line that has this text."""
        end = time.monotonic() + within
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=min(left, 0.5))
            except queue.Empty:
                if self.run.process.poll() is not None and self._lines.empty():
                    break
                continue
            self.seen.append(line)
            if text in line:
                return line
        raise AssertionError(f"no line with {text!r}; there were:\n{''.join(self.seen)}")

    def send(self, number: signal.Signals) -> None:
        """A signal to this process alone."""
        self.run.process.send_signal(number)

    def finish(self, within: float = WITHIN) -> int:
        """Wait for the end; its exit code."""
        out = self.run.process.stdout
        assert out
        try:
            self.run.process.wait(within)
        except subprocess.TimeoutExpired:
            self.run.process.kill()
            self._gather()
            raise AssertionError(f"no end within {within} s\n{self.run.err}") from None
        self.run.out = out.read()
        self._gather()
        self.run.code = self.run.process.returncode
        if self.run.spy.exists():
            self.run.reported = json.loads(self.run.spy.read_text())
        return int(self.run.code)

    def _gather(self) -> None:
        self._reader.join(5)
        while not self._lines.empty():
            self.seen.append(self._lines.get())
        self.run.err = "".join(self.seen)

    @property
    def last_line(self) -> str:
        """The last one on standard output."""
        return self.run.out.rstrip().rpartition("\n")[2]

    def end(self) -> None:
        """Whatever happened, it is gone after this."""
        if self.run.process.poll() is None:
            self.run.process.send_signal(signal.SIGCONT)
            self.run.process.kill()
            self.run.process.wait(10)


class Cluster:
    """Processes that end with the test."""

    def __init__(self, folder: Path, port: int, heartbeats: int = 3) -> None:
        self._folder = folder
        self._heartbeats = str(heartbeats)
        self._port = str(port)
        self._members: list[Member] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members:
            member.end()

    def master(self, expected: int, *arguments: str, files: str = "search.py") -> Member:
        """A headless master that waits for a number of workers."""
        flags = (*MASTER, "--master-bind-port", self._port, "--expect-workers", str(expected), *arguments)
        return self._add("master", *flags, files=files)

    def master_with_page(self, web_port: int, *arguments: str, files: str = "search.py") -> Member:
        """A master whose runs are started from its page."""
        page = ("--web-host", "127.0.0.1", "--web-port", str(web_port))
        bound = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", self._port)
        return self._add("master", *bound, *page, *arguments, files=files)

    def worker(self, name: str, files: str = "search.py") -> Member:
        """One more worker."""
        return self._add(name, "--worker", "--master-host", "127.0.0.1", "--master-port", self._port, files=files)

    def _add(self, name: str, *arguments: str, files: str) -> Member:
        member = Member(start_locust(self._folder / name, *arguments, files=files, HEARTBEATS=self._heartbeats))
        self._members.append(member)
        return member


def count_all(reported: dict[str, object]) -> int:
    """Every operation of a run, in phases and outside of them."""
    total: Counter[str] = Counter()
    for window in reported["windows"]:  # type: ignore[attr-defined]
        total.update(window["counts"])
    ends = reported["outside"].values()  # type: ignore[attr-defined]
    return total.total() + sum(sum(outcomes.values()) for outcomes in ends)
