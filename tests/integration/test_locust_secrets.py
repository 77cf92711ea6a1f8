"""Locust's page as somebody attacks it: the token stays with its host, and what is refused leaves no trace."""

import http.client
import json
import re
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from loadgen.milvus.server import EmbeddedServer
from tests.integration.locust_command import ENDS_WITHIN
from tests.integration.recording_server import Heard, recording_server
from tests.integration.server_support import wait_until
from tests.integration.store_support import guarded_milvus
from tests.integration.test_locust_page import (
    MASK,
    PAGES,
    Page,
    assert_started,
    served,
)

SECRET = "Verborgen-4711"
TOKEN = f"root:{SECRET}"
NOBODY = "http://127.0.0.1:1"
"""An address at which nothing answers."""
GIVES_UP = 30.0
FORM = {"user_count": "1", "spawn_rate": "1", "mode": "async"}
LOGIN = """
from flask_login import UserMixin
from locust import events

@events.init.add_listener
def log_in(web_ui, **_):
    if web_ui is not None:
        web_ui.app.secret_key = "for this test"
        web_ui.login_manager.user_loader(lambda _: None)
"""


def send(page: Page, path: str, form: dict[str, str] | None, **headers: str) -> tuple[int, str]:
    """The status and the body of any request; without a form it is a GET. Redirects are not followed."""
    place = urlsplit(page.uri)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    try:
        body = None if form is None else urlencode(form)
        kind = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET" if form is None else "POST", path, body, kind | named)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def shown_everywhere(page: Page) -> str:
    """All that the page's routes say, on one heap."""
    paths = (*PAGES, "/stats/requests/csv", "/stats/failures/csv", "/exceptions/csv", "/variants/data", "/login")
    return "\n".join(send(page, path, None)[1] for path in paths)


@pytest.mark.parametrize("token", [{"token": MASK}, {}], ids=["mask", "absent"])
def test_the_token_is_not_sent_to_another_host(token: dict[str, str], tmp_path: Path, free_port: int) -> None:
    with recording_server() as other, served(NOBODY, tmp_path, free_port, token=TOKEN) as page:
        answer = page.post("/swarm", FORM | {"host": other.uri} | token)
        assert answer["success"] is False
        assert f"--token: was given for {NOBODY} and is not sent to {other.uri}" in answer["message"]
        assert page.shown["host"] == NOBODY
        page.run.interrupt()
        page.run.finish(ENDS_WITHIN)
    assert (other.methods, other.tokens) == ([], [])
    assert SECRET not in page.run.out + page.run.err


def test_a_token_typed_together_with_the_host_is_sent_there_and_the_old_one_never(
    tmp_path: Path, free_port: int
) -> None:
    with recording_server() as other, served(NOBODY, tmp_path, free_port, token=TOKEN) as page:
        assert_started(page.post("/swarm", FORM | {"host": other.uri, "token": "guest:typed"}))
        assert wait_until(lambda: len(other.tokens) > 0, GIVES_UP)
        assert_started_without(page, other, FORM | {"host": other.uri, "token": ""})
        page.run.interrupt()
        page.run.finish(ENDS_WITHIN)
    assert set(other.tokens) == {"guest:typed"}
    assert "guest:typed" not in page.run.out + page.run.err


def assert_started_without(page: Page, other: Heard, form: dict[str, str]) -> None:
    """A start that is accepted and sends no token; it waits until the one before has been given up."""
    tokens, calls = len(other.tokens), len(other.methods)
    assert wait_until(lambda: page.post("/swarm", form)["success"] is True, GIVES_UP)
    assert wait_until(lambda: len(other.methods) > calls, GIVES_UP)
    assert len(other.tokens) == tokens


TRICKS = (
    "http://{host}@{other}",
    "http://{host}#@{other}",
    "http://{host}\\@{other}",
    "http://{host}\t@{other}",
    "http://{other}/?{host}",
    "HTTP://{other}",
    "tcp://{other}",
    "http://{other}.",
    "http://{host}:0@{other}",
    "http://{other}/http://{host}",
    "unix:{host}",
    "http://{host}<>@{other}",
    "http://\uff11\uff12\uff17.0.0.1:{port}",
)


def test_no_spelling_of_another_address_gets_the_token(tmp_path: Path, free_port: int) -> None:
    with recording_server() as other, served(NOBODY, tmp_path, free_port, token=TOKEN) as page:
        place = urlsplit(other.uri)
        for trick in TRICKS:
            host = trick.format(host="127.0.0.1:1", other=place.netloc, port=place.port)
            answer = page.post("/swarm", FORM | {"host": host, "token": MASK})
            if answer["success"]:  # a user in the address is a token of its own
                assert wait_until(lambda: page.state in (("ready", 0), ("stopped", 0)), GIVES_UP)
        assert SECRET not in shown_everywhere(page)
        page.run.interrupt()
        page.run.finish(ENDS_WITHIN)
    assert [token for token in other.tokens if SECRET in token] == []


def test_a_refused_token_never_replaces_the_good_one(tmp_path: Path, free_port: int) -> None:
    (tmp_path / "guarded").mkdir()
    with (
        guarded_milvus(tmp_path / "guarded") as uri,
        served(uri, tmp_path / "run", free_port, token="root:Milvus") as page,
    ):
        assert page.start(token="root:WRONG", rows="0")["success"] is False
        assert_started(page.start(mode="sync", token="root:WRONG"))
        assert wait_until(lambda: "is rejected by the server" in page.read("/logs"), GIVES_UP)
        assert wait_until(lambda: page.start(mode="sync", token=MASK)["success"] is True, GIVES_UP)
        page.await_measured()
        page.run.interrupt()
        page.run.finish(ENDS_WITHIN).assert_good()
    assert page.run.out.count("Run record") <= 1
    assert "WRONG" not in page.run.out + page.run.err


def test_a_password_in_the_host_is_a_token_and_appears_nowhere(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    hidden = milvus.uri.replace("http://", f"http://root:{SECRET}@")
    with served(hidden, tmp_path, free_port, token="") as page:
        assert page.shown["host"] == milvus.uri
        assert page.form()["token"] == MASK
        answer = page.start(mode="sync", host=hidden, report="html")
        assert_started(answer)
        assert answer["host"] == milvus.uri
        page.await_state("running", 1)
        time.sleep(1)
        assert SECRET not in shown_everywhere(page)
        page.run.interrupt()
        page.run.finish(ENDS_WITHIN).assert_good()
    assert SECRET not in page.run.out + page.run.err
    [record] = (tmp_path / "runs").glob("*.json")
    assert json.loads(record.read_text())["manifest"]["settings"]["host"] == milvus.uri
    assert [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []


def test_a_password_in_the_host_that_contradicts_the_token_is_a_fault(tmp_path: Path, free_port: int) -> None:
    with served(NOBODY, tmp_path, free_port, token=TOKEN) as page:
        answer = page.start(host="http://root:another@127.0.0.1:1", token="root:typed")
        assert answer["success"] is False
        assert "--token: differs from the one in --host" in answer["message"]
        assert ("another" in answer["message"], "typed" in answer["message"]) == (False, False)


def test_a_browser_chooses_no_files_and_learns_of_none(tmp_path: Path, free_port: int) -> None:
    there = tmp_path / "there.pem"
    there.write_text("x")
    files = {"ca_file", "client_cert_file", "client_key_file", "server_cert_file"}
    with served(NOBODY, tmp_path / "run", free_port, token=TOKEN) as page:
        reported = set()
        for path in (str(there), str(tmp_path / "missing.pem")):
            for name in files:
                message = page.start(**{name: path})["message"]
                reported.add(re.sub(r"--[a-z-]+ \S+", "", message))
        assert len(reported) == 1, reported
        folder = tmp_path / "chosen"
        for name in ("record", "cache", "metrics_targets", "html_file", "json_file", "csv_prefix", "logfile"):
            message = page.start(**{name: str(folder / "x.json")})["message"]
            assert f"--{name.replace('_', '-')} {folder}/x.json: cannot be set from the page" in message
        assert not folder.exists()
        assert not (tmp_path / "run" / "runs").exists(), "nothing has started yet"


def test_a_wrong_form_creates_nothing_and_changes_nothing(tmp_path: Path, free_port: int) -> None:
    with served(NOBODY, tmp_path, free_port, token=TOKEN) as page:
        before = page.shown
        for wrong in ({"rows": "0"}, {"user_count": "many", "mode": "sync"}, {"run_time": "long", "mode": "async"}):
            assert page.start(**wrong)["success"] is False
            assert page.shown == before
            assert page.read("/tasks").count("Searcher") == 0 or "Async" in page.read("/tasks")
        assert not (tmp_path / "runs").exists()


def test_who_has_not_logged_in_changes_nothing_and_learns_nothing(tmp_path: Path, free_port: int) -> None:
    login = tmp_path / "login.py"
    login.write_text(LOGIN)
    arguments = ("--web-login", "--mode", "compare")
    with served(NOBODY, tmp_path / "run", free_port, *arguments, token=TOKEN, files=f"search.py,{login}") as page:
        seen = set()
        for form in ({"rows": "0"}, {"mode": "sync"}, {"ca_file": "/etc/passwd"}, {"record": str(tmp_path / "made")}):
            status, body = send(page, "/swarm", FORM | form)
            seen.add((status, body))
        [(status, body)] = seen
        assert (status, "login" in body) == (302, True)
        assert not (tmp_path / "made").exists()
        assert not (tmp_path / "run" / "runs").exists()
        assert send(page, "/user", {})[0] == 302


@pytest.mark.parametrize("base", ["", "/load"])
def test_posts_from_other_sites_are_refused_and_from_a_command_line_they_are_not(
    base: str, tmp_path: Path, free_port: int
) -> None:
    with served(NOBODY, tmp_path, free_port, "--web-base-path", base, token=TOKEN) as page:
        here = urlsplit(page.uri).netloc
        foreign: tuple[dict[str, str], ...] = (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site", "Origin": f"http://{here}"},
            {"Origin": f"http://{here}.evil.example"},
        )
        own: tuple[dict[str, str], ...] = (
            {},
            {"Origin": f"http://{here}"},
            {"Sec_Fetch_Site": "same-origin", "Origin": "https://load.example", "Host": "upstream"},
            {"Origin": "https://load.example", "Host": "load.example"},
            {"Origin": "https://load.example", "Host": "load.example:443"},
        )
        for path in ("/swarm", "/stop", "/stats/reset", "/user"):
            for headers in foreign:
                status, body = send(page, base + path, {"rows": "0"}, **headers)
                assert (status, "another site" in body) == (403, True), (path, headers)
        for headers in own:
            status, body = send(page, f"{base}/swarm", {"rows": "0"}, **headers)
            assert (status, "--rows 0" in body) == (200, True), headers
        assert send(page, f"{base}/", None, Origin="http://evil.example")[0] == 200
