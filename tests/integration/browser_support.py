"""Headless Chromium on Locust's page: what it asked for, what it complained of, and how things look."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
HEIGHT, MARGIN = 900, 12
"""Of a window, and below a picture of its top, in pixels."""
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

CONTRASTS = """
panel => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const opaque = node => {
    for (let one = node; one; one = one.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(one).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const light = rgb => {
    const linear = one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = rgb.map(one => linear(one / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const texts = [...panel.querySelectorAll("*:not(style)")].filter(one => [...one.childNodes].some(
    child => child.nodeType === Node.TEXT_NODE && child.textContent.trim()));
  return texts.map(one => {
    const { color, fill } = getComputedStyle(one);
    const [r, g, b, a = 1] = numbers(one instanceof SVGElement ? fill : color);
    const behind = opaque(one);
    return ratio(light([r, g, b].map((part, i) => part * a + behind[i] * (1 - a))), light(behind));
  });
}
"""
"""Contrast of every text in an element against what is behind it, as WCAG 2 defines it."""


@dataclass
class Browser:
    """One page in a browser, and what happened in it."""

    tab: Tab
    asked: list[str] = field(default_factory=list)
    """Addresses of all requests."""
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of the console, and exceptions."""

    def picture(self, name: str) -> None:
        """Keep how the page looks now."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.tab.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def crop(self, name: str, tab: Tab, width: int, last: str) -> Path:
        """Keep the top of a page in a window of a width, down to the end of an element; returns the file."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        tab.set_viewport_size({"width": width, "height": HEIGHT})
        tab.evaluate("scrollTo(0, 0)")
        end = tab.locator(last).first.evaluate("one => one.getBoundingClientRect().bottom")
        tab.screenshot(path=path, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": end + MARGIN})
        return path

    def outside(self, uri: str) -> list[str]:
        """Requests to any other place."""
        return [url for url in self.asked if not url.startswith((f"{uri}/", "data:", "blob:"))]


@contextmanager
def browser() -> Iterator[Browser]:
    """A new browser without a past. AssertionError where there is none on this machine."""
    result = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert result, f"none of {', '.join(NAMES)} is installed: these tests need one"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=result, args=list(FLAGS))
        context = chromium.new_context(viewport={"width": 1400, "height": 1000})
        made = Browser(context.new_page())
        context.on("request", lambda request: made.asked.append(request.url))
        context.on("weberror", lambda error: made.complaints.append(str(error.error)))
        context.on("console", lambda message: _note(message, made.complaints))
        try:
            yield made
        finally:
            chromium.close()


def _note(message: Any, complaints: list[str]) -> None:
    """A browser asks for an icon of a page that names none, such as a JSON file; Locust has none there."""
    if message.type in ("error", "warning") and not message.location.get("url", "").endswith("/favicon.ico"):
        complaints.append(message.text)
