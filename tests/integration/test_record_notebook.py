"""The notebook that reads a record with pandas, on a committed record."""

import asyncio
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

from loadgen.results.record import read_record
from tests.integration.notebooks import Notebook

NOTEBOOK = Notebook("record.ipynb")
RECORD = Path(__file__).parents[2] / "docs" / "records" / "demo.json"


@pytest.fixture
def namespace(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the cells have defined."""
    mpl.use("agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.setenv("LOADGEN_RECORD", str(RECORD))
    names: dict[str, Any] = {}
    asyncio.run(NOTEBOOK.run(names))
    return names


def test_it_is_kept_without_outputs_and_imports_nothing_of_this_package() -> None:
    NOTEBOOK.assert_clean()
    assert [source for source in NOTEBOOK.sources("code") if "loadgen." in source] == []


def test_its_tables_and_its_picture_have_the_figures_of_the_record(namespace: dict[str, Any]) -> None:
    run = read_record(RECORD)
    expected = [
        (phase.variant, phase.concurrency, part.operation, part.throughput, part.response_seconds.p99)
        for phase in run.phases
        for part in phase.operations
    ]
    names = ["variant", "concurrency", "operation", "throughput", "response_seconds.p99"]
    assert list(namespace["operations"][names].itertuples(index=False, name=None)) == expected
    assert namespace["operations"]["failures"].sum() == 0
    phases = [phase for phase in run.phases if (phase.variant, phase.concurrency) == ("async", 8)]
    mean = sum(phase.operations[0].throughput or 0 for phase in phases) / len(phases)
    assert namespace["levels"].loc[("search", 8), ("throughput", "async")] == pytest.approx(mean)
    shown = namespace["shown"]
    assert list(shown["verdict"]) == [str(comparison.verdict) for comparison in run.comparisons]
    assert list(shown["throughput_ratio.low"]) == [comparison.throughput_ratio.low for comparison in run.comparisons]
    lines = {line.get_label(): len(line.get_xdata()) for line in namespace["axes"].lines}
    slices = {
        name: sum(len(part.slices or ()) for phase in run.phases if phase.variant == name for part in phase.operations)
        for name in ("sync", "async")
    }
    assert lines == slices
    plt.close("all")


def test_it_takes_the_newest_record_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in {"20260101": "", "20260102": RECORD.read_text()}.items():
        (tmp_path / f"{name}.json").write_text(text)
    (tmp_path / ".20260103.json").write_text("being written")
    mpl.use("agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.setenv("LOADGEN_RECORD", str(tmp_path))
    asyncio.run(NOTEBOOK.run({}))
    assert f"{read_record(RECORD).run_id} complete" in capsys.readouterr().out
    plt.close("all")
