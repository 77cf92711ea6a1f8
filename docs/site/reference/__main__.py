"""Writes the page of the settings, and the generated blocks of all other pages."""

from docs.site.pages import ROOT
from docs.site.reference.blocks import SETTINGS, find_pages, render
from loadgen.settings.reference import settings_as_markdown

if __name__ == "__main__":
    (ROOT / SETTINGS).write_text(settings_as_markdown(), encoding="utf-8")
    for path in find_pages(ROOT):
        path.write_text(render(path.read_text(encoding="utf-8")), encoding="utf-8")
