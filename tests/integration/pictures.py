"""The two pictures of README and docs: `make pictures` runs this, `make test` does not.

The page is that of a run of a minute, the report that of the committed record whose verdict README shows.
"""

import shutil
from pathlib import Path

from playwright.sync_api import expect

from loadgen.milvus.server import EmbeddedServer
from loadgen.reports.html import to_html
from loadgen.reports.summary import summarize
from loadgen.results.record import read_record
from tests.integration.browser_support import browser
from tests.integration.locust_command import ROOT
from tests.integration.test_locust_browser import await_rows, open_form
from tests.integration.test_locust_page import leave, served

PICTURES = ROOT / "docs" / "pictures"
DATA = ("--collection", "loadgen", "--rows", "10000", "--dim", "768", "--clusters", "64", "--queries", "1000")
LEVELS = "1,8,32"
PHASES = ("--concurrency", LEVELS, "--phase-seconds", "5", "--warmup-seconds", "1", "--report", "html")
ENDED = 240_000
"""Milliseconds."""


def test_a_run_gives_the_picture_of_the_page(milvus: EmbeddedServer, tmp_path: Path, free_port: int) -> None:
    with served(milvus.uri, tmp_path, free_port, *DATA, *PHASES) as page, browser() as seen:
        open_form(seen, page)
        seen.tab.get_by_role("button", name="Start", exact=True).click()
        seen.tab.get_by_role("tab", name="Variants").click()
        panel = seen.tab.get_by_role("region", name="Variants")
        expect(panel.get_by_role("link", name="Report of this run")).to_be_visible(timeout=ENDED)
        await_rows(seen, 12)
        keep(seen.crop("docs-page", seen.tab, 1200, "#loadgen-panel"))
        leave(page)


def test_the_record_of_the_demo_gives_the_picture_of_a_report(tmp_path: Path) -> None:
    report = tmp_path / "demo.html"
    report.write_text(to_html([summarize(read_record(ROOT / "docs" / "records" / "demo.json"))]), encoding="utf-8")
    with browser() as seen:
        seen.tab.goto(report.as_uri())
        keep(seen.crop("docs-report", seen.tab, 1000, ".cover"))


def keep(path: Path) -> None:
    """Into the docs."""
    shutil.copy(path, PICTURES / path.name.removeprefix("docs-"))
