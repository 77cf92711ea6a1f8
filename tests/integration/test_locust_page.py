"""The web page of the real `locust` command, driven through HTTP as a browser drives it."""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from loadgen.milvus.server import EmbeddedServer
from loadgen.settings.model import Settings, is_shown_on_page
from tests.integration.locust_command import AGREEING, ENDS_WITHIN, SEARCHED, SMALL, Run, requests_seen, start_locust
from tests.integration.server_support import wait_until
from tests.integration.store_support import guarded_milvus

PASSWORD = "Verborgen"
TOKEN = f"root:{PASSWORD}"
TABLE = "Variants, level by level"
"""How the title of the table begins."""
MASK = "********"
COLLECTION = ("--collection", SEARCHED, *SMALL)
PHASES = ("--concurrency", "1,3", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0.1")
PAGES = ("/", "/logs", "/stats/report", "/stats/requests", "/exceptions", "/tasks")
SOME_SECONDS = 1.0
CACHED = 2.2
"""Seconds after which Locust's `/stats/requests` looks anew."""


@dataclass
class Page:
    """A `locust` command that serves its page."""

    run: Run
    uri: str
    counted: float = 0.0
    """When the table was read last."""

    def read(self, path: str = "/") -> str:
        with urlopen(self.uri + path, timeout=10) as answer:  # noqa: S310 - an address on this machine
            return str(answer.read().decode())

    def post(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        with urlopen(self.uri + path, urlencode(form).encode(), timeout=10) as answer:  # noqa: S310
            answered: dict[str, Any] = json.loads(answer.read())
            return answered

    @property
    def shown(self) -> dict[str, Any]:
        """What the page is drawn from."""
        match = re.search(r"window\.templateArgs = (\{.*\})", self.read())
        assert match, "the page has no data"
        shown: dict[str, Any] = json.loads(match[1])
        return shown

    def form(self, **changed: str) -> dict[str, str]:
        """The form as a browser sends it: every field as it is shown, but for what a person has changed."""
        fields = {name: _as_sent(field["default_value"]) for name, field in self.shown["extra_options"].items()}
        return {"host": self.shown["host"], "user_count": "1", "spawn_rate": "1", "run_time": ""} | fields | changed

    def start(self, **changed: str) -> dict[str, Any]:
        return self.post("/swarm", self.form(**changed))

    @property
    def state(self) -> tuple[str, int]:
        """Locust's state and the number of its users."""
        shown = self.shown
        return shown["state"], shown["user_count"]

    def await_state(self, state: str, users: int, seconds: float = 120) -> None:
        end = time.perf_counter() + seconds
        while (seen := self.state) != (state, users):
            assert time.perf_counter() < end, seen
            time.sleep(0.1)

    def await_measured(self) -> None:
        """Wait until an operation of the current run is counted: a run that ends before has measured nothing."""
        assert wait_until(lambda: bool(json.loads(self.read("/variants/data"))["phases"]), 120)

    @property
    def counts(self) -> dict[str, int]:
        """Operations by mode, as the page's table has them."""
        time.sleep(max(0.0, self.counted + CACHED - time.perf_counter()))
        rows = json.loads(self.read("/stats/requests"))["stats"]
        self.counted = time.perf_counter()
        return {row["method"]: row["num_requests"] for row in rows if row["name"] != "Aggregated"}


def _as_sent(value: object) -> str:
    """A field's text as a browser makes it of the page's data."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


@contextlib.contextmanager
def served(
    uri: str, folder: Path, port: int, *arguments: str, token: str = TOKEN, files: str = "search.py", **variables: str
) -> Iterator[Page]:
    """A command with a page that has just begun to answer; it is gone afterwards, also where a test fails."""
    where = (*(("--host", uri) if uri else ()), "--web-host", "127.0.0.1", "--web-port", str(port))
    data = () if files.startswith("rag_") else COLLECTION
    run = start_locust(folder, *where, *data, *PHASES, *arguments, files=files, LOADGEN_TOKEN=token, **variables)
    base = arguments[arguments.index("--web-base-path") + 1] if "--web-base-path" in arguments else ""
    page = Page(run, f"http://127.0.0.1:{port}{base}")
    end = time.perf_counter() + 90
    try:
        while True:
            assert run.process.poll() is None, run.finish().err
            with contextlib.suppress(URLError, ConnectionError):
                page.read()
                break
            assert time.perf_counter() < end, "no page"
            time.sleep(0.1)
        yield page
    finally:
        if run.process.poll() is None:
            run.process.kill()
            run.process.communicate()


def searches(server: EmbeddedServer) -> int:
    assert server.metrics_uri
    return requests_seen(server.metrics_uri)["Search"]


def assert_started(answer: dict[str, Any]) -> None:
    assert answer["success"] is True, answer["message"]


def leave(page: Page, code: int = 0) -> Run:
    """Press Ctrl-C: it ends soon, with the code of the latest run and no traceback."""
    page.run.interrupt()
    page.run.finish(ENDS_WITHIN).assert_good(code)
    assert PASSWORD not in page.run.out + page.run.err
    return page.run


def test_every_setting_is_a_field_with_help_and_the_token_is_nowhere(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    with served(milvus.uri, tmp_path, free_port) as page:
        shown = page.shown
        fields = {name for name in Settings.model_fields if is_shown_on_page(name)}
        hidden = {"fault": "a command is nothing that a browser may see", "resume": "a process started with it"}
        assert set(Settings.model_fields) - fields == set(hidden)
        assert set(shown["extra_options"]) == fields - {"host"}
        for name, field in Settings.model_fields.items():
            if name in fields - {"host"}:
                assert str(field.description) in shown["extra_options"][name]["help_text"]
        assert shown["host"] == milvus.uri
        assert shown["extra_options"]["rows"]["default_value"] == "300", "what the command line says"
        assert shown["extra_options"]["phase_seconds"]["help_text"].endswith("[s]")
        assert shown["extra_options"]["mode"]["choices"] == ["compare", "sync", "async"]
        token = shown["extra_options"]["token"]
        assert (token["default_value"], token["is_secret"]) == (MASK, True)
        assert [path for path in PAGES if PASSWORD in page.read(path)] == []
        leave(page)


def test_the_number_of_users_can_be_given_for_a_run_in_one_mode(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    with served(milvus.uri, tmp_path, free_port) as page:
        assert page.shown["hide_common_options"] is False, "else a browser disables users and spawn rate"


def test_a_wrong_form_is_answered_with_its_faults_sends_nothing_and_can_be_corrected(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    assert milvus.metrics_uri
    with served(milvus.uri, tmp_path, free_port) as page:
        before = requests_seen(milvus.metrics_uri)
        answer = page.start(metric="HAMMING", top_k="0", token=f"{TOKEN}x")
        assert answer["success"] is False
        for fault in ("--metric HAMMING: should be", "--top-k 0: "):
            assert fault in answer["message"]
        assert PASSWORD not in answer["message"]
        assert page.state == ("ready", 0)
        assert requests_seen(milvus.metrics_uri) == before
        assert_started(page.start(concurrency="2"))
        page.await_state("stopped", 0)
        counted = page.counts
        assert sum(counted.values()) == requests_seen(milvus.metrics_uri)["Search"] - before["Search"] - AGREEING
        assert set(counted) == {"sync", "async"}
        leave(page)


def test_a_compare_run_and_then_runs_in_one_mode_from_the_form(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    with served(milvus.uri, tmp_path, free_port) as page:
        before = searches(milvus)
        assert_started(page.start())
        page.await_state("stopped", 0)
        counted = page.counts
        assert (set(counted), sum(counted.values())) == ({"sync", "async"}, searches(milvus) - before - AGREEING)
        levels = json.loads(page.read("/variants/data"))["levels"]
        reasons = "; ".join(reason for level in levels for reason in level["reasons"])
        assert [level["variant"] for level in levels] == ["sync", "async"] * 2
        assert ("differ" in reasons, "aborted" in reasons) == (False, False), reasons
        for users in ("3", "2"):
            before = searches(milvus)
            assert_started(page.start(mode="async", user_count=users, spawn_rate=users))
            page.await_state("running", int(users))
            time.sleep(SOME_SECONDS)
            assert page.post("/stop", {})["success"] is True
            page.await_state("stopped", 0)
            assert page.counts == {"async": searches(milvus) - before}
        before = searches(milvus)
        assert_started(page.start(mode="sync", user_count="2", spawn_rate="2"))
        page.await_state("running", 2)
        time.sleep(SOME_SECONDS)
        run = leave(page)
        assert run.reported["stats"] == {"sync search": searches(milvus) - before}
        assert [window["phase"]["mode"] for window in run.reported["windows"]] == ["sync"], "of the last run only"
        outside = sum(run.reported["outside"].get("sync search", {}).values())  # until both users were there
        assert run.counted["sync search"] + outside == run.reported["stats"]["sync search"]
        assert run.out.count(TABLE) == 4, "one table for each run"


def test_the_mask_that_a_form_sends_back_stands_for_the_token(tmp_path: Path, free_port: int) -> None:
    (tmp_path / "guarded").mkdir()
    with guarded_milvus(tmp_path / "guarded") as uri:
        with served(uri, tmp_path / "right", free_port, token="root:Milvus") as page:
            assert page.form()["token"] == MASK
            assert_started(page.start(mode="sync"))
            page.await_state("running", 1)
            time.sleep(SOME_SECONDS)
            page.run.interrupt()
            page.run.finish(ENDS_WITHIN).assert_good()
        assert page.run.reported["stats"]["sync search"] > 0
        assert "root:Milvus" not in page.run.out + page.run.err


def test_a_second_start_leaves_a_compare_run_as_it_is(milvus: EmbeddedServer, tmp_path: Path, free_port: int) -> None:
    with served(milvus.uri, tmp_path, free_port, "--concurrency", "2") as page:
        assert_started(page.start())
        page.await_state("running", 2)
        page.start(concurrency="1")
        page.await_state("stopped", 0, 15)
        run = leave(page)
        assert [window["phase"]["concurrency"] for window in run.reported["windows"]] == [2] * 4
        assert run.err.count("Phase 1 of 4") == 1


def test_ctrl_c_in_the_middle_of_a_compare_run_prints_its_table(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    with served(milvus.uri, tmp_path, free_port, "--phase-seconds", "60") as page:
        before = searches(milvus)
        assert_started(page.start())
        page.await_state("running", 1)
        time.sleep(SOME_SECONDS)
        run = leave(page, 130)
        assert run.reported["stats"] == {"sync search": searches(milvus) - before - AGREEING}
        assert run.out.count(TABLE) == 1


def test_autostart_and_autoquit_end_a_compare_run_by_themselves(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    before = searches(milvus)
    with served(milvus.uri, tmp_path, free_port, "--autostart", "--autoquit", "1") as page:
        page.run.finish(60).assert_good()
        run = page.run
    assert sum(run.reported["stats"].values()) == searches(milvus) - before - AGREEING
    windows = run.reported["windows"]
    phases = {(window["phase"]["concurrency"], window["phase"]["mode"]) for window in windows}
    assert phases == {(1, "sync"), (1, "async"), (3, "sync"), (3, "async")}
    assert [window["seconds"] for window in windows] == [0.5] * 8
    assert all(sum(window["counts"].values()) > 0 for window in windows)
    assert run.out.count(TABLE) == 1
