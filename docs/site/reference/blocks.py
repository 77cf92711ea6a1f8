"""Generated blocks of pages: between a comment that names what is generated, and one that ends it."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from docs.site.reference.exit_codes import list_exit_codes
from docs.site.reference.helm_values import list_values
from docs.site.reference.metrics import list_metrics
from docs.site.reference.outcomes import list_errors, list_outcomes
from docs.site.reference.record import list_record

SETTINGS = "docs/reference/settings.md"
BLOCK = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
BLOCKS: Mapping[str, Callable[[], Iterator[str]]] = {
    "errors": list_errors,
    "exit codes": list_exit_codes,
    "helm values": list_values,
    "metrics": list_metrics,
    "outcomes": list_outcomes,
    "record": list_record,
}
"""The lines of each block, by its name."""


def find_pages(root: Path) -> list[Path]:
    """Pages that have such a block."""
    return [path for path in sorted(root.glob("docs/**/*.md")) if BLOCK.search(path.read_text(encoding="utf-8"))]


def render(page: str) -> str:
    """The page with its blocks as the code has them. Raises KeyError for a block of an unknown name."""

    def write(match: "re.Match[str]") -> str:
        return "\n".join([match[1], *BLOCKS[match[2]](), "", match[3]])

    return BLOCK.sub(write, page)
