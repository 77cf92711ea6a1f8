"""A command that cannot start: one message, exit code 2, no traceback, and nobody left behind."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from loadgen.milvus.server import EmbeddedServer
from tests.integration.forked import run_forked
from tests.integration.locust_command import LOADGEN, LOCUST, ROOT, SMALL, own_master_port, start_locust
from tests.integration.server_support import alive, are_gone, wait_until

HEAD = "from locust import events, task\nfrom loadgen import AsyncUser, SyncUser, plug\n"
USERS = """
class Sync(SyncUser):
    @task
    def search(self):
        self.client.search(self.next_query())

class Async(AsyncUser):
    @task
    async def search(self):
        await self.client.search(self.next_query())
"""
BROKEN = {
    "syntax.py": (f"{HEAD}\ndef broken(:\n", "syntax.py, line 4: SyntaxError: invalid syntax"),
    "module.py": (f"{HEAD}import nonesuch\n", "module.py, line 3: ModuleNotFoundError: No module named 'nonesuch'"),
    "name.py": (f"{HEAD}plug(events)\n{USERS}\nx = undefined\n", "NameError: name 'undefined' is not defined"),
    "deep.py": (f"{HEAD}import json\njson.loads('{{')\n", "deep.py, line 4: JSONDecodeError: Expecting property name"),
    "lines.py": (f"{HEAD}raise RuntimeError('two\\nlines \\x1b[31m')\n", "line 3: RuntimeError: two lines [31m"),
    "helper.py": (f"{HEAD}import broken_part\n", "broken_part.py, line 2 (loaded by helper.py, line 3): SyntaxError:"),
    "leaves.py": (f"{HEAD}plug(events)\n{USERS}\nimport sys\nsys.exit(0)\n", "SystemExit: 0"),
    "no_user.py": (f"{HEAD}plug(events)\n", "no_user.py: has no user class. Derive one from loadgen.AsyncUser"),
    "no_plug.py": (
        f"{HEAD}{USERS}",
        "never calls plug(events), so there are no settings. Add `from locust import events`",
    ),
    "unknown.py": (
        f"{HEAD}plug(events, colection='x')\n{USERS}",
        "--colection: is not a setting (in plug). Did you mean c",
    ),
    "typed.py": (f"{HEAD}plug(events, rows='many')\n{USERS}", "--rows many: should be a valid integer"),
    "required.py": (f"{HEAD}plug(events, require=5)\n{USERS}", "--require 5: should be a valid tuple (in plug)."),
    "switch.py": (f"{HEAD}plug(events, fresh='no')\n{USERS}", "--fresh no: should be True or False (in plug)."),
    "handle.py": (f"{HEAD}plug(7)\n{USERS}", "handle.py, line 3: AttributeError: 'int' object has no attribute"),
}
"""Locustfiles, and a piece of the one line that each produces."""
FRESH = ("syntax.py", "helper.py")
"""The first is refused before anything is imported: a command that was forked has no such moment. `test_bad_inputs.py`
gives more of them to true processes."""
PREPARED = ("syntax.py", "helper.py", "no_user.py", "no_plug.py", "unknown.py", "empty.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The working folder, with a helper module that does not parse and a hook as pip would install it."""
    (tmp_path / "broken_part.py").write_text("ok = 1\ndef x(:\n")
    installed = tmp_path / "installed" / "loadgen_as_installed-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: loadgen-as-installed\nVersion: 0\n")
    (group, target) = hook()
    (installed / "entry_points.txt").write_text(f"[{group}]\nloadgen = {target}\n")
    return tmp_path


def hook() -> tuple[str, str]:
    """The group of the entry point in pyproject.toml, and what it names."""
    import tomllib

    (result,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"].items()
    (target,) = result[1].values()
    return result[0], target


def run(folder: Path, *command: str, fresh: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end; one that is not `fresh` is forked, and is what a command is after it was replaced."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LOADGEN_", "LOCUST_"))}
    path = os.pathsep.join(filter(None, [str(folder / "installed"), str(ROOT), clean.get("PYTHONPATH", "")]))
    variables = clean | {"PYTHONPATH": path} | own_master_port()
    if not fresh:
        return run_forked(list(command), folder, variables)
    return subprocess.run(
        command,
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        stdin=subprocess.DEVNULL,
    )


def assert_refused(done: "subprocess.CompletedProcess[str]", words: str) -> None:
    reported = done.stdout + done.stderr
    assert done.returncode == 2, reported
    assert words in reported
    assert "Traceback" not in reported
    message = [line for line in reported.splitlines() if "INFO" not in line]
    assert len(message) == (2 if "nothing was sent" in reported else 1), reported
    assert "\x1b" not in reported


@pytest.mark.parametrize("name", BROKEN)
def test_a_locustfile_that_does_not_load_is_told_in_one_line(name: str, folder: Path) -> None:
    text, words = BROKEN[name]
    (folder / name).write_text(text)
    command = (LOCUST, "-f", name, "--headless", "--host", "http://127.0.0.1:1", "-t", "1s")
    assert_refused(run(folder, *command, fresh=name in FRESH), words)


def test_the_second_of_two_locustfiles_is_told_too(folder: Path) -> None:
    (folder / "good.py").write_text(f"{HEAD}plug(events)\n{USERS}")
    (folder / "other.py").write_text("def broken(:\n")
    done = run(folder, sys.executable, "-m", "locust", "-f", "good.py,other.py", "--headless")
    assert_refused(done, "The locustfile cannot be loaded: other.py, line 1: SyntaxError: invalid syntax")


def test_other_peoples_locustfiles_break_as_ever(folder: Path) -> None:
    (folder / "theirs.py").write_text("from locust import HttpUser\ndef broken(:\n")
    done = run(folder, LOCUST, "-f", "theirs.py", "--headless")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("name", PREPARED)
def test_prepare_tells_it_in_the_same_words(name: str, folder: Path) -> None:
    text, words = BROKEN.get(name, ("", "empty.py: has no user class."))
    (folder / name).write_text(text)
    done = run(folder, LOADGEN, "prepare", "-f", name, "--host", "http://127.0.0.1:1", fresh=False)
    assert_refused(done, words)


def test_ctrl_c_while_the_locustfile_is_loaded_ends_in_one_line_with_130(folder: Path) -> None:
    (folder / "interrupted.py").write_text(f"{HEAD}plug(events)\nraise KeyboardInterrupt\n")
    done = run(folder, LOCUST, "-f", "interrupted.py", "--headless", fresh=False)
    assert (done.returncode, done.stdout + done.stderr) == (130, "Interrupted before the run began.\n")


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield str(listener.getsockname()[1])


@pytest.mark.parametrize(
    "flags",
    [
        ("--headless", "--processes", "2", "--master-bind-port", "{}", "--master-port", "{}"),
        ("--headless", "--master", "--expect-workers", "1", "--master-bind-port", "{}"),
        ("--web-port", "{}"),
        ("--autostart", "--web-port", "{}"),
    ],
)
def test_a_taken_port_is_told_before_anything_is_started(flags: tuple[str, ...], taken: str, tmp_path: Path) -> None:
    started = start_locust(tmp_path, *(flag.format(taken) for flag in flags), "--embedded", "lite", "--rows", "-4")
    started.finish(120)
    assert started.code == 2, started.err
    assert re.search(
        rf"--(master-bind|web)-port {taken}: cannot be listened on \(Address already in use\)", started.err
    )
    assert "--rows -4: " in started.err, "the settings are reported with it"
    assert "Traceback" not in started.err
    assert "Starting" not in started.err, "neither Locust nor a server had begun"


def family_of(pid: int) -> list[psutil.Process]:
    return [one for one in psutil.Process(pid).children() if one.cmdline() == psutil.Process(pid).cmdline()]


@pytest.mark.parametrize("state", ["waiting for the run", "under load"])
def test_forked_workers_end_with_a_master_that_was_killed(state: str, lite: EmbeddedServer, tmp_path: Path) -> None:
    flags = ("--processes", "2", "--host", lite.uri, "--collection", f"orphans_{state[0]}", *SMALL)
    load = ("--headless", "--mode", "async", "-u", "2", "-t", "10m")
    port = ("--web-host", "127.0.0.1", "--web-port", "0")
    started = start_locust(tmp_path, *flags, *(load if state == "under load" else port))
    reported: list[str] = []
    assert started.process.stderr is not None
    ready = "All users spawned" if state == "under load" else "2 workers are"
    for line in started.process.stderr:
        reported.append(line)
        if ready in line or line.count("connected"):
            break
    workers = family_of(started.process.pid)
    assert len(workers) == 2, reported
    os.kill(started.process.pid, signal.SIGKILL)
    assert wait_until(lambda: are_gone(workers), 30), "Locust's own limit is a minute"
    rest = started.process.stderr.read()
    for worker in workers:
        line = (
            f"The process that started this worker (pid {started.process.pid}) has gone: the worker {worker.pid} ends."
        )
        assert line in rest
    assert not any(alive(worker) for worker in workers)
