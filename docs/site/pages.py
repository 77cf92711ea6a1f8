"""What the site consists of: docs/README.md lists its pages in sections, as tables of a link and a description."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import normpath

ROOT = Path(__file__).parents[2]
INDEX = PurePosixPath("docs/README.md")
"""The front page, relative to the top of the repository, as all paths here."""
ROW = re.compile(r"^\|(?: \d+ \|)? \[([^\]]+)\]\(([^)#]+)\)(?: \| (.*))? \|$")
LINK = re.compile(r"\]\(([^()\s#:]+)(?:#[^()\s]*)?\)")
CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """A row of a list of pages."""

    title: str
    path: PurePosixPath
    about: str


@dataclass(frozen=True, slots=True)
class Section:
    """Pages of one kind, such as Guides; without a name: those before the first heading."""

    name: str
    pages: tuple[Page, ...]


def read_sections(root: Path, index: PurePosixPath = INDEX) -> tuple[Section, ...]:
    """The sections of a page that have a list of pages."""
    sections: dict[str, list[Page]] = {}
    name = ""
    for line in (root / index).read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            name = line.removeprefix("## ")
        elif row := ROW.match(line):
            page = Page(row[1], resolve(index, row[2]), row[3] or "")
            sections.setdefault(name, []).append(page)
    return tuple(Section(name, tuple(pages)) for name, pages in sections.items())


def find_links(text: str, page: PurePosixPath) -> set[PurePosixPath]:
    """Files to which a page links, pictures included, outside of code. Links to other hosts are not files."""
    return {resolve(page, target) for target in LINK.findall(CODE.sub("", text))}


def resolve(page: PurePosixPath, target: str) -> PurePosixPath:
    """A link's target, relative to the top of the repository."""
    return PurePosixPath(normpath(page.parent / target))
