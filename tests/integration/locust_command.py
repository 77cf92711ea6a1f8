"""The `locust` command as a person runs it, and what its server was asked meanwhile."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from loadgen.locust_plugin.preparation.answers import COMPARED
from loadgen.measure.sample import Mode
from loadgen.results.record import RunRecord, read_record
from loadgen.settings.model import Settings
from tests.integration.forked import ForkedCommand

ROOT = Path(__file__).parents[2]
LOCUST = str(Path(sys.executable).parent / "locust")
LOADGEN = str(Path(sys.executable).parent / "loadgen")
SPY = str(Path(__file__).with_name("spy.py"))
SMALL = ("--rows", "300", "--dim", "16", "--clusters", "8", "--queries", "50")
"""Data that is loaded in a moment."""
SEARCHED = "searched_by_all"
"""A collection of these data for whoever only searches and is not killed: each server has it loaded once."""
ENDS_WITHIN = 40.0
"""Seconds in which a command that is asked to end does so, on a machine that is busy; 5 on one that is not."""
HEARTBEATS = 30
"""Seconds after which a master misses a worker. They are 3 in Locust's own way, which a busy machine may well take."""
PAUSE = "0.05"
"""Seconds between two operations of a user, unless a test says otherwise: hardly any is about much load."""
AGREEING = COMPARED * len(Mode)
"""Searches by which a compare run looks, before its first phase, whether both modes answer alike."""


started: "list[subprocess.Popen[str]]" = []
"""Every command of this process of pytest: whatever a test does, none of them outlives it."""


@dataclass
class Run:
    """One process of a `locust` command."""

    process: "subprocess.Popen[str]"
    spy: Path
    out: str = ""
    err: str = ""
    code: int | None = None
    reported: dict[str, Any] = field(default_factory=dict)

    def finish(self, timeout: float = 200) -> "Run":
        """Wait for its end and read its reports."""
        try:
            self.out, self.err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.out, self.err = self.process.communicate()
            raise AssertionError(f"no end within {timeout} s\n{self.out}\n{self.err}") from None
        self.code = self.process.returncode
        self.reported = json.loads(self.spy.read_text()) if self.spy.exists() else {}
        return self

    def interrupt(self) -> None:
        """Press Ctrl-C: the terminal sends it to the whole process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    @property
    def counted(self) -> dict[str, int]:
        """Operations in all windows, by mode and name."""
        total: Counter[str] = Counter()
        for window in self.reported["windows"]:
            total.update(window["counts"])
        return dict(total)

    def assert_good(self, code: int = 0) -> None:
        """It ended in good order, without a traceback, with this exit code: 130 is Ctrl-C before its plan was over."""
        assert self.code == code, f"{self.out}\n{self.err}"
        assert "Traceback" not in self.out + self.err, self.err


def start_locust(folder: Path, *arguments: str, files: str = "search.py", name: str = "run", **variables: str) -> Run:
    """Start a command in an empty folder, with nothing set beforehand and in a process group of its own.

    It is forked from a process that has imported everything, which saves four seconds of CPU for each run. No report
    is drawn, which costs two more: who wants one says `--report html`.
    """
    return _start(ForkedCommand, folder, (files, *arguments), name, variables)


def start_fresh(folder: Path, *arguments: str, files: str = "search.py", name: str = "run", **variables: str) -> Run:
    """The same command as a shell starts it."""
    return _start(subprocess.Popen, folder, (files, *arguments), name, variables)


def _start(
    kind: "type[subprocess.Popen[str]]", folder: Path, given: tuple[str, ...], name: str, variables: dict[str, str]
) -> Run:
    files, *arguments = given
    folder.mkdir(exist_ok=True)
    spy = folder / f"{name}.json"
    paths = "-" if files == "-" else ",".join(str(ROOT / "locustfiles" / file) for file in files.split(",")) + f",{SPY}"
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LOADGEN_", "LOCUST_"))}
    process = kind(
        [LOCUST, "-f", paths, *arguments],
        cwd=folder,
        env=clean | own_variables(folder, spy) | own_master_port() | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    started.append(process)
    return Run(process, spy)


def own_variables(folder: Path, spy: Path) -> dict[str, str]:
    return {
        "SPY_FILE": str(spy),
        "HEARTBEATS": str(HEARTBEATS),
        "PAUSE": PAUSE,
        "NO_COLOR": "1",
        "XDG_CACHE_HOME": str(folder / "cache"),
        "LOADGEN_REPORT": "none",
        # Of the small collections of all tests on one server: its jobs queue. `test_loading.py` awaits it.
        "LOADGEN_NO_WAIT_COMPACTION": "true",
    }


def own_master_port() -> dict[str, str]:
    """A port for `--processes`: at Locust's usual one the workers of two runs on one machine find either's master."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    return {"LOCUST_MASTER_NODE_PORT": port, "LOCUST_MASTER_BIND_PORT": port}


def run_locust(
    folder: Path, *arguments: str, files: str = "search.py", timeout: float = 200, fresh: bool = False, **variables: str
) -> Run:
    """Run a headless command to its end."""
    flags = ("--headless", "--only-summary", *arguments)
    return (start_fresh if fresh else start_locust)(folder, *flags, files=files, **variables).finish(timeout)


def record_of(folder: Path) -> RunRecord:
    """The record of the only run in a folder."""
    (path,) = (folder / "runs").glob("[!.]*.json")
    return read_record(path)


def kill(process: "subprocess.Popen[str]") -> None:
    """End a command and all that it has forked, however it is."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


def requests_seen(metrics_uri: str) -> Counter[str]:
    """RPCs that the standalone's proxy has executed, by their names, from its own metrics endpoint."""
    with urlopen(metrics_uri, timeout=10) as answer:  # noqa: S310 - an address on this machine
        text = answer.read().decode()
    counts: Counter[str] = Counter()
    for name, count in re.findall(r'milvus_proxy_req_count\{function_name="(\w+)",[^}]*status="total"\} (\d+)', text):
        counts[name] += int(count)
    return counts


def settings_of(uri: str, **given: object) -> Settings:
    """The settings that `SMALL` gives."""
    return Settings.parse({"host": uri, "rows": 300, "dim": 16, "clusters": 8, "queries": 50} | given)
