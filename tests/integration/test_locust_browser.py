"""A person in front of Locust's page: a real browser drives the real command."""

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import RunRecord
from loadgen.results.verdict import explain
from loadgen.settings.model import Settings, is_shown_on_page
from tests.integration.browser_support import CONTRASTS, Browser, browser
from tests.integration.report_support import READABLE, assert_report_readable
from tests.integration.test_locust_page import Page, leave, served

SOON = 10_000
"""Milliseconds."""
RUN = 60_000
SHOWN = "2.1"
"""Seconds of a phase that the tab, which asks every 2 s, shows at least once while it runs."""
GROUPS = ["server", "collection", "data", "operations", "run", "result", "metrics"]


def open_form(seen: Browser, page: Page) -> None:
    seen.tab.goto(page.uri)
    seen.tab.get_by_role("button", name="Locust's own form").click()
    seen.tab.get_by_text("Custom parameters").click()


def rows(seen: Browser) -> list[list[str]]:
    """The cells of our table, row by row."""
    result = seen.tab.get_by_role("region", name="Phases").locator("tbody tr").all()
    return [[cell.strip() for cell in row.locator("th, td").all_text_contents()] for row in result]


def await_rows(seen: Browser, number: int) -> None:
    expect(seen.tab.get_by_role("region", name="Phases").locator("tbody tr")).to_have_count(number, timeout=RUN)


def levels(seen: Browser) -> list[list[str]]:
    """The cells of Locust's own table in our tab."""
    return [row.locator("td").all_text_contents() for row in seen.tab.locator("main tbody tr").all()]


def opened(seen: Browser, name: str) -> Any:
    """What a link of the panel opens, in a tab of its own."""
    with seen.tab.expect_popup() as popup:
        seen.tab.get_by_role("navigation", name="Files of this run").get_by_role("link", name=name).click()
    popup.value.wait_for_load_state()
    return popup.value


def test_a_compare_run_started_from_the_form_fills_the_tab_and_leads_to_record_and_report(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    with (
        served(milvus.uri, tmp_path, free_port, "--phase-seconds", SHOWN, "--report", "html") as page,
        browser() as seen,
    ):
        open_form(seen, page)
        assert_form(seen)
        seen.tab.get_by_label("Concurrency (run:").fill("2")
        seen.tab.get_by_role("button", name="Start", exact=True).click()
        seen.tab.get_by_role("tab", name="Variants").click()
        panel = seen.tab.get_by_role("region", name="Variants")
        expect(panel.get_by_role("status")).to_contain_text("of 4: ", timeout=RUN)  # the data are loaded before
        expect(panel.locator("tr.live")).to_have_count(1, timeout=SOON)
        expect(panel.get_by_role("status")).to_have_text(re.compile(r"^phase \d of 4: a?sync, 2 users$"), timeout=SOON)
        seen.picture("tab-live")
        await_rows(seen, 4)
        page.await_state("stopped", 0)
        expect(panel.get_by_role("status")).to_have_text("The run is over.", timeout=SOON)
        expect(seen.tab.locator("main tbody tr")).to_have_count(2, timeout=SOON)
        shown = rows(seen)
        record = json.loads(opened(seen, "Run record (JSON)").locator("body").inner_text())
        assert_same_figures(shown, levels(seen), record)
        link = panel.get_by_role("link", name="Report of this run")
        expect(link).to_be_visible(timeout=RUN)
        report = opened(seen, "Report of this run")
        assert report.url == f"{page.uri}/variants/report"
        assert record["run_id"] in report.content()
        assert_report_readable(seen, report)
        said = explain(RunRecord.model_validate_json(json.dumps(record))).lines()
        assert [line for line in said if line not in str(panel.text_content())] == []
        seen.picture("tab-end")
        assert_accessible(seen)
        seen.tab.get_by_role("tab", name="Statistics").click()
        expect(panel).to_be_hidden(timeout=SOON)
        assert (seen.complaints, seen.outside(page.uri)) == ([], [])
        leave(page)


def assert_form(seen: Browser) -> None:
    """Every setting is a field with its name, in groups, with choices and numbers."""
    mode = seen.tab.get_by_label("Mode (run: compare sync and async at each load level")
    assert mode.evaluate("field => [...field.options].map(one => one.value)") == ["compare", "sync", "async"]
    assert seen.tab.get_by_label("Rows (data: rows in the collection").get_attribute("type") == "number"
    assert seen.tab.get_by_label("Phase Seconds (run: measured duration of a phase [s])").input_value() == SHOWN
    token = seen.tab.get_by_label("Token (server: token, or user:password").first
    assert (token.get_attribute("type"), token.input_value()) == ("password", "********")
    labels = seen.tab.locator("#root form label").all_text_contents()
    groups = [group for text in labels if (group := text.partition("(")[2].partition(":")[0]) in GROUPS]
    shown = [name for name in Settings.model_fields if is_shown_on_page(name)]
    assert len(groups) == len(shown) - 1, "all but the host, which Locust asks for itself"
    assert groups == sorted(groups, key=GROUPS.index), "one group after another"
    expect(seen.tab.get_by_label("Max Failures (result:")).to_be_visible(timeout=SOON)
    seen.tab.wait_for_timeout(400)  # the fields unfold slowly
    seen.picture("form")


def assert_same_figures(shown: list[list[str]], compared: list[list[str]], record: dict[str, Any]) -> None:
    """The tab shows what the record has."""
    phases = [(phase, phase["operations"][0]) for phase in record["phases"]]
    assert [(row[0], row[1], row[2], row[3]) for row in shown] == [
        (str(number + 1), phase["variant"], str(phase["concurrency"]), operation["operation"])
        for number, (phase, operation) in enumerate(phases)
    ]
    assert [row[4] for row in shown] == [f"{operation['throughput']:,.1f}" for _, operation in phases]
    for place, name in ((6, "p50"), (7, "p99")):
        wanted = [operation["service_seconds"][name] * 1000 for _, operation in phases]
        assert [abs(float(row[place]) - one) < 0.011 for row, one in zip(shown, wanted, strict=True)] == [True] * 4
    ratios = [(one["throughput_ratio"], one["p99_ratio"]) for one in record["comparisons"]]
    texts = [[f"{one['estimate']:.2f} ({one['low']:.2f}-{one['high']:.2f})" for one in pair] for pair in ratios]
    assert [row[2] for row in compared] == ["sync (baseline)", "async"]
    assert [row[4:6] for row in compared] == [["", ""], *texts]


def assert_accessible(seen: Browser) -> None:
    """Names, keyboard and contrast of what we add to the page, light and dark."""
    panel = seen.tab.locator("#loadgen-panel")
    seen.tab.get_by_role("link", name="Report of this run").focus()
    seen.tab.keyboard.press("Shift+Tab")
    seen.tab.keyboard.press("Tab")
    focused = []
    for _ in range(3):
        focused.append(seen.tab.evaluate("document.activeElement.textContent.slice(0, 10)"))
        assert seen.tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        seen.tab.keyboard.press("Tab")
    assert focused == ["Report of ", "Run record", "In chronol"], "links, then the table, which may have to scroll"
    assert panel.locator("table caption").count() == 1
    assert panel.locator("thead th:not([scope=col]), tbody th:not([scope=row])").count() == 0
    assert panel.locator("h2").all_text_contents() == ["Phase by phase"]
    for theme in ("light", "dark"):
        seen.tab.evaluate("theme => { localStorage.theme = theme }", theme)
        seen.tab.reload()
        await_rows(seen, 4)
        contrasts = panel.evaluate(CONTRASTS)
        assert len(contrasts) > 4 * 7
        assert min(contrasts) >= READABLE, theme
        seen.picture(f"tab-{theme}")
    seen.tab.evaluate("localStorage.theme = 'light'")


def test_a_run_in_one_mode_is_shown_live_and_a_page_that_comes_late_sees_it(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    with served(milvus.uri, tmp_path, free_port) as page, browser() as seen:
        page.start(mode="async", user_count="2", spawn_rate="2")
        page.await_state("running", 2)
        seen.tab.goto(f"{page.uri}/?tab=variants")
        panel = seen.tab.get_by_role("region", name="Variants")
        expect(panel.get_by_role("status")).to_have_text("async, 2 users", timeout=SOON)
        expect(panel.locator("tr.live.look-1")).to_have_count(1, timeout=SOON)
        first = float(rows(seen)[0][4].replace(",", ""))
        assert first > 0
        page.post("/stop", {})
        expect(panel.get_by_role("status")).to_have_text("The run is over.", timeout=SOON)
        expect(panel.locator("tr.live")).to_have_count(0, timeout=SOON)
        assert (seen.complaints, seen.outside(page.uri)) == ([], [])
        leave(page)
