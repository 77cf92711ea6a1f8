"""The documentation as a site: built strictly, in a folder, without another host. It opens no socket."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import expect

from docs.site.building import build
from docs.site.pages import INDEX, ROOT, find_links, read_sections
from tests.integration.browser_support import browser

LOADED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "object": "data",
    "form": "action",
}
"""What a page loads, or sends to: the attribute with the address, by tag."""
IN_STYLES = re.compile(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)")


class Addresses(HTMLParser):
    """What a page loads, where its links go, and which places it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        result = {name: value or "" for name, value in attrs}
        self.places |= {result[name] for name in ("id", "name") if name in result}
        if address := result.get(LOADED.get(tag, ""), ""):
            self.loaded.append(address)
        if tag == "a" and "href" in result:
            self.linked.append(result["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documentation") / "site"
    assert build(ROOT, folder), "Sphinx has complained: see above"
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Addresses]:
    return {path: Addresses(path.read_text()) for path in site.rglob("*.html")}


def local(page: Path, address: str) -> tuple[Path, str]:
    """The file of a relative address, and the place in it."""
    parts = urlsplit(address)
    return ((page.parent / unquote(parts.path)).resolve() if parts.path else page), unquote(parts.fragment)


def listed() -> Iterator[Path]:
    for section in read_sections(ROOT):
        yield from (Path(page.path) for page in section.pages if page.path.suffix == ".md")


def test_every_listed_page_is_there_and_every_page_of_the_docs_is_listed(site: Path) -> None:
    result = list(listed())
    assert len(result) == len(set(result))
    assert [path for path in result if not (site / path.with_suffix(".html")).is_file()] == []
    written = {path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")} - {Path(INDEX)}
    assert written - set(result) == {path for path in written if path.parent.name == "decisions"} - set(result)
    assert (site / "index.html").is_file()


def test_no_page_loads_anything_from_another_host(site: Path, pages: dict[Path, Addresses]) -> None:
    assert len(pages) > 45
    for page, result in pages.items():
        assert result.loaded or page == site / "index.html", page
        for address in result.loaded:
            assert not urlsplit(address).netloc, (page, address)
            assert not urlsplit(address).scheme, (page, address)
            assert local(page, address)[0].exists(), (page, address)
    for sheet in site.rglob("*.css"):
        for one, other in IN_STYLES.findall(sheet.read_text()):
            address = one or other
            assert address.startswith(("data:", "#")) or local(sheet, address)[0].is_file(), (sheet, address)


def test_every_link_within_the_site_has_its_file_and_its_place(pages: dict[Path, Addresses]) -> None:
    followed = 0
    for page, result in pages.items():
        for address in result.linked:
            if urlsplit(address).scheme:
                continue
            path, place = local(page, address)
            assert path.is_file(), (page, address)
            assert not place or path.suffix != ".html" or place in pages[path].places, (page, address)
            followed += 1
    assert followed > 2_000


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("other.md#nowhere", "nowhere"),
        ("gone.md", "gone.md"),
        ("../../pyproject", "pyproject"),
    ],
)
def test_a_dead_link_or_anchor_fails(link: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "root"
    (root / "docs" / "guides").mkdir(parents=True)
    listed = "| [One](guides/one.md) | 1 |\n| [Two](guides/other.md) | 2 |\n"
    (root / "docs" / "README.md").write_text(f"# Front\n\n## Guides\n\n{listed}")
    (root / "docs" / "guides" / "one.md").write_text(f"# One\n\nSee [this]({link}).\n")
    (root / "docs" / "guides" / "other.md").write_text("# Two\n\n## Somewhere\n\nSee [one](one.md).\n")
    assert not build(root, tmp_path / "site")
    assert said in capfd.readouterr().err
    assert not (tmp_path / "site").exists()


def test_a_page_that_is_not_listed_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text("# Front\n\nNothing is listed.\n")
    (tmp_path / "docs" / "lost.md").write_text("# Lost\n")
    assert not build(tmp_path, tmp_path / "site")
    assert "lost.md" in capfd.readouterr().err


def test_language_models_get_a_list_of_all_pages_as_markdown(site: Path) -> None:
    text = (site / "llms.txt").read_text()
    assert text.startswith("# milvus-loadgen\n\n> ")
    linked = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): \S", text, re.MULTILINE)
    assert [Path(path) for path in linked] == list(listed())
    for path in linked:
        assert (site / path).read_text() == (ROOT / path).read_text()


def test_links_in_code_are_no_links() -> None:
    text = "[a](x.md) `[b](y.md)`\n```python\n[c](z.md)\n```\n[d](../w.md#part) [e](https://example.com/v.md)\n"
    assert {str(path) for path in find_links(text, INDEX)} == {"docs/x.md", "w.md"}


def test_the_search_works_in_a_folder_and_asks_no_host(site: Path) -> None:
    with browser() as seen:
        seen.tab.goto((site / "index.html").as_uri())
        expect(seen.tab).to_have_url((site / "docs" / "README.html").as_uri())
        field = seen.tab.get_by_role("textbox", name="Search")
        field.fill("bandwidth")
        field.press("Enter")
        result = seen.tab.locator("#search-results").get_by_role("link", name="Fault drills").first
        expect(result).to_be_visible()
        result.click()
        expect(seen.tab.get_by_role("heading", level=1)).to_contain_text("Fault drills")
        assert {urlsplit(address).scheme for address in seen.asked} <= {"file", "data"}
        assert seen.complaints == []
