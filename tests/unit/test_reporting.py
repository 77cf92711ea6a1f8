"""The report beside a record never changes how a run ends."""

import sys
from pathlib import Path

import pytest

from loadgen.locust_plugin import report_beside
from loadgen.locust_plugin.report_beside import write_beside
from loadgen.results.record import write_record
from tests.unit.record_support import comparison, phase, record, timed


def kept(folder: Path) -> Path:
    phases = [phase(mode, 8, timed([10] * 5)) for mode in ("sync", "async")]
    return write_record(folder, record(*phases, comparisons=(comparison(),)))


@pytest.mark.parametrize(("form", "suffix"), [("html", ".html"), ("markdown", ".md")])
def test_a_report_is_drawn_beside_its_record(
    form: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_beside, "PATIENCE", 60.0)
    path = kept(tmp_path)
    assert write_beside(path, form) == f"Report: {path.with_suffix(suffix)}"
    assert "search: async gives 1.30 times the throughput" in path.with_suffix(suffix).read_text()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_record_that_cannot_be_drawn_is_told_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_beside, "PATIENCE", 60.0)
    path = tmp_path / "bad.json"
    path.write_text("{}")
    reported = write_beside(path, "markdown")
    assert reported.startswith("No report: loadgen report: ")
    assert reported.endswith(f"Try loadgen report {path}")
    assert list(tmp_path.iterdir()) == [path]


def test_a_slow_drawing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_beside, "HURRY", 0.0)
    path = kept(tmp_path)
    assert write_beside(path, "html", hurry=True) == (
        f"Report: {path.with_suffix('.html')} is still being rendered; if it does not appear: loadgen report {path}"
    )


def test_an_interpreter_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    reported = write_beside(kept(tmp_path), "html")
    assert reported.startswith("No report: ")
    assert "No such file or directory" in reported
