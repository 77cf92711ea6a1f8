"""The two pictures of README and docs, from a real run of a minute: `make pictures` runs this, `make test` does not."""

import shutil
from pathlib import Path

from playwright.sync_api import expect

from loadgen.milvus.server import EmbeddedServer
from tests.integration.browser_support import browser
from tests.integration.locust_command import ROOT
from tests.integration.test_locust_browser import await_rows, open_form, opened
from tests.integration.test_locust_page import leave, served

PICTURES = ROOT / "docs" / "pictures"
DATA = ("--collection", "loadgen", "--rows", "10000", "--dim", "768", "--clusters", "64", "--queries", "1000")
LEVELS = "1,8,32"
PHASES = ("--concurrency", LEVELS, "--phase-seconds", "5", "--warmup-seconds", "1", "--report", "html")
ENDED = 240_000
"""Milliseconds."""


def test_a_run_gives_the_pictures_of_the_page_and_of_its_report(
    milvus: EmbeddedServer, tmp_path: Path, free_port: int
) -> None:
    with served(milvus.uri, tmp_path, free_port, *DATA, *PHASES) as page, browser() as seen:
        open_form(seen, page)
        seen.tab.get_by_role("button", name="Start").click()
        seen.tab.get_by_role("tab", name="Variants").click()
        panel = seen.tab.get_by_role("region", name="Variants")
        expect(panel.get_by_role("link", name="Report of this run")).to_be_visible(timeout=ENDED)
        await_rows(seen, 12)
        report = opened(seen, "Report of this run")
        taken = [
            seen.crop("docs-page", seen.tab, 1200, "#loadgen-panel"),
            seen.crop("docs-report", report, 1000, "figure:nth-of-type(2)"),
        ]
        leave(page)
    for path in taken:
        PICTURES.mkdir(exist_ok=True)
        shutil.copy(path, PICTURES / path.name.removeprefix("docs-"))
