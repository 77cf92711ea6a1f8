"""Help texts, errors, log lines and verdicts avoid phrases that make a text read as translated."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import loadgen
from loadgen.settings.model import Settings

MODULES = sorted(Path(loadgen.__file__).parent.rglob("*.py"))
CRUTCHES = re.compile(
    r"\b(told|found|under way|so many|at once|way out|holds?|comes?|stands?"
    r"|of (one's|its|their) own|that there (is|are))\b"
)
ALLOWED = ("returned the same neighbours",)
"""Texts in which one of these words is the usual term."""
STRING = re.compile(r'"""|"((?:[^"\\]|\\.)*)"')
"""Each string of a line, or the quotes of a docstring."""
VALUE = re.compile(r"\{[^{}]*\}")


def crutches(text: str) -> list[str]:
    for allowed in ALLOWED:
        text = text.replace(allowed, "")
    return [found[0] for found in CRUTCHES.finditer(VALUE.sub("", text))]


def texts() -> Iterator[tuple[str, str]]:
    """Where a text is, and the text."""
    for path in MODULES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for text in STRING.findall(line) if '"' in line and '"""' not in line else ():
                if " " in text:
                    yield f"{path.name}:{number}", text
    for name, field in Settings.model_fields.items():
        yield name, f"{field.description} {field.json_schema_extra or ''}"


def test_no_text_uses_a_crutch() -> None:
    checked = list(texts())
    assert len(checked) > 1_000, "the texts are no longer recognised"
    assert {place: (found, text) for place, text in checked if (found := crutches(text))} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the worst is told of", ["told"]),
        ("so many operations under way at once", ["so many", "under way", "at once"]),
        ("is in no folder that there is", ["that there is"]),
        ("{found} rows", []),
        ("All returned the same neighbours", []),
    ],
)
def test_a_crutch_is_recognised_unless_it_is_the_usual_term(text: str, found: list[str]) -> None:
    assert crutches(text) == found
