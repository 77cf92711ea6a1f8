"""Forms posted to the page in this process: what is accepted, what is refused, and that a refusal changes nothing."""

from typing import Any

import pytest
from flask import jsonify
from locust.argument_parser import LocustArgumentParser

from loadgen.locust_plugin.web.guard import is_own
from loadgen.settings.credentials import MASK
from loadgen.settings.model import Settings, is_set_on_page, is_shown_on_page
from tests.unit.page_support import FORM, HOST, SECRET, TOKEN, Asynchronous, Blocking, page


@pytest.fixture(autouse=True)
def _no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust reads the fields of its form from the command line, which is pytest's here."""
    monkeypatch.setattr("sys.argv", ["locust"])


def test_opening_the_page_looks_at_each_argument_a_few_times_for_each_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust's own way looks n^3 times, which stalled the hub for 0.2 s in the middle of a run."""
    looks = 0

    def look(parser: LocustArgumentParser) -> dict[str, Any]:
        nonlocal looks
        looks += 1
        return {action.dest: action for action in parser._actions if getattr(action, "include_in_web_ui", False)}

    with page(monkeypatch) as served:
        fields = len(served.web_ui.template_args["extra_options"])
        monkeypatch.setattr(LocustArgumentParser, "args_included_in_web_ui", property(look))
        served.web_ui.update_template_args()
        options = served.web_ui.template_args["extra_options"]
    assert fields > 50
    assert looks < 10 * len(vars(served.environment.parsed_options))
    assert [name for name, option in options.items() if option["is_secret"]] == ["token"]


WRONG: tuple[dict[str, str], ...] = (
    {"rows": "0"}, {"metric": "HAMMING"}, {"host": "http://evil"}, {"host": "http://evil", "token": MASK},
    {"host": "https://m:19530"}, {"host": ""}, {"host": "http://m.:19530"}, {"host": "http://m@evil:1#"},
    {"host": "http://root:new@evil", "token": "other"}, {"host": "unix:/run/docker.sock", "token": ""},
    {"host": "./x.db", "token": ""}, {"record": "/x"}, {"cache": "/x"}, {"metrics_targets": "/x.json"},
    {"ca_file": "/etc/passwd"}, {"client_key_file": "/etc/passwd"}, {"server_name": "evil"}, {"html_file": "/x"},
    {"json_file": "/x"}, {"logfile": "/x"}, {"csv_prefix": "x"}, {"locustfile": "x"}, {"web_port": "1"},
    {"master_bind_host": "10.0.0.1"}, {"exit_code_on_error": "0"}, {"stop_timeout": "9"}, {"metrics_bind": "10.0.0.1"},
    {"user_count": "many"}, {"spawn_rate": "fast"}, {"run_time": "long"}, {"mode": "sync", "spawn_rate": "-1"},
    {"require": "nonsense"}, {"require": "search p99 < 1 s; nonsense"}, {"max_failures": "lots"},
)  # fmt: skip


def test_a_form_that_is_refused_changes_nothing_and_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with page(monkeypatch, "--host", HOST, "--token", TOKEN) as served:
        before = served.state()
        for wrong in WRONG:
            answer = served.post(**wrong)
            assert (wrong, answer["success"]) == (wrong, False)
            assert SECRET not in answer["message"]
            assert served.state() == before, wrong
        assert served.post(mode="async")["success"] is True, "the page goes on working"
        assert served.settings().token.get_secret_value() == TOKEN


def test_no_start_is_accepted_while_the_run_before_is_still_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with page(monkeypatch, "--host", HOST) as served:
        served.asking.is_ending = lambda: True
        before = served.state()
        reported = served.post()["message"]
        assert reported.endswith("--mode compare: cannot start while a run is active. Wait until it has ended.")
        assert served.state() == before
        served.asking.is_ending = lambda: False
        assert served.post()["success"] is True


def test_what_the_process_was_started_with_is_shown_and_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with page(monkeypatch, "--host", HOST) as served:
        served.web_ui.update_template_args()
        shown = served.web_ui.template_args["extra_options"]
        for name in Settings.model_fields:
            if is_set_on_page(name):
                continue
            flag, other = f"--{name.replace('_', '-')}", "true" if name in ("dry_run", "resume") else "/x"
            assert f"{flag} {other}: cannot be set from the page" in served.post(**{name: other})["message"]
            if not is_shown_on_page(name):
                assert name not in shown
                continue
            assert shown[name]["help_text"].endswith("(set when the process starts)")
            assert served.post(**{name: shown[name]["default_value"]})["success"] is True


@pytest.mark.parametrize(
    ("form", "host", "token"),
    [
        ({}, HOST, TOKEN),
        ({"token": MASK, "host": "HTTP://M"}, "HTTP://M", TOKEN),
        ({"host": "http://other", "token": "new"}, "http://other", "new"),
        ({"host": "http://other", "token": ""}, "http://other", ""),
        ({"host": "http://a:b@other", "token": MASK}, "http://other", "a:b"),
        ({"host": f"http://{TOKEN}@m", "token": MASK}, "http://m", TOKEN),
        ({"host": "http://root:new@m:19530"}, HOST, "root:new"),
    ],
)
def test_a_token_goes_with_the_host_it_was_given_for(
    form: dict[str, str], host: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with page(monkeypatch, "--host", HOST, "--token", TOKEN) as served:
        answer = served.post(**form)
        assert (answer["success"], answer["host"]) == (True, host)
        settings = served.settings()
        assert (settings.host, settings.token.get_secret_value()) == (host, token)


def test_a_token_that_the_server_refused_is_forgotten_and_one_that_it_took_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with page(monkeypatch, "--host", HOST, "--token", TOKEN) as served:
        assert served.post(token="root:WRONG")["success"] is True
        served.asking.roll_back()  # as a start does that its server refuses
        assert served.settings().token.get_secret_value() == TOKEN
        assert served.post(token="root:better")["success"] is True
        served.asking.commit()
        assert served.post(token=MASK)["success"] is True
        assert served.settings().token.get_secret_value() == "root:better"


def test_the_untouched_form_is_accepted_and_changes_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ("--require", "search p99 < 1 s", "--require", "search failures < 1 %", "--index-params", "M=8,ef=9")
    with page(monkeypatch, "--host", f"http://{TOKEN}@m", *flags, "--upsert", "--metrics-linger", "2.50") as served:
        before = served.settings()
        assert (before.host, before.token.get_secret_value()) == ("http://m", TOKEN)
        for _ in range(2):
            served.web_ui.update_template_args()
            shown = served.web_ui.template_args
            assert SECRET not in str(shown)
            values = {name: option["default_value"] for name, option in shown["extra_options"].items()}
            form = {name: str(value).lower() if isinstance(value, bool) else value for name, value in values.items()}
            assert form["token"] == MASK
            assert served.post(**form, host=shown["host"])["success"] is True
            assert served.settings() == before
            served.asking.commit()


def test_a_setting_that_a_form_leaves_out_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    with page(monkeypatch, "--host", HOST) as served:
        assert served.post(top_k="3", mode="sync")["success"] is True
        served.asking.commit()
        assert served.post(seed="7")["success"] is True
        settings = served.settings()
        assert (settings.top_k, settings.mode, settings.seed) == (3, "sync", 7)


ACTIVE = "differs from the active run"


@pytest.mark.parametrize("state", ["spawning", "running"])
def test_of_an_active_run_only_its_users_are_changed(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with page(monkeypatch, "--host", HOST, "--token", TOKEN, "--mode", "async") as served:
        assert served.post()["success"] is True
        served.asking.commit()
        monkeypatch.setattr(served.runner, "state", state)
        before = served.state()
        answer = served.post(mode="sync", rows="5000", token="typed", concurrency="1,8,32")
        for fault in (f"--mode sync: {ACTIVE}", f"--rows 5000: {ACTIVE}", f"--token: {ACTIVE}"):
            assert fault in answer["message"]
        assert "--concurrency" not in answer["message"], "it does not differ"
        assert served.state() == before
        assert served.post(user_count="7", spawn_rate="2")["success"] is True
        assert served.state() == before | {"num_users": 7, "spawn_rate": 2.0}
        assert served.client.post("/user", json={"user_class_name": "Blocking", "mode": "x"}).status_code == 409


@pytest.mark.parametrize("what", ["shape_greenlet", "spawning_greenlet"])
def test_a_run_in_preparation_or_of_phases_takes_no_second_start(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with page(monkeypatch, "--host", HOST) as served:
        monkeypatch.setattr(served.runner, what, 1)  # a greenlet that is alive is true
        answer = served.post()
        assert (answer["success"], "cannot start while a run is active" in answer["message"]) == (False, True)
        assert f"--seed 7: {ACTIVE}" in served.post(seed="7")["message"]
        monkeypatch.setattr(served.runner, what, None)
        assert served.post()["success"] is True


def test_an_embedded_server_is_not_in_the_form_and_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with page(monkeypatch) as served:
        served.asking.answer_at("http://127.0.0.1:40000")
        assert served.settings().host == "http://127.0.0.1:40000"
        served.web_ui.update_template_args()
        assert served.web_ui.template_args["host"] == ""
        served.asking.forget_server()
        assert served.settings().host == ""


def test_an_exception_in_locusts_handler_leaves_all_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    with page(monkeypatch, "--host", HOST) as served:
        before = served.state()
        monkeypatch.setattr(served.runner, "start_shape", lambda: jsonify(undefined=object()))
        assert served.client.post("/swarm", data=FORM | {"seed": "7"}).status_code == 500
        assert served.state() == before


def test_a_locustfiles_own_routes_are_not_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    with page(monkeypatch, "--host", HOST) as served:
        assert served.web_ui.app is not None
        served.web_ui.app.add_url_rule("/signed-in", "signed_in", lambda: "welcome", methods=["POST"])
        foreign = {"Origin": "https://login.example"}
        assert served.client.post("/signed-in", headers=foreign).status_code == 200
        assert served.client.post("/stop", headers=foreign).status_code == 403


def test_a_host_in_a_locustfile_loses_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asynchronous, "host", f"http://{TOKEN}@m")
    monkeypatch.setattr(Blocking, "host", f"http://{TOKEN}@m")
    with page(monkeypatch) as served:
        assert (Asynchronous.host, Blocking.host) == ("http://m", "http://m")
        assert SECRET not in served.client.get("/stats/report").get_data(as_text=True)


@pytest.mark.parametrize(
    ("headers", "host", "own"),
    [
        ({}, "m:8089", True),
        ({"Origin": "http://m:8089"}, "m:8089", True),
        ({"Origin": "http://M:8089"}, "m:8089", True),
        ({"Origin": "https://m"}, "m:443", True),
        ({"Origin": "http://m"}, "m", True),
        ({"Origin": "https://m", "Sec-Fetch-Site": "same-origin"}, "upstream:1", True),
        ({"Sec-Fetch-Site": "none"}, "m", True),
        ({"Origin": "http://m:8090"}, "m:8089", False),
        ({"Origin": "https://m"}, "m:80", False),
        ({"Origin": "http://m.evil:8089"}, "m:8089", False),
        ({"Origin": "http://evil@m:8089"}, "evil:8089", False),
        ({"Origin": "null"}, "m", False),
        ({"Origin": ""}, "m", False),
        ({"Origin": "http://["}, "m", False),
        ({"Origin": "file://"}, "m", False),
        ({"Origin": "http://m", "Sec-Fetch-Site": "cross-site"}, "m", False),
        ({"Sec-Fetch-Site": "same-site"}, "m", False),
        ({"Sec-Fetch-Site": ""}, "m", False),
    ],
)
def test_a_request_of_another_site_is_known_by_its_headers(headers: dict[str, str], host: str, own: bool) -> None:
    assert is_own(headers, host) is own
