"""The guides name what there is."""

import re
from pathlib import Path

import pytest

from loadgen.cli import main
from loadgen.reference import SECTIONS
from loadgen.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = {"--tolerance", "--changed", "--format", "--output"}


def test_the_reference_is_that_of_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--format", "markdown"]) == 0
    assert (DOCS / "settings.md").read_text() == capsys.readouterr().out, "run `make docs`"


def test_the_reference_has_a_row_of_four_cells_for_every_setting() -> None:
    rows = re.findall(r"^\| `--([a-z-]+)` \|(.*)\|$", (DOCS / "settings.md").read_text(), re.MULTILINE)
    assert [name.replace("-", "_") for name, _ in rows] == list(Settings.model_fields)
    assert {len(re.split(r"(?<!\\)\|", rest)) for _, rest in rows} == {3}
    assert set(SECTIONS) <= set(Settings.model_fields)
    cells = {name: rest.strip() for name, rest in rows}
    assert cells["top-k"] == "`10` | whole number from 1 to 16,384 | neighbours that a search asks for"
    assert cells["metric"] == "`COSINE` | `COSINE`, `IP`, `L2` | similarity metric"


def test_every_flag_in_the_guide_exists() -> None:
    ours = {f"--{name.replace('_', '-')}" for name in Settings.model_fields}
    found = set(re.findall(r"`?(--[a-z][a-z-]+)", (DOCS / "reading-the-result.md").read_text()))
    assert found <= ours | COMMANDS
