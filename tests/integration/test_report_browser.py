"""Reports in a real browser: widths from a phone to a large screen, dark, by keyboard, and on paper."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from unicodedata import normalize

import pytest
from pypdf import PdfReader

from loadgen.reports.html import to_html
from loadgen.reports.summary import Summary, summarize
from loadgen.results.record import read_record
from tests.integration.browser_support import CONTRASTS, Browser, browser
from tests.integration.locust_command import ROOT
from tests.integration.report_support import PAGE_OVERFLOW, READABLE, SIDEWAYS
from tests.unit.test_large_records import many_phases
from tests.unit.variant_support import five_variants

WIDTHS = (360, 768, 1200, 1600)
BROKEN = """
() => {
  const broken = [];
  for (const cell of document.querySelectorAll("th, td")) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      for (const word of node.data.matchAll(/[^\\s\\-\\/]+/g)) {
        if (word[0].length > 40) continue;
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(one => Math.round(one.top))).size > 1) broken.push(word[0]);
      }
    }
  }
  return broken;
}
"""
"""Words of tables on two lines. A word longer than 40 characters may be: an address, or a path."""
OPEN = "() => document.querySelectorAll('details').forEach(one => { one.open = true; })"
VALUE = """
() => {
  const one = document.activeElement;
  if (one.type !== "radio") return null;
  const text = one.parentElement.querySelector("span");
  const box = text.getBoundingClientRect(), chart = one.closest(".chart").getBoundingClientRect();
  const inside = box.left >= chart.left - 1 && box.right <= chart.right + 1;
  return [text.textContent, getComputedStyle(text).opacity, getComputedStyle(one).outlineStyle, inside];
}
"""
"""Of the value that has the focus: its text, whether it is seen, its outline, and whether it is within its chart."""
ONLY_COVER = ".cover ~ *, main > :not(article) { display: none !important }"
CLIPPED = """
() => [...document.querySelectorAll(".cover, .cover section, .conditions")].filter(
  one => one.scrollHeight > one.clientHeight + 1).map(one => one.className)
"""


def crowded() -> Summary:
    """A record with a long verdict and more warnings than fit on a sheet."""
    lost = many_phases(60, saturated=True, unfinished=8, longest_unfinished_seconds=5.0, workers_lost=1)
    return summarize(lost)


REPORTS = {
    "demo": lambda: summarize(read_record(ROOT / "docs" / "records" / "demo.json")),
    "variants": lambda: summarize(five_variants()),
    "crowded": crowded,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    made = {name: folder / f"{name}.html" for name in REPORTS}
    for name, path in made.items():
        path.write_text(to_html([REPORTS[name]()]), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def seen() -> Iterator[Browser]:
    with browser() as opened:
        yield opened
        assert opened.complaints == [], "the policy of the page has stopped nothing"


def show(seen: Browser, path: Path, width: int = 1200, theme: str = "light") -> None:
    seen.tab.emulate_media(media="screen", color_scheme="dark" if theme == "dark" else "light")
    seen.tab.set_viewport_size({"width": width, "height": 900})
    seen.tab.goto(path.as_uri())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", REPORTS)
def test_at_every_width_only_boxes_scroll_sideways_and_no_word_of_a_table_is_broken(
    name: str, width: int, seen: Browser, files: dict[str, Path]
) -> None:
    show(seen, files[name], width)
    for opened in (False, True):
        if opened:
            seen.tab.evaluate(OPEN)
        assert seen.tab.evaluate(PAGE_OVERFLOW) == 0
        assert set(seen.tab.evaluate(SIDEWAYS)) <= {"scroll"}
        assert seen.tab.evaluate(BROKEN) == []
    assert seen.tab.locator("table").count() > 4
    seen.picture(f"report-{name}-{width}")


@pytest.mark.parametrize("name", REPORTS)
def test_every_text_can_be_read_on_a_light_and_on_a_dark_page(name: str, seen: Browser, files: dict[str, Path]) -> None:
    backgrounds = []
    for theme in ("light", "dark"):
        show(seen, files[name], theme=theme)
        seen.tab.evaluate(OPEN)
        contrasts = seen.tab.locator("main").evaluate(CONTRASTS)
        assert len(contrasts) > 100
        assert min(contrasts) >= READABLE, theme
        backgrounds.append(seen.tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        seen.picture(f"report-{name}-{theme}")
    assert backgrounds == ["rgb(255, 255, 255)", "rgb(21, 24, 28)"]
    line = seen.tab.locator("figure svg [style*='--c-0072b2']").first
    if name == "demo":
        assert line.evaluate("one => getComputedStyle(one).stroke") == "rgb(94, 179, 228)"


def test_the_keyboard_goes_from_value_to_value_and_shows_each(seen: Browser, files: dict[str, Path]) -> None:
    show(seen, files["demo"])
    values = seen.tab.get_by_role("radiogroup").first
    wanted = values.locator("span").all_text_contents()
    values.locator("input").first.focus()
    reached = []
    for _ in wanted:
        shown = seen.tab.evaluate(VALUE)
        assert shown[1:] == ["1", "solid", True], shown
        reached.append(shown[0])
        seen.tab.keyboard.press("ArrowRight")
    assert reached == wanted
    assert len(wanted) > 3
    assert values.get_by_role("radio", name=wanted[-1]).count() == 1, "a screen reader says the value"
    seen.tab.keyboard.press("Tab")
    assert seen.tab.evaluate("document.activeElement.type") != "radio", "one stop a chart, not one a value"


def test_the_mouse_shows_the_value_below_it_and_no_other(seen: Browser, files: dict[str, Path]) -> None:
    show(seen, files["demo"])
    labels = seen.tab.locator("figure .values").first.locator("label")
    labels.last.hover()
    shown = labels.locator("span").evaluate_all(
        "every => every.filter(one => getComputedStyle(one).opacity === '1').map(one => one.textContent)"
    )
    assert shown == [labels.last.locator("span").text_content()]
    seen.picture("report-value")


@pytest.mark.parametrize("name", REPORTS)
def test_the_first_page_is_one_sheet_with_question_verdict_chart_and_conditions(
    name: str, seen: Browser, files: dict[str, Path]
) -> None:
    show(seen, files[name])
    seen.tab.emulate_media(media="print")
    summary = REPORTS[name]()
    whole = PdfReader(BytesIO(seen.tab.pdf(prefer_css_page_size=True)))
    first = " ".join(normalize("NFKC", whole.pages[0].extract_text()).split())  # without ligatures
    for part in (summary.question, summary.record.run_id, summary.explanation.headlines[0][:40], "Server", "Versions"):
        assert part in first
    assert "What was compared" not in first
    assert "Outcomes and recall" not in first
    assert len(whole.pages) > 1
    assert [round(float(side)) for side in whole.pages[0].mediabox.upper_right] == [595, 842]
    seen.tab.set_viewport_size({"width": 703, "height": 1032})  # A4 without its margins
    assert seen.tab.evaluate(CLIPPED) == []
    assert seen.tab.evaluate(PAGE_OVERFLOW) == 0, "a page that is too wide is printed smaller"
    chart = seen.tab.locator(".cover svg").bounding_box()
    assert chart
    assert min(chart["width"], 2.5 * chart["height"]) > 500, "large enough to be read"
    seen.tab.evaluate(OPEN)
    assert seen.tab.evaluate(BROKEN) == []
    seen.picture(f"report-{name}-print")
    seen.tab.add_style_tag(content=ONLY_COVER)
    assert len(PdfReader(BytesIO(seen.tab.pdf(prefer_css_page_size=True))).pages) == 1
