"""What a reader of the opened report needs: contrast, a keyboard's way through it, and a phone's width."""

from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.integration.browser_support import CONTRASTS, Browser

READABLE = 4.5
"""Contrast of normal text at level AA."""
PHONE, NARROWEST, SMALLEST = 360, 320, 10
"""Widths of a window, and height of a picture's text, in pixels."""
STOPS = """
() => [...document.querySelectorAll("a[href], summary, [tabindex='0'], label:first-child > input")].filter(
  one => one.checkVisibility()).map(
  one => `${one.localName} ${one.getAttribute("aria-label") ?? (one.labels?.[0] ?? one).textContent.trim()}`)
"""
"""All that the keyboard should reach, in the order of the page."""
FOCUSED = """
() => {
  const one = document.activeElement;
  const name = one.getAttribute("aria-label") ?? (one.labels?.[0] ?? one).textContent.trim();
  return [`${one.localName} ${name}`, name, getComputedStyle(one).outlineStyle];
}
"""
SIDEWAYS = """
() => [...document.querySelectorAll("body, main, main *:not(svg *):not(.values *)")].filter(
  one => one.checkVisibility() && one.scrollWidth > one.clientWidth && one.clientWidth).map(one => one.className)
"""
"""Classes of what is wider inside than outside."""
PAGE_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
TEXT_HEIGHTS = """
() => [...document.querySelectorAll("svg text")].map(one => {
  const { a, b } = one.getScreenCTM();
  return parseFloat(getComputedStyle(one).fontSize) * Math.hypot(a, b);
})
"""
"""Size of the letters of each text in a picture as the window shows them."""
CUT = "pictures => pictures.filter(one => one.getBoundingClientRect().right > innerWidth).length"


def assert_report_readable(seen: Browser, report: Tab) -> None:
    """At a desk, on a phone and on paper."""
    _assert_contrast(report)
    _assert_keyboard(report)
    size = report.viewport_size
    assert size
    for width in (NARROWEST, PHONE):
        report.set_viewport_size({"width": width, "height": 740})
        assert report.evaluate(PAGE_OVERFLOW) == 0, width
    seen.crop("report-phone", report, PHONE, "figure")
    _assert_phone(report)
    report.emulate_media(media="print")
    assert report.locator("figure svg").evaluate_all(CUT) == 0, "nothing scrolls on paper"
    report.emulate_media(media="screen")
    report.set_viewport_size(size)


def _assert_contrast(report: Tab) -> None:
    contrasts = report.locator("main").evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert min(contrasts) >= READABLE


def _assert_keyboard(report: Tab) -> None:
    """Tab goes through every box that can scroll and all that folds, in order; each has a name and shows its focus."""
    wanted = report.evaluate(STOPS)
    assert len([stop for stop in wanted if stop.startswith("div ")]) > report.locator("figure svg").count() > 0
    reached = []
    for _ in wanted:
        report.keyboard.press("Tab")
        stop, name, outline = report.evaluate(FOCUSED)
        assert name, stop
        assert outline == "solid", stop
        reached.append(stop)
    assert reached == wanted
    for name in report.locator("figure h3").all_text_contents():
        assert report.get_by_role("region", name=name, exact=True).get_by_role("img", name=name).count() == 1, name


def _assert_phone(report: Tab) -> None:
    """Only boxes scroll sideways, by the keyboard too, and what is written in the pictures is large enough."""
    assert set(report.evaluate(SIDEWAYS)) == {"scroll"}
    heights = report.evaluate(TEXT_HEIGHTS)
    assert len(heights) > 20
    assert min(heights) >= SMALLEST
    box = report.locator("figure .scroll").first
    box.focus()
    report.keyboard.press("ArrowRight")
    expect(box).not_to_have_js_property("scrollLeft", 0)
