"""Each guide has a locustfile, which Locust accepts and a dry run plans."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.integration.locust_command import ROOT, run_locust

EXAMPLES = ROOT / "examples"
FILES = sorted((EXAMPLES / "locustfiles").glob("*.py"))
GUIDES = {re.search(r"^# (.*)$", page.read_text(), re.MULTILINE)[1]: page for page in (ROOT / "docs").rglob("*.md")}  # type: ignore[index]
PAGE = (EXAMPLES / "README.md").read_text()
BLOCKS = {
    "reader.py": "Your own locustfile",
    "asker.py": "Your own locustfile",
    "own_queries.py": "Your own data",
    "writer.py": "From insert to searchable",
    "rag_reader.py": "The whole RAG path",
}
"""Files that a guide shows in full."""


def test_every_file_is_named_with_the_guide_that_it_is_for() -> None:
    rows = re.findall(r"^\| ([^|]+) \| (`locustfiles/[^|]+) \|$", PAGE, re.MULTILINE)
    assert {guide for guide, _ in rows} <= set(GUIDES)
    named = sorted(name for _, files in rows for name in re.findall(r"locustfiles/(\w+\.py)", files))
    assert named == [path.name for path in FILES]
    assert {
        name: guide for guide, files in rows for name in re.findall(r"(\w+\.py)", files) if name in BLOCKS
    } == BLOCKS


@pytest.mark.parametrize(("file", "guide"), BLOCKS.items())
def test_the_code_of_a_guide_is_that_of_the_file(file: str, guide: str) -> None:
    assert f"```python\n{(EXAMPLES / 'locustfiles' / file).read_text()}```\n" in GUIDES[guide].read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_dry_run_plans_each_file(path: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "queries.npy", np.zeros((4, 768), dtype="float32"))
    run = run_locust(tmp_path, "--host", "http://127.0.0.1:9", "--dry-run", files=str(path))
    run.assert_good()
    assert re.search(r"\b[1-9]\d* phases?\b", run.out), run.out
