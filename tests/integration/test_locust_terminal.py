"""What a terminal sees of the real command, and what a pipe sees."""

import json
import os
import pty
import re
import signal
import subprocess
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from loadgen.milvus.server import EmbeddedServer
from tests.integration.forked import ForkedCommand
from tests.integration.locust_command import LOCUST, ROOT, SEARCHED, SMALL, run_locust

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
LOG = re.compile(r"\[\d{4}-\d\d-\d\d .*?/(INFO|WARNING|ERROR)/")
LOADING = ("--rows", "6000", "--dim", "16", "--clusters", "8", "--queries", "50", "--fresh")
SLOWLY = ("--batch-size", "10", "--load-in-flight", "1")
"""600 RPCs one after another: more than the second after which loading is reported."""
PLAN = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "2.5", "--warmup-seconds", "0.2")
BAR = "[━╸╺ ]+"
"""Without colours (NO_COLOR) what is yet to come is blank."""
FIGURES = r"[\d,]+\.\d operations/s, p50 [\d,]+\.\d\d ms, p99 [\d,]+\.\d\d ms"


@dataclass
class Seen:
    """How a command on a terminal ended."""

    code: int
    screen: str
    """All that was written to the terminal."""
    out: str
    """Standard output, which is a pipe."""
    restored: bool
    """The terminal's own settings are as before."""


def on_terminal(
    folder: Path, *arguments: str, act: Callable[[str], bool] | None = None, timeout: float = 90, fresh: bool = False
) -> Seen:
    """Run a command with a terminal of 150 columns for all but its standard output.

    `act` sees all that was written so far; as soon as it is True, Ctrl-C is pressed.
    """
    outside, inside = pty.openpty()
    termios.tcsetwinsize(inside, (40, 150))
    before = termios.tcgetattr(inside)
    # pytest's own processes may have the size of another terminal in their environment.
    others = ("LOADGEN_", "LOCUST_", "COLUMNS", "LINES")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(others)}
    folder.mkdir(exist_ok=True)
    command = [LOCUST, "-f", str(ROOT / "locustfiles" / "search.py"), "--headless", *arguments]
    with (folder / "out").open("w") as out:
        process = (subprocess.Popen if fresh else ForkedCommand)(
            command, cwd=folder, env=clean | {"TERM": "xterm"}, stdin=inside, stdout=out, stderr=inside,
            start_new_session=True,
        )  # fmt: skip
    screen, deadline = "", time.monotonic() + timeout
    os.set_blocking(outside, False)
    try:
        while process.poll() is None:
            assert time.monotonic() < deadline, screen
            time.sleep(0.05)
            screen += _read(outside)
            if act is not None and act(screen):
                act = None
                os.killpg(process.pid, signal.SIGINT)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    screen += _read(outside)
    restored = termios.tcgetattr(inside) == before
    os.close(inside)
    os.close(outside)
    return Seen(process.returncode, screen, (folder / "out").read_text(), restored)


def _read(terminal: int) -> str:
    parts = []
    while True:
        try:
            parts.append(os.read(terminal, 65536))
        except BlockingIOError:
            return b"".join(parts).decode(errors="replace")


def assert_left_as_it_was(seen: Seen) -> None:
    assert seen.screen.count(HIDE) == seen.screen.count(SHOW) > 0, "the cursor is there again"
    assert seen.screen.rindex(SHOW) > seen.screen.rindex(HIDE)
    assert seen.restored
    assert "Traceback" not in seen.screen


def test_a_terminal_shows_one_line_of_progress_and_keeps_the_log_whole(
    milvus: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    where = ("--host", milvus.uri, "--collection", "terminal_shown")
    seen = on_terminal(tmp_path, *where, *LOADING, *SLOWLY, *PLAN, "--json")
    assert seen.code == 0, seen.screen
    assert_left_as_it_was(seen)
    plain = re.sub(r"\x1b\[[\d;]*m", "", seen.screen)
    assert re.search(rf"loading [\d,]+ of 6,000 rows {BAR}[\d,]+ rows/s  \d+ s left", plain)
    for number, mode in enumerate(("sync", "async", "async", "sync"), 1):
        assert re.search(rf"phase {number} of 4: {mode}, 2 users {BAR}{FIGURES}  \d+ s left", plain), number
    log = [line for line in plain.split("\n") if LOG.search(line)]
    assert len([line for line in log if re.search(rf"Phase \d: {FIGURES}\r$", line)]) == 4
    assert [line for line in log if not LOG.match(line.rpartition("\x1b[2K")[2])] == [], "each on a line of its own"
    assert json.loads(seen.out)[0]["num_requests"] > 0, "nothing but Locust's JSON"


def test_ctrl_c_in_a_phase_leaves_the_terminal_as_it_was(
    milvus: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    where = ("--host", milvus.uri, "--collection", SEARCHED, *SMALL)
    run = (*where, "--mode", "sync", "-t", "60s")
    seen = on_terminal(tmp_path, *run, act=lambda screen: "operations/s" in screen, fresh=True)
    assert seen.code == 130, seen.screen
    assert_left_as_it_was(seen)
    assert re.search(rf"sync, 1 user {BAR}[\d,.]+ operations/s", re.sub(r"\x1b\[[\d;]*m", "", seen.screen))


def test_ctrl_c_while_loading_leaves_the_terminal_as_it_was(milvus: EmbeddedServer, tmp_path: Path) -> None:
    where = ("--host", milvus.uri, "--collection", "terminal_early", *LOADING, *SLOWLY)
    seen = on_terminal(tmp_path, *where, act=lambda screen: "rows/s" in screen)
    assert seen.code == 130, seen.screen
    assert_left_as_it_was(seen)
    assert seen.screen.rstrip().endswith("Interrupted before the run began.")


def test_without_a_terminal_there_are_plain_lines_a_few_for_each_phase(milvus: EmbeddedServer, tmp_path: Path) -> None:
    where = ("--host", milvus.uri, "--collection", SEARCHED, *SMALL)
    run = run_locust(tmp_path, *where, *PLAN)
    run.assert_good()
    assert "\x1b" not in run.err + run.out
    ours = [line.partition("/loadgen: ")[2] for line in run.err.splitlines() if "/loadgen: " in line]
    reported = [line for line in ours if re.match(r"phase \d( of \d)?:", line.lower())]  # no warnings of a busy machine
    assert [line.partition(":")[0] for line in reported] == [
        text for number in range(1, 5) for text in (f"Phase {number} of 4", f"Phase {number}")
    ]
    assert all(re.fullmatch(rf"Phase \d: {FIGURES}", line) for line in reported[1::2])
