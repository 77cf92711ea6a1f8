"""Which words are counted, and where."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT = 60
"""How many may be left; lower it when fewer are."""
INSTEAD = {
    "told": "reported",
    "found": "returned, detected, a noun for what it is",
    "under way": "in flight, running",
    "so many": "n, a number of",
    "at once": "immediately, together, concurrently",
    "way out": "remedy, hint",
    "holds": "contains, keeps, is true of",
    "comes": "arrives, is, follows",
    "stands": "is",
    "of one's own": "own, separate",
    "that there is": "nothing: leave it out",
    "that there are": "nothing: leave it out",
}
"""Each word, and what to write instead."""
WORD = re.compile(r"(?<![\w-])(?:" + "|".join(INSTEAD) + r")(?![\w-])", re.IGNORECASE)
"""The hyphens keep names out that others have chosen: `import-not-found`."""
KINDS = {
    ".py", ".md", ".yaml", ".yml", ".toml", ".j2", ".js", ".css", ".html", ".sh", ".tpl", ".txt", ".ipynb", "",
}  # fmt: skip
"""Endings of text files; the empty one is that of Makefile, Dockerfile and scripts."""
ABOUT_WORDS = ("docs/style.md", "tests/style/", "tests/unit/test_style.py", "tests/unit/test_prose.py")
"""They list the words themselves."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A word, and the line that has it."""

    path: str
    line: int
    word: str
    text: str

    def __str__(self) -> str:
        """As a compiler shows a line, with the words to use instead."""
        return f"{self.path}:{self.line}: {self.word!r} ({INSTEAD[self.word]}): {self.text.strip()[:100]}"


def find_words(path: str, text: str) -> Iterator[Hit]:
    """Every word of a file, also in names of variables."""
    for number, line in enumerate(text.splitlines(), 1):
        for match in WORD.finditer(line):
            yield Hit(path, number, match[0].lower(), line)


def list_files(root: Path = ROOT) -> list[str]:
    """Tracked and new text files, without those that are about these words."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\n")
    texts = [name for name in set(names) if name and Path(name).suffix in KINDS and not _is_about_words(name)]
    return sorted(name for name in texts if (root / name).is_file())


def _is_about_words(name: str) -> bool:
    return any(part in name for part in ABOUT_WORDS) or name.endswith("/style.md")


def find_all(root: Path, names: Iterable[str]) -> list[Hit]:
    """The words of these files."""
    return [hit for name in names for hit in find_words(name, (root / name).read_text(encoding="utf-8"))]
