"""A secret through every path: it is in nothing that the tool writes, logs or serves, also where something fails."""

import re
import time
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from loadgen.llm_server import Behaviour, start_llm_server
from tests.integration.locust_command import ENDS_WITHIN, ROOT, SMALL, Run, start_locust
from tests.integration.recording_server import recording_server
from tests.integration.repeating_models import repeating_models
from tests.integration.server_support import wait_until
from tests.integration.test_locust_page import Page, served
from tests.integration.test_locust_secrets import LOGIN, send, shown_everywhere

CANARY = "Kanarienvogel"
"""Part of every secret here; `canary` adds the path that it takes."""
NOBODY = "http://127.0.0.1:1"
RAISING = """
from locust import events, task
from loadgen import AsyncUser, plug

plug(events)

class Raising(AsyncUser):
    operations = ("search",)

    @task
    async def search(self):
        await self.client.search(self.next_query())
        raise RuntimeError("the server said " + self.process_state.settings.token.get_secret_value())
"""


def canary(path: str) -> str:
    return f"{CANARY}-{path}-4711"


def written(folder: Path, *but: str) -> list[str]:
    """The files below a folder with a canary in them, but for those that the test has written."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc" and path.name not in but]
    return [str(path) for path in files if CANARY.encode() in path.read_bytes()]


def command_lines(run: Run) -> str:
    """Of the processes that a run has started: the person has typed only its own."""
    result = []
    for process in psutil.Process(run.process.pid).children(recursive=True):
        try:
            result.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return "\n".join(result)


def assert_silent(run: Run, folder: Path, *but: str) -> None:
    assert [line for line in (run.out + run.err).splitlines() if CANARY in line] == []
    assert written(folder, *but) == []


def in_metrics(run: Run) -> str:
    """What the run serves for Prometheus."""
    ports = {
        each.laddr.port
        for each in psutil.Process(run.process.pid).net_connections("tcp")
        if each.status == psutil.CONN_LISTEN
    }
    for port in sorted(ports):
        try:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                text = str(answer.read().decode())
        except OSError:
            continue
        if "loadgen_operations_total" in text:
            return text
    raise AssertionError("no metrics")


def test_token_and_keys_of_a_run_with_failures_are_shown_nowhere(tmp_path: Path, free_port: int) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for number in range(6):
        (documents / f"{number}.txt").write_text(f"Everything about subject {number}, in one sentence.")
    secrets = {
        "LOADGEN_LLM_KEY": canary("llm"),
        "LOADGEN_EMBEDDING_KEY": canary("embedding"),
        "OPENAI_API_KEY": canary("openai"),
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {canary('otel')}",
    }
    with (
        start_llm_server(Behaviour(first_token="5ms", inter_token="1ms", tokens=4)) as models,
        repeating_models(models.url) as url,
        served(
            "",
            tmp_path / "run",
            free_port,
            *("--embedded", "lite", "--documents", str(documents), "--metrics-port", "0", "--report", "html"),
            *("--llm", "openai:m", "--llm-url", url, "--embedding", "openai:e", "--embedding-url", url),
            *("--collection", "canary_rag"),
            *("--print-record", "--recall-every", "1", "--phase-seconds", "1.5"),
            token=f"root:{canary('token')}",
            files="rag_query.py",
            **secrets,
        ) as page,
    ):
        assert page.start(concurrency="2")["success"] is True
        page.await_state("running", 2)
        assert CANARY not in command_lines(page.run)
        page.await_state("stopped", 0)
        assert CANARY not in in_metrics(page.run)
        assert_shown_without(page, "Incorrect API key provided: ***")
        page.run.interrupt()
        page.run.finish(ENDS_WITHIN)
    assert "Traceback" not in page.run.err
    assert "-----BEGIN RUN RECORD" in page.run.out
    assert wait_until(lambda: list((tmp_path / "run" / "runs").glob("*.html")) != [], 30)
    assert_silent(page.run, tmp_path)


def assert_shown_without(page: Page, masked: str) -> None:
    """The routes of the page show the failure, without the secret in it."""
    shown = shown_everywhere(page)
    assert CANARY not in shown
    assert masked in shown


@pytest.mark.parametrize("layout", [(), ("--processes", "2")], ids=["one", "workers"])
def test_an_exception_of_a_task_that_contains_the_token_is_shown_without_it(
    layout: tuple[str, ...], milvus_uri: str, tmp_path: Path, free_port: int
) -> None:
    (raising := tmp_path / "raising.py").write_text(RAISING)
    token = f"root:{canary('task')}"
    arguments = ("--mode", "async", *layout)
    with served(milvus_uri, tmp_path / "run", free_port, *arguments, token=token, files=str(raising)) as page:
        assert page.start()["success"] is True
        page.await_state("running", 1)
        end = time.perf_counter() + 60
        while "the server said" not in page.read("/exceptions") and time.perf_counter() < end:
            time.sleep(0.2)
        assert_shown_without(page, "RuntimeError: the server said ***")
        assert page.post("/stop", {})["success"] is True
        page.run.interrupt()
        page.run.finish(ENDS_WITHIN)
    assert "the server said ***" in page.run.err
    assert_silent(page.run, tmp_path)


@pytest.mark.parametrize("path", ["variable", "file", "address", "flag"])
def test_a_start_that_fails_shows_no_token_whatever_way_it_came(path: str, tmp_path: Path) -> None:
    token = f"root:{canary(path)}"
    config = tmp_path / "run.conf"
    config.write_text(f'token = "{token}"\n' if path == "file" else "\n")
    variables = {"LOADGEN_TOKEN": token} if path == "variable" else {}
    with recording_server() as server:
        host = server.uri.replace("http://", f"http://{token}@") if path == "address" else server.uri
        given = ("--token", token) if path == "flag" else ()
        flags = ("--headless", "--config", str(config), "--host", host, *given, *SMALL)
        for number, more in enumerate((("--rows", "0"), ("--host", NOBODY, *given) if path == "flag" else (), ())):
            run = start_locust(tmp_path / str(number), *flags, *more, **variables)
            lines = command_lines(run)
            run.finish()
            assert run.code == 2
            assert CANARY not in lines
            assert_silent(run, tmp_path, "run.conf")
    assert token in server.tokens, "it was sent where it belongs"
    assert re.search(r"nothing here for \S*\*\*\*", run.err), run.err


def test_the_password_of_a_login_is_shown_nowhere(tmp_path: Path, free_port: int) -> None:
    (login := tmp_path / "login.py").write_text(LOGIN.replace("for this test", canary("key")))
    files = f"search.py,{login}"
    with served(NOBODY, tmp_path / "run", free_port, "--web-login", token=f"x:{canary('behind')}", files=files) as page:
        for form in ({"username": "me", "password": canary("login")}, {"password": canary("login"), "rows": "0"}):
            for path in ("/login", "/swarm", "/auth"):
                assert CANARY not in send(page, path, form)[1]
        assert CANARY not in shown_everywhere(page)
        assert CANARY not in command_lines(page.run)
        page.run.interrupt()
        page.run.finish(ENDS_WITHIN)
    assert_silent(page.run, tmp_path / "run")


def test_the_files_of_the_repository_have_no_canary() -> None:
    """The looks above would find one: the test file itself has it."""
    assert written(ROOT / "tests" / "integration") == [str(Path(__file__))]
