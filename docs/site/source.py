"""What Sphinx reads: a copy of the pages and of the files to which they link, with the navigation added."""

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from docs.site.pages import INDEX, find_links, read_sections

LISTS = (INDEX, PurePosixPath("docs/explanation/decisions/README.md"))
"""Pages whose tables of pages become navigation."""


def copy_sources(root: Path, target: Path) -> None:
    """Copy the pages in the layout of the repository, so that every relative link stays right.

    A link to something that does not exist, or to a folder, is left for Sphinx to complain about.
    """
    waiting = [INDEX, *(PurePosixPath(path.relative_to(root).as_posix()) for path in root.glob("docs/**/*.md"))]
    copied: set[PurePosixPath] = set()
    while waiting:
        path = waiting.pop()
        if path in copied or not (root / path).is_file() or ".." in path.parts:
            continue
        copied.add(path)
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        if path.suffix != ".md":
            shutil.copy(root / path, target / path)
            continue
        text = (root / path).read_text(encoding="utf-8")
        waiting += sorted(find_links(text, path))
        navigation = "\n".join(list_pages(root, path)) if path in LISTS else ""
        (target / path).write_text(text + navigation, encoding="utf-8")


def list_pages(root: Path, page: PurePosixPath) -> Iterator[str]:
    """Sphinx's form of a page's lists, section by section. It is not shown on the page itself."""
    for section in read_sections(root, page):
        caption = [f":caption: {section.name}"] if section.name else []
        yield from ("", "```{toctree}", ":hidden:", *caption, "")
        for one in section.pages:
            if one.path.suffix == ".md":
                yield f"{one.title} </{one.path.with_suffix('')}>"
        yield from ("```", "")
