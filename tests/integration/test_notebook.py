"""The notebook's cells run in order, as in Jupyter: in one namespace, with `await`, on one loop."""

import asyncio
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

from loadgen.results.record import write_record
from loadgen.settings.model import Settings
from tests.integration.notebooks import Notebook
from tests.integration.plain_clients import client_of
from tests.unit.record_support import durations, operation, phase, record

NOTEBOOK = Notebook("rag.ipynb")


@pytest.fixture(autouse=True)
def _drawn_nowhere(monkeypatch: pytest.MonkeyPatch, lite_uri: str) -> None:
    mpl.use("agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.setenv("LOCUST_HOST", lite_uri)


def test_it_is_kept_without_outputs_and_in_the_format_of_jupyter() -> None:
    NOTEBOOK.assert_clean()


def test_its_command_has_flags_that_exist() -> None:
    text = "".join(NOTEBOOK.sources("markdown"))
    flags = set(re.findall(r"--([a-z-]+)", text))
    assert len(flags) > 3
    assert flags - {name.replace("_", "-") for name in Settings.model_fields} == {"headless"}


def test_it_asks_once_and_draws_the_latest_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lite_uri: str
) -> None:
    stages = {"embed": durations(mean=0.01), "generate": durations(mean=0.03)}
    asked = operation("ask", response=durations(p50=0.04, p99=0.09), stages=stages)
    phases = [phase(mode, users, asked, operation("retrieve")) for users in (1, 8) for mode in ("sync", "async")]
    write_record(tmp_path, record(run_id="20261121-100000-aaaa"))
    write_record(tmp_path, record(*phases, run_id="20261122-100000-bbbb"))
    monkeypatch.setenv("LOADGEN_RECORD", str(tmp_path))
    namespace: dict[str, Any] = {}
    asyncio.run(NOTEBOOK.run(namespace))
    assert namespace["recall_of"](namespace["question"].expected, namespace["retrieved"]) == 1
    assert len(str(namespace["answer"]).split()) == 20
    out = capsys.readouterr().out
    assert "24 documents, " in out
    assert namespace["question"].text in out
    quantiles, bars = (plt.figure(number) for number in plt.get_fignums())
    assert [one.get_title() for one in quantiles.axes] == [
        "ask, 20261122-100000-bbbb",
        "retrieve, 20261122-100000-bbbb",
    ]
    lines = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in quantiles.axes[0].lines}  # type: ignore[arg-type]
    assert lines == {
        f"{mode} {name}": ([1, 8], [seconds] * 2)
        for mode in ("sync", "async")
        for name, seconds in (("p50", 0.04), ("p99", 0.09))
    }
    ends = sorted({round(bar.get_x() + bar.get_width(), 6) for bar in bars.axes[0].patches})  # type: ignore[attr-defined]
    assert ends == [0.01, 0.04]
    plt.close("all")
    with client_of(lite_uri) as client:
        assert "loadgen_rag_notebook" not in client.list_collections()
    assert not namespace["llm_server"].running


def test_it_reads_documents_and_says_that_there_is_no_record_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.md").write_text(
        "The lighthouse of Aldmoor has a red lamp that a keeper lights each evening at six."
    )
    (tmp_path / "two.txt").write_text(
        "Bread rises slowly in a cold kitchen, so the baker of Fenwick begins before dawn."
    )
    monkeypatch.setenv("LOADGEN_DOCUMENTS", str(tmp_path))
    monkeypatch.setenv("LOADGEN_RECORD", str(tmp_path))
    asyncio.run(NOTEBOOK.run({}))
    out = capsys.readouterr().out
    assert "2 documents, 2 chunks, 0 files left out" in out
    assert "There is no record yet; run the command above." in out
    assert plt.get_fignums() == []
