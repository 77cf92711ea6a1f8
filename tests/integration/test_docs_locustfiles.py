"""The locustfiles of the guides, as they stand there, against Milvus Lite, which prepares data in a moment."""

import re
from pathlib import Path

import numpy as np
import pytest
from llama_index.core.schema import TextNode

from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import read_record
from tests.integration.locust_command import ROOT, SMALL, run_locust
from tests.integration.plain_clients import open_store
from tests.integration.store_support import count_rows

SHORT = ("--concurrency", "3", "--rounds", "1", "--phase-seconds", "0.6", "--warmup-seconds", "0.2")
DIM = 24
ROWS = 60


def written(folder: Path, guide: str, beginning: str) -> str:
    """The path of a guide's locustfile, chosen by the start of its first line."""
    matches = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "guides" / guide).read_text(), re.MULTILINE | re.DOTALL
    )
    (text,) = [block for block in matches if block.startswith(f'"""{beginning}')]
    path = folder / "own.py"
    path.write_text(text)
    return str(path)


def test_the_guides_own_locustfile_compares_all_three_operations(lite: EmbeddedServer, tmp_path: Path) -> None:
    file = written(tmp_path, "own-locustfile.md", "A reader")
    run = run_locust(tmp_path, "--host", lite.uri, *SMALL, *SHORT, files=file)
    run.assert_good()
    often = {f"{mode} {name}" for mode in ("sync", "async") for name in ("search", "insert")}
    assert often <= set(run.reported["stats"]) <= often | {"sync delete", "async delete"}
    assert set(run.reported["failures"].values()) == {0}
    inserts = [line for line in run.out.splitlines() if "│ insert" in line]
    assert len(inserts) == 2, "a row of each mode"


def test_the_guides_measured_calls_are_compared_with_their_stages_and_parts(
    lite: EmbeddedServer, tmp_path: Path
) -> None:
    file = written(tmp_path, "own-locustfile.md", "A question and its answer")
    given = ("--require", "ask failures <= 0", "--require", "search p99 < 60 s", "--collection", "ask", "--rows", "300")
    run = run_locust(tmp_path, "--host", lite.uri, *SMALL, *SHORT, *given, files=file)
    run.assert_good()
    assert set(run.reported["stats"]) == {"sync ask", "async ask"}, "Locust adds all of its rows up"
    record = read_record(next((tmp_path / "runs").glob("*.json")))
    for phase in record.phases:
        parts = {part.operation: part for part in phase.operations}
        assert set(parts) == {"ask", "search"}
        assert parts["search"].totals.total() == 0
        assert parts["ask"].totals == parts["ask"].outcomes
        assert parts["ask"].stages["generate"].p50 == pytest.approx(0.010, rel=0.01)
        assert abs(parts["search"].count - parts["ask"].count) <= 3, "but for those in flight at an edge"
    assert {comparison.operation for comparison in record.comparisons} == {"ask", "search"}


@pytest.fixture
def papers(lite: EmbeddedServer) -> str:
    """A collection that LlamaIndex alone has made."""
    vectors = np.random.default_rng(3).standard_normal((ROWS, DIM)).tolist()
    store = open_store(lite.uri, "papers", dim=DIM, overwrite=True, use_async_client=False)
    store.add([TextNode(text=f"paper {number}", embedding=vector) for number, vector in enumerate(vectors)])
    store.client.close()
    return "papers"


def test_the_command_of_the_guide_measures_a_collection_of_another_program_and_leaves_it_as_it_is(
    lite: EmbeddedServer, papers: str, tmp_path: Path
) -> None:
    run = run_locust(tmp_path, "--host", lite.uri, "--collection", papers, "--existing", "--queries", "20", *SHORT)
    run.assert_good()
    assert set(run.counted) == {"sync search", "async search"}
    for window in run.reported["windows"]:
        ((_, outcomes),) = window["outcomes"].items()
        assert list(outcomes) == ["ok"], "queries of another dimension than the tool's own collection return rows"
    assert count_rows(lite.uri, papers) == ROWS
