"""The routes of the tab: behind Locust's login, below its base path, and only files of the run."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from locust.env import Environment

from loadgen.locust_plugin.display.progress import Progress
from loadgen.locust_plugin.web.guard import add_guard
from loadgen.locust_plugin.web.tab import COLUMNS, KEY, _show_goodput, _state, add_tab
from loadgen.locust_plugin.web.tab_data import TabData
from loadgen.measure.ledger import Ledger
from loadgen.results.levels import LevelResult, find_levels
from tests.unit.result_support import results_of
from tests.unit.test_tables import two_rounds

ROUTES = ("now", "data", "record", "report")


@pytest.fixture(autouse=True)
def _no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust reads the fields of its form from the command line, which is pytest's here."""
    monkeypatch.setattr("sys.argv", ["locust"])


@cache
def measured_levels() -> list[LevelResult]:
    """What two rounds came to."""
    ledger = Ledger()
    two_rounds(ledger, [0.010] * 500, [0.005] * 1_000)
    return find_levels(results_of(ledger), seed=1)


@contextmanager
def page(
    record: Path | None = None,
    base: str = "",
    login: bool = False,
    progress: Progress | None = None,
    *,
    folder: str = "",
) -> Iterator[tuple[Any, TabData]]:
    """A client of Locust's page with our tab, and what it shows."""
    ledger = Ledger()
    two_rounds(ledger, [0.010] * 500, [0.005] * 1_000)
    tab_data = TabData(ledger, progress or Progress())
    tab_data.take(measured_levels(), ["Async wins."])
    environment = Environment()
    runner = environment.create_local_runner()
    web_ui = environment.create_web_ui("", 0, web_base_path=base or None, web_login=login, delayed_start=True)
    assert web_ui.app is not None
    web_ui.app.secret_key = "for this test"
    if login:
        web_ui.login_manager.user_loader(lambda _: None)
    add_tab(web_ui, base, tab_data, lambda: record)
    if folder:
        environment.parsed_options = SimpleNamespace(record=folder)
    add_guard(web_ui.app)
    try:
        yield web_ui.app.test_client(), tab_data
    finally:
        runner.quit()


def test_the_page_names_the_tab_its_columns_and_its_files() -> None:
    with page() as (client, _):
        text = client.get("/").get_data(as_text=True)
    shown = json.loads(text.partition("window.templateArgs = ")[2].partition("\n")[0])
    assert shown["extended_tabs"] == [{"title": "Variants", "key": "variants"}]
    table = shown["extended_tables"][0]
    assert (table["key"], table["structure"][0]) == ("variants", {"key": "users", "title": "Users or rate"})
    assert [column["title"] for column in table["structure"][1:4]] == ["Operation", "Variant", "Verdict"]
    assert [file["href"] for file in shown["extended_csv_files"]] == [
        "./variants/report",
        "./variants/record",
    ]
    for name in ("tab.js", "form.js", "records.js", "tab.css", "form.css"):
        assert text.index(f"./variants/{name}") < text.index("</body>")


def test_its_table_has_a_column_of_goodput_whenever_it_is_opened_with_an_objective() -> None:
    structure = [{"key": key, "title": title} for key, title in COLUMNS.items()]
    options = SimpleNamespace(objective="")
    page_of_locust: Any = SimpleNamespace(
        environment=SimpleNamespace(parsed_options=options),
        template_args={"extended_tables": [{"key": "own", "structure": []}, {"key": KEY, "structure": structure}]},
        update_template_args=lambda: None,
    )
    _show_goodput(page_of_locust)
    for objective, shown in (("", 0), ("response < 1 s", 1), ("response < 2 s", 1), (" ", 0)):
        options.objective = objective
        page_of_locust.update_template_args()
        other, own = page_of_locust.template_args["extended_tables"]
        assert other["structure"] == []
        assert own["structure"] == structure + [{"key": "goodput", "title": "Good/s"}] * shown


@pytest.mark.parametrize("base", ["", "/locust"])
def test_locusts_own_table_gets_a_row_for_each_variant_at_each_level(base: str) -> None:
    with page(base=base) as (client, tab_data):
        reported = client.get(f"{base}/stats/requests").get_json()
        again = client.get(f"{base}/stats/requests").get_json()
        tab_data.reset()
        later = client.get(f"{base}/stats/requests").get_json()
    (extended,) = reported["extended_stats"]
    assert extended["key"] == "variants"
    assert [(row["users"], row["variant"], row["verdict"], row["throughput"]) for row in extended["data"]] == [
        ("8", "sync (baseline)", "", 50.0),
        ("8", "async", "async wins", 100.0),
    ]
    assert again["extended_stats"] == reported["extended_stats"], "Locust keeps its answer for two seconds"
    assert later["extended_stats"] == [{"key": "variants", "data": []}]
    assert reported["state"] == "ready"


def test_while_data_load_the_page_is_told_that_the_run_begins_and_does_not_go_back_to_its_form() -> None:
    progress = Progress()
    with page(progress=progress) as (client, _):
        assert states(client) == ("ready", "ready")
        progress.begin_preparing()
        assert states(client) == ("spawning", "spawning")
        progress.rest()
        assert states(client) == ("ready", "ready")


def test_while_a_run_is_written_the_page_goes_on_asking_and_then_offers_the_next() -> None:
    """Locust's page asks only while it is spawning or running: after `stopping` it would show that for ever."""
    tab_data = TabData(Ledger(), Progress())
    assert [_state(state, tab_data) for state in ("stopping", "cleanup", "stopped")] == [
        "running",
        "running",
        "stopped",
    ]
    tab_data.is_ending = True
    assert [_state(state, tab_data) for state in ("stopped", "running", "ready")] == [
        "running",
        "running",
        "ready",
    ]


def states(client: Any) -> tuple[str, str]:
    """The data for a page that opens now, and for one that is open."""
    text = client.get("/").get_data(as_text=True)
    opened = json.loads(text.partition("window.templateArgs = ")[2].partition("\n")[0])
    return opened["state"], client.get("/stats/requests").get_json()["state"]


@pytest.mark.parametrize("base", ["", "/locust"])
def test_script_style_and_figures_are_below_the_base_path(base: str) -> None:
    with page(base=base) as (client, _):
        assert client.get(f"{base}/variants/tab.js").mimetype.endswith("/javascript")
        assert client.get(f"{base}/variants/tab.css").mimetype == "text/css"
        reported = client.get(f"{base}/variants/data").get_json()
    assert [row["throughput"] for row in reported["phases"]] == [50, 100, 100, 50]
    assert reported["files"] == {"record": False, "report": False}


def test_record_and_report_are_those_of_the_run_and_their_absence_is_told(tmp_path: Path) -> None:
    record = tmp_path / "run.json"
    with page(record) as (client, _):
        for name, words in (("record", "No run record"), ("report", "No report yet")):
            answer = client.get(f"/variants/{name}")
            assert (answer.status_code, answer.mimetype) == (404, "text/plain")
            assert words in answer.get_data(as_text=True)
        record.write_text('{"run_id": "one"}')
        assert client.get("/variants/record").get_json() == {"run_id": "one"}
        assert client.get("/variants/data").get_json()["files"] == {"record": True, "report": False}
        record.with_suffix(".html").write_text("<title>Report</title>")
        answer = client.get("/variants/report")
        assert (answer.mimetype, answer.get_data(as_text=True)) == ("text/html", "<title>Report</title>")
        assert client.get("/variants/data").get_json()["files"] == {"record": True, "report": True}
        assert client.get("/variants/../run.json").status_code == 404


def test_nobody_sees_figures_or_files_before_the_login(tmp_path: Path) -> None:
    record = tmp_path / "run.json"
    record.write_text("{}")
    with page(record, login=True) as (client, _):
        for name in ROUTES:
            answer = client.get(f"/variants/{name}")
            assert (answer.status_code, answer.location.partition("?")[0]) == (302, "/login")
        assert "extended_stats" not in client.get("/stats/requests").get_data(as_text=True)
