"""The guardian with small commands in place of a server: what it ends, removes and keeps."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from loadgen.milvus.server.line import GRACE, KEEP
from tests.integration.server_support import are_gone, wait_until

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STUBBORN!r}])"


@dataclass
class Guarded:
    """A guardian with its command, seen from the run."""

    process: "subprocess.Popen[bytes]"
    line: int
    log: Path
    folder: Path

    def command(self) -> list[psutil.Process]:
        process: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return process

    def release(self) -> None:
        os.close(self.line)
        self.line = -1


@pytest.fixture
def guard(tmp_path: Path) -> Iterator["Guard"]:
    maker = Guard(tmp_path)
    yield maker
    for guarded in maker.made:
        if guarded.line >= 0:
            guarded.release()
        guarded.process.wait(10)


class Guard:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.made: list[Guarded] = []

    def __call__(self, code: str, *, ready: str = "up") -> Guarded:
        """Start `python -c code` under a guardian and wait until it has printed `ready`."""
        folder, log = self.path / "folder", self.path / "log"
        folder.mkdir()
        heard, line = os.pipe()
        flags = ["--line", str(heard), "--log", str(log), "--remove", str(folder)]
        flags += ["--litter", str(self.path / "litter-{pid}"), "--", sys.executable, "-c", code]
        command = [sys.executable, "-m", "loadgen.milvus.server.guardian", *flags]
        process = subprocess.Popen(command, pass_fds=[heard], start_new_session=True)
        os.close(heard)
        self.made.append(Guarded(process, line, log, folder))
        assert wait_until(lambda: log.exists() and ready in log.read_text(), 10)
        return self.made[-1]


def test_the_end_of_the_run_is_a_sigterm_to_the_server(guard: Guard) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True) or exit(0))"
    guarded = guard(f"{code}; print('up', flush=True); time.sleep(60)")
    (server,) = guarded.command()
    litter = guarded.log.with_name(f"litter-{server.pid}")
    litter.write_text("left")
    guarded.release()
    assert guarded.process.wait(10) == 0
    assert guarded.log.read_text().split() == ["up", "asked"]
    assert are_gone([server])
    assert not guarded.folder.exists()
    assert not litter.exists()


def test_a_server_that_does_not_listen_to_sigterm_is_killed_with_its_children(guard: Guard) -> None:
    guarded = guard(PARENT)
    servers = guarded.command()
    assert len(servers) == 2
    begun = time.perf_counter()
    guarded.release()
    assert guarded.process.wait(GRACE + 5) == 0
    assert wait_until(lambda: are_gone(servers), 2)
    assert time.perf_counter() - begun < GRACE + 5


def test_a_folder_that_the_run_wants_to_keep_stays(guard: Guard) -> None:
    guarded = guard("import time; print('up', flush=True); time.sleep(60)")
    os.write(guarded.line, KEEP)
    guarded.release()
    assert guarded.process.wait(10) == 0
    assert guarded.folder.is_dir()


def test_a_server_that_ends_by_itself_ends_the_guardian_and_leaves_its_folder(guard: Guard) -> None:
    guarded = guard("print('up', flush=True); exit(3)")
    assert guarded.process.wait(10) == 1
    assert guarded.log.read_text().splitlines()[-1] == "The server ended by itself, exit code 3"
    assert guarded.folder.is_dir()


def test_a_server_that_is_killed_is_told_in_the_log(guard: Guard) -> None:
    guarded = guard("import time; print('up', flush=True); time.sleep(60)")
    guarded.command()[0].send_signal(signal.SIGKILL)
    assert guarded.process.wait(10) == 1
    assert guarded.log.read_text().splitlines()[-1] == "The server ended by itself, signal 9"


def test_a_guardian_that_is_asked_to_end_ends_its_server_first(guard: Guard) -> None:
    guarded = guard("import time; print('up', flush=True); time.sleep(60)")
    servers = guarded.command()
    guarded.process.send_signal(signal.SIGTERM)
    assert guarded.process.wait(10) == 0
    assert are_gone(servers)
    assert not guarded.folder.exists()


def test_the_guardian_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, loadgen.milvus.server.guardian, loadgen.milvus.server.standalone, loadgen.cli.main;"
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'locust', 'gevent', 'grpc', 'pymilvus', 'llama_index', 'milvus', 'numpy', 'pydantic'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
