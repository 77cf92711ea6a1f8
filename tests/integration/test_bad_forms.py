"""Every form of `tests/corpus/page.yaml` is refused in one message, and the process goes on as if it had not come."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.corpus.commands import SEARCH
from tests.corpus.running import Command, Listener, listener
from tests.corpus.tables import Case, read_table
from tests.integration.forked import ForkedCommand
from tests.integration.test_bad_inputs import CONTROLS, FAULT, HEAD

FORM = {"user_count": "1", "spawn_rate": "1"}
CASES = read_table("page")
SECONDS = 120


@dataclass
class Page:
    """One `locust` process that waits to be started from its page."""

    process: "subprocess.Popen[str]"
    uri: str
    folder: Path
    nobody: Listener

    def post(self, form: dict[str, str]) -> dict[str, Any]:
        with urlopen(f"{self.uri}/swarm", urlencode(FORM | form).encode(), timeout=SECONDS) as answer:  # noqa: S310
            answered: dict[str, Any] = json.loads(answer.read())
            return answered

    def state(self) -> str:
        with urlopen(f"{self.uri}/stats/requests", timeout=SECONDS) as answer:  # noqa: S310
            return str(json.loads(answer.read())["state"])

    def written(self) -> list[Path]:
        return sorted((self.folder / "work").iterdir())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "work").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    with listener() as nobody:
        command = Command(["locust", "-f", SEARCH, "--host", nobody.uri, "--web-host", "127.0.0.1", "--web-port", port])
        process = ForkedCommand(
            command.typed(),
            cwd=folder / "work",
            env=command.environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield _await_page(Page(process, f"http://127.0.0.1:{port}", folder, nobody))
        finally:
            process.kill()
            process.wait()


def _await_page(page: Page) -> Page:
    end = time.monotonic() + SECONDS
    while True:
        assert page.process.poll() is None, page.process.communicate()[0]
        assert time.monotonic() < end, "no page"
        try:
            page.state()
        except (URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return page


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_form_is_refused_in_one_message_and_starts_nothing(case: Case, page: Page) -> None:
    answer = page.post(dict(case.given["form"]))
    assert answer["success"] is False
    message = answer["message"]
    assert CONTROLS.findall(message) == []
    assert [piece for piece in case.message if piece not in message] == [], message
    lines = message.splitlines()
    if head := HEAD.search(lines[0]):
        assert [line for line in lines[1:] if not FAULT.match(line)] == []
        assert len(set(lines[1:])) == len(lines) - 1 == int(head[1])
    else:
        assert len(lines) == 1
    assert (page.state(), page.written(), page.nobody.accepted) == ("ready", [], 0)


def test_the_page_can_be_started_after_all_of_them(page: Page) -> None:
    assert page.post({"mode": "async"})["success"] is True
    end = time.monotonic() + SECONDS
    while not page.nobody.accepted:
        assert time.monotonic() < end, "the server of the page was never asked"
        time.sleep(0.1)
    page.process.kill()
    assert page.process.stdout is not None
    assert "Traceback" not in page.process.stdout.read()
