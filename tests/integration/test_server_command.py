"""`loadgen serve` as a person types it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.integration.forked import run_forked
from tests.integration.plain_clients import client_of
from tests.integration.server_support import are_gone, count, fill, processes_below, wait_until

LOADGEN = str(Path(sys.executable).with_name("loadgen"))


@dataclass
class Served:
    """A `loadgen serve` that has said that its server answers."""

    process: "subprocess.Popen[str]"
    said: list[str] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return next(line.split()[-1] for line in self.said if line.startswith("Milvus answers at "))

    def read_until(self, text: str) -> None:
        assert self.process.stdout
        while not self.said or text not in self.said[-1]:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said.append(line.rstrip())

    def end(self, number: int) -> tuple[int, float, str]:
        """Send the signal; exit code, seconds and the rest of what it said."""
        begun = time.perf_counter()
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=30)
        return self.process.returncode, time.perf_counter() - begun, rest


Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`loadgen serve` with flags, up to the line that contains `until`."""
    made: list[Served] = []

    def begin(*flags: str, until: str = "Ctrl-C ends it") -> Served:
        process = subprocess.Popen(
            [LOADGEN, "serve", *flags], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        made.append(Served(process))
        made[-1].read_until(until)
        return made[-1]

    yield begin
    for served in made:
        if served.process.poll() is None:
            served.process.terminate()
        served.process.wait(30)
        if served.process.stdout:
            served.process.stdout.close()


def run(*flags: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run_forked([LOADGEN, *flags], Path.cwd(), {**os.environ, **environment})


def free_port() -> int:
    with socket.socket() as result:
        result.bind(("127.0.0.1", 0))
        return int(result.getsockname()[1])


@pytest.mark.parametrize("kind", ["milvus", "lite"])
def test_a_served_collection_is_there_again_after_ctrl_c_and_a_second_call(
    kind: str, serve: Serve, tmp_path: Path
) -> None:
    flags = ("--embedded", kind, "--port", str(free_port()), "--data", str(tmp_path))
    first = serve(*flags)
    assert first.uri == f"http://127.0.0.1:{flags[3]}"
    assert f"  loadgen run search --host {first.uri}" in first.said
    assert any(line.endswith(f" {tmp_path / 'server.log'}") for line in first.said)
    metrics = [line for line in first.said if re.fullmatch(r"Its metrics: +http://127\.0\.0\.1:\d+/metrics", line)]
    assert len(metrics) == (1 if kind == "milvus" else 0)
    with client_of(first.uri) as client:
        fill(client, "kept")
    processes = processes_below(first.process.pid)
    code, seconds, rest = first.end(signal.SIGINT)
    assert (code, rest.split()) == (0, ["Stopping."])
    assert seconds < 5, "the promise of the command, not its speed"
    assert are_gone(processes)

    second = serve(*flags)
    with client_of(second.uri) as client:
        client.load_collection("kept")
        assert count(client, "kept") == 20
    code, _, rest = second.end(signal.SIGTERM)
    assert (code, rest.split()) == (0, ["Stopping."])


def test_ctrl_c_while_the_server_starts_ends_without_a_trace(serve: Serve) -> None:
    served = serve("--port", "0", until="Starting ")
    folder = Path(served.said[-1].split()[-2])
    assert wait_until(lambda: len(processes_below(served.process.pid)) == 2, 10)
    processes = processes_below(served.process.pid)
    code, seconds, rest = served.end(signal.SIGINT)
    assert (code, rest.splitlines()[-1]) == (0, "Stopping.")
    assert "Traceback" not in rest
    assert seconds < 5
    assert are_gone(processes)
    assert not folder.exists()


def test_a_server_that_dies_ends_the_command_with_its_log(serve: Serve, tmp_path: Path) -> None:
    served = serve("--embedded", "lite", "--port", "0", "--data", str(tmp_path))
    psutil.Process(processes_below(served.process.pid)[-1].pid).kill()
    rest, _ = served.process.communicate(timeout=30)
    assert served.process.returncode == 1
    assert rest == f"loadgen serve: the server ended by itself; its log is {tmp_path / 'server.log'}\n"


def test_a_server_that_cannot_start_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "lite").write_text("a file where the data should be")
    done = run("serve", "--embedded", "lite", "--port", "0", "--data", str(tmp_path))
    assert done.returncode == 1
    assert f"its log is {tmp_path / 'server.log'}" in done.stderr
    assert "FileExistsError" in done.stderr


def test_a_busy_port_is_one_line_and_exit_code_2() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        done = run("serve", "--embedded", "lite", "--port", str(port))
    wanted = f"loadgen serve: port {port} is in use by another program; choose another, or 0 for a free one\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", wanted)


@pytest.mark.parametrize(
    ("flags", "environment", "said"),
    [
        (["--data", "{path}/file"], {}, "data folder {path}/file is a file"),
        (["--data", "{path}/file/below"], {}, "data folder {path}/file/below cannot be written"),
        (["--embedded", "elite"], {}, "unknown embedded server 'elite'; choose auto, milvus, lite"),
        ([], {"LOADGEN_EMBEDDED": "elite"}, "unknown embedded server 'elite'; choose auto, milvus, lite"),
        (["--port", "70000"], {}, "argument --port: '70000' is not a port; give a number from 0 to 65535"),
        (["--port", "many"], {}, "argument --port: 'many' is not a port"),
        (["--colour"], {}, "--colour is not a flag (see loadgen serve --help)"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(
    flags: list[str], environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = run("serve", *(flag.format(path=tmp_path) for flag in flags), **environment)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert said.format(path=tmp_path) in done.stderr


def test_without_the_wheel_the_real_milvus_is_refused_with_the_way_to_get_it() -> None:
    code = (
        "import importlib.util, sys\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'milvus' else find(name, *rest)\n"
        "from loadgen.cli.main import main\nsys.exit(main(['serve', '--embedded', 'milvus']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "loadgen serve: the real Milvus is not installed; pip install 'milvus-loadgen[server]', or choose lite\n"
    )


def test_help_and_version_are_told() -> None:
    assert "serve" in run("--help").stdout
    assert run("--version").stdout.split()[0] == "milvus-loadgen"
    assert (run().returncode, "--help" in run().stderr) == (2, True)
