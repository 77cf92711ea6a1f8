"""`loadgen serve-llm` as a person types it."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from loadgen.cli.serve_llm import list_fields
from loadgen.llm_server import Behaviour

LOADGEN = str(Path(sys.executable).with_name("loadgen"))
SECONDS_TO_END = 5
"""Whatever else the machine does: the command takes a tenth of a second for open streams."""
Serve = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def serve() -> Iterator[Serve]:
    made: list[subprocess.Popen[str]] = []

    def begin(*flags: str) -> "subprocess.Popen[str]":
        command = [LOADGEN, "serve-llm", *flags]
        made.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return made[-1]

    yield begin
    for process in made:
        if process.poll() is None:
            process.kill()
        process.communicate()


def root_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    said = [process.stdout.readline().rstrip() for _ in range(4)]
    url = said[0].removeprefix("The simulated LLM answers at ")
    root = url.removesuffix("/v1")
    assert root != url, said
    assert said[1:] == [f"Its counts:  {root}/counts", f"Its metrics: {root}/metrics", "Ctrl-C ends it."]
    return root


def begin_stream(root: str) -> HTTPConnection:
    """A chat whose first token has come."""
    connection = HTTPConnection(urlsplit(root).netloc, timeout=20)
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    assert connection.getresponse().readline().startswith(b"data: {")
    return connection


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_answers_and_ends_cleanly_with_open_streams(number: int, serve: Serve) -> None:
    process = serve("--port", "0", "--first-token", "1ms", "--inter-token", "60s")
    root = root_of(process)
    assert urlsplit(root).hostname == "127.0.0.1"
    streams = [begin_stream(root) for _ in range(3)]
    begun = time.perf_counter()
    process.send_signal(number)
    rest, errors = process.communicate(timeout=20)
    assert time.perf_counter() - begun < SECONDS_TO_END
    assert (process.returncode, rest, errors) == (0, "", "")
    for stream in streams:
        stream.close()


def test_every_setting_of_the_behaviour_is_a_flag_that_reaches_the_server(serve: Serve) -> None:
    assert {name for name, _, _ in list_fields()} == {name.replace("_", "-") for name in Behaviour.model_fields}
    process = serve("--port", "0", "--errors", "503:1", "--embedding-dim", "3", "--embedding-delay", "0")
    root = root_of(process)
    connection = HTTPConnection(urlsplit(root).netloc, timeout=20)
    connection.request("POST", "/v1/embeddings", '{"model": "m", "input": "x"}')
    assert len(json.loads(connection.getresponse().read())["data"][0]["embedding"]) == 3
    connection.request("POST", "/v1/chat/completions", '{"model": "m", "messages": [{"role": "user"}]}')
    assert connection.getresponse().status == 503
    connection.close()


def test_an_address_of_ipv6_is_one_too(serve: Serve) -> None:
    assert root_of(serve("--port", "0", "--bind", "::1")).startswith("http://[::1]:")


def test_a_taken_port_is_one_line_and_exit_code_2(serve: Serve) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        process = serve("--port", str(port))
        out, errors = process.communicate(timeout=20)
    wanted = f"loadgen serve-llm: port {port} is in use by another program; choose another, or 0 for a free one\n"
    assert (process.returncode, out, errors) == (2, "", wanted)


def test_all_faults_are_told_together_with_exit_code_2(serve: Serve) -> None:
    process = serve("--port", "many", "--first-token", "50", "--errors", "404:1", "--embedding-dim", "0")
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    starts = ("port 'many' is not a port", "first-token '50' has no", "errors '404:1' has the", "embedding-dim '0'")
    lines = errors.splitlines()
    assert len(lines) == len(starts)
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(f"loadgen serve-llm: {start}")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--bind", "no.such.host.invalid"], "bind 'no.such.host.invalid' is not an address of this machine"),
        (["--bind", "192.0.2.1"], "bind '192.0.2.1' is not an address of this machine; choose one, such as 127.0.0.1"),
        (["--colour"], "--colour is not a flag (see loadgen serve-llm --help)"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(flags: list[str], said: str, serve: Serve) -> None:
    process = serve("--port", "0", *flags)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out, len(errors.splitlines())) == (2, "", 1)
    assert said in errors


def test_it_serves_on_where_nobody_reads_what_it_says(serve: Serve) -> None:
    process = serve("--port", "0")
    root = root_of(process)
    assert process.stdout
    threading.Thread(target=process.stdout.close).start()
    begin_stream(root).close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
