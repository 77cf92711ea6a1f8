"""`llms.txt`: the pages of the site for language models, as Markdown beside the HTML (https://llmstxt.org)."""

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

from docs.site.pages import read_sections


def write_llms(root: Path, source: Path, site: Path) -> None:
    """Write the list, and every page as Markdown to where the list says that it is."""
    (site / "llms.txt").write_text("\n".join(_lines(root)) + "\n", encoding="utf-8")
    for path in source.rglob("*.md"):
        page = path.relative_to(source)
        shutil.copy(root / page, site / page)


def _lines(root: Path) -> Iterator[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    yield from (f"# {project['name']}", "", f"> {project['description']}")
    for section in read_sections(root):
        yield from ("", f"## {section.name}", "")
        for page in section.pages:
            if page.path.suffix == ".md":
                yield f"- [{page.title}]({page.path}): {page.about}"
