"""A command beside a proxy of a service mesh: it starts after the proxy, and ends it."""

import http.server
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from loadgen.cli.beside import await_ready
from loadgen.cli.main import main

PYTHON = sys.executable


class Proxy:
    """Answers as the proxy of a mesh does, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.statuses: list[HTTPStatus] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self) -> None:
                outer.asked.append(f"{self.command} {self.path}")
                self.send_response(outer.statuses.pop(0) if outer.statuses else HTTPStatus.OK)
                self.end_headers()

            do_GET = do_POST = _answer  # noqa: N815 - named by the library

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_the_command_runs_once_the_proxy_is_ready_its_code_is_kept_and_the_proxy_is_ended(proxy: Proxy) -> None:
    proxy.statuses = [HTTPStatus.SERVICE_UNAVAILABLE]
    flags = ["--ready", f"{proxy.url}/ready", "--quit", f"{proxy.url}/quit"]
    assert main(["beside", *flags, PYTHON, "-c", "raise SystemExit(3)"]) == 3
    assert proxy.asked == ["GET /ready", "GET /ready", "POST /quit"]


def test_a_proxy_that_is_never_ready_is_ended_too_and_the_command_never_starts(
    proxy: Proxy, capfd: pytest.CaptureFixture[str]
) -> None:
    proxy.statuses = [HTTPStatus.SERVICE_UNAVAILABLE]
    flags = ["--ready", f"{proxy.url}/ready", "--within", "0", "--quit", f"{proxy.url}/quit"]
    assert main(["beside", *flags, "--", PYTHON, "-c", "print('began')"]) == 2
    assert proxy.asked == ["GET /ready", "POST /quit"]
    out, err = capfd.readouterr()
    assert out == ""
    assert "did not answer within 0 s" in err


def test_a_command_that_cannot_be_started_and_one_that_is_missing(
    proxy: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["beside", "--quit", f"{proxy.url}/quit", "/no/such/program"]) == 127
    assert proxy.asked == ["POST /quit"], "or the pod would never end"
    assert main(["beside"]) == 2
    assert "name a command" in capsys.readouterr().err


def test_a_proxy_that_is_gone_changes_no_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["beside", "--quit", "http://127.0.0.1:1/quit", PYTHON, "-c", "pass"]) == 0
    assert "http://127.0.0.1:1/quit did not accept the end" in capsys.readouterr().err


def test_the_wait_is_over_after_its_seconds() -> None:
    pauses: list[float] = []
    assert await_ready(lambda: False, 2.0, pauses.append) is False
    assert sum(pauses) == 2.0
    answers = iter([False, True])
    assert await_ready(lambda: next(answers), 2.0, pauses.append) is True


def test_a_signal_reaches_the_command_and_its_end_is_reported_as_by_a_shell(proxy: Proxy) -> None:
    script = "import signal, sys; print('up', flush=True); signal.pause()"
    words = [PYTHON, "-m", "loadgen.cli.main", "beside", "--quit", f"{proxy.url}/quit", PYTHON, "-c", script]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert proxy.asked == ["POST /quit"]
