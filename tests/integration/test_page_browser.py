"""Our start form and the records of the page, by mouse and keyboard in a real browser."""

import re
from pathlib import Path

from playwright.sync_api import expect

from loadgen.milvus.server import EmbeddedServer
from tests.integration.browser_support import CONTRASTS, Browser, browser
from tests.integration.report_support import READABLE
from tests.integration.test_locust_browser import RUN, SOON, await_rows
from tests.integration.test_locust_page import Page, leave, served

NOT_USED = re.compile("^Not used by this run: each of its phases sets the users itself")
FIRST = ["Host", "Collection", "Rows", "Mode", "Variants", "Top k", "Concurrency", "Rate", "Phase seconds", "Require"]
PROGRESS = re.compile(r"^phase \d of 4, (\d+ min )?\d+ s left - Locust$")


def test_runs_started_from_the_form_are_followed_in_the_title_and_their_records_compared(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    with (
        served(
            milvus.uri, tmp_path, free_port, "--report", "html", "--phase-seconds", "1.5", "--concurrency", "2"
        ) as page,
        browser() as seen,
    ):
        seen.tab.goto(page.uri)
        assert_form(seen)
        assert_errors(seen)
        assert_contrast(seen, "#loadgen-start", "form")
        start_by_keyboard(seen)
        assert_run(seen, page)
        seen.tab.get_by_role("button", name="New", exact=True).click(timeout=SOON)
        panel = seen.tab.get_by_role("region", name="Start a run")
        expect(panel.get_by_label("Top k")).to_have_value("5", timeout=SOON)
        panel.get_by_role("button", name="Start", exact=True).click()
        assert_run(seen, page)
        assert_records(seen)
        assert_contrast(seen, "#loadgen-records", "records")
        assert (seen.complaints, seen.outside(page.uri)) == ([], [])
        leave(page)


def assert_form(seen: Browser) -> None:
    """Ten settings first; users only where they are used; Locust's own form behind a button."""
    panel = seen.tab.get_by_role("region", name="Start a run")
    expect(panel.get_by_role("button", name="Start", exact=True)).to_be_visible(timeout=SOON)
    assert [text for text in panel.locator("label").all_text_contents() if text in FIRST] == FIRST
    visible = [label for label in panel.locator("label").all() if label.is_visible()]
    assert [label.text_content() for label in visible] == FIRST
    expect(panel.get_by_text(NOT_USED)).to_be_visible()
    expect(panel.get_by_label("Number of users")).to_be_hidden()
    seen.picture("start-form")
    panel.get_by_label("Mode", exact=True).select_option("async")
    expect(panel.get_by_label("Number of users")).to_be_visible()
    expect(panel.get_by_label("Ramp-up")).to_be_visible()
    expect(panel.get_by_text(NOT_USED)).to_be_hidden()
    panel.get_by_label("Mode", exact=True).select_option("compare")
    expect(panel.get_by_label("Number of users")).to_be_hidden()
    expect(seen.tab.get_by_text("Start new load test")).to_be_hidden()
    panel.get_by_role("button", name="Locust's own form").click()
    expect(seen.tab.get_by_text("Start new load test")).to_be_visible()
    expect(panel.get_by_label("Rows", exact=True)).to_be_hidden()
    panel.get_by_role("button", name="Form with groups").click()


def assert_errors(seen: Browser) -> None:
    """Each error is at its field, which is opened and has the focus; nothing was started."""
    panel = seen.tab.get_by_role("region", name="Start a run")
    panel.get_by_label("Top k").fill("20000")
    panel.get_by_text("All other settings").click()
    panel.get_by_label("Deadline").fill("soon")
    panel.get_by_text("All other settings").click()
    panel.get_by_role("button", name="Start", exact=True).click()
    expect(panel.get_by_role("alert")).to_contain_text("2 settings are wrong; nothing was sent.", timeout=SOON)
    for name, text in (("Top k", "20000: "), ("Deadline", "soon: ")):
        field = panel.get_by_label(name)
        expect(field).to_be_visible()
        expect(field).to_have_attribute("aria-invalid", "true")
        error = panel.locator(f"#{field.get_attribute('id')}-error")
        expect(error).to_contain_text(text)
        assert str(error.get_attribute("id")) in str(field.get_attribute("aria-describedby"))
    assert panel.locator("[aria-invalid]").count() == 2
    assert seen.tab.evaluate("document.activeElement.name") == "top_k", "the first of them"
    seen.picture("start-form-errors")
    panel.get_by_label("Deadline").fill("30")


def start_by_keyboard(seen: Browser) -> None:
    """Every field is reached in the order of the page, with a visible focus; Enter starts."""
    panel = seen.tab.get_by_role("region", name="Start a run")
    panel.get_by_label("Host", exact=True).focus()
    reached = []
    for _ in FIRST:
        reached.append(seen.tab.evaluate("document.activeElement.labels[0].textContent"))
        seen.tab.keyboard.press("Tab")
        assert seen.tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == FIRST
    panel.get_by_label("Top k").fill("5")
    seen.tab.keyboard.press("Enter")


def assert_run(seen: Browser, page: Page) -> None:
    """Progress and time left are in the title; then the run is over, and Locust offers another one."""
    expect(seen.tab.get_by_role("tab", name="Variants")).to_be_visible(timeout=RUN)
    expect(seen.tab).to_have_title(PROGRESS, timeout=RUN)
    await_rows(seen, 4)
    page.await_state("stopped", 0)
    expect(seen.tab).to_have_title("run over - Locust", timeout=SOON)
    expect(seen.tab.get_by_role("button", name="New", exact=True)).to_be_visible(timeout=SOON)
    expect(seen.tab.get_by_role("region", name="Variants").get_by_role("status")).to_have_text(
        "The run is over.", timeout=SOON
    )


def assert_records(seen: Browser) -> None:
    """Both records are listed, open, and are compared, the older one as OLD."""
    panel = seen.tab.get_by_role("region", name="Records", exact=True)
    rows = panel.get_by_role("region", name="List of records").locator("tbody tr")
    expect(rows).to_have_count(2, timeout=SOON)
    names = [str(name).removesuffix(".json") for name in rows.locator("th").all_text_contents()]
    assert names == sorted(names, reverse=True)
    expect(rows.first.get_by_role("link", name="Report")).to_be_visible(timeout=RUN)
    with seen.tab.expect_popup() as popup:
        rows.last.get_by_role("link", name="Report").click()
    popup.value.wait_for_load_state()
    assert names[1] in popup.value.content()
    popup.value.close()
    compare = panel.get_by_role("button", name="Compare the two selected")
    expect(compare).to_be_disabled()
    for row in (rows.first, rows.last):
        row.get_by_role("checkbox").check()
    compare.focus()
    seen.tab.keyboard.press("Enter")
    by_role = panel.get_by_role("region", name="Comparison of two records")
    expect(by_role).to_be_visible(timeout=RUN)
    expect(by_role.locator("caption")).to_contain_text(f"OLD {names[1]}, NEW {names[0]}")
    assert {"sync", "async"} <= set(by_role.locator("tbody td:nth-child(2)").all_text_contents())
    seen.picture("records")


def assert_contrast(seen: Browser, panel: str, name: str) -> None:
    """Light and dark, as Locust's page is."""
    for theme in ("light", "dark"):
        seen.tab.evaluate("theme => { localStorage.theme = theme }", theme)
        seen.tab.reload()
        seen.tab.locator(panel).get_by_role("button").first.wait_for(timeout=SOON)
        seen.tab.wait_for_timeout(600)  # the script looks for the theme
        contrasts = seen.tab.locator(panel).evaluate(CONTRASTS)
        assert len(contrasts) > 10
        assert min(contrasts) >= READABLE, theme
        seen.picture(f"{name}-{theme}")
    seen.tab.evaluate("localStorage.theme = 'light'")
    seen.tab.reload()
