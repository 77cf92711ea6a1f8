"""Stages in a report: bars, a table of quantiles, and those that repeat within an operation."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadgen.cli.main import main
from loadgen.measure.sample import Outcome
from loadgen.reports.html import to_html
from loadgen.reports.stages import stage_figure, stage_rows, stage_table
from loadgen.reports.summary import summarize
from loadgen.results.record import PhaseRecord, RunRecord, write_record
from tests.unit.record_support import phase, record, timed


def staged() -> RunRecord:
    """Calls of a user's own with two stages, 5 and 20 ms in sync, 5 and 10 ms in async."""
    phases = []
    for mode in ("sync", "async", "async", "sync"):
        generate = 0.020 if mode == "sync" else 0.010
        stages = {
            name: timed([10] * 10, seconds).response_seconds
            for name, seconds in (("embed", 0.005), ("generate", generate))
        }
        asked = timed([10] * 10, 0.03, name="ask", recall=None, stages=stages)
        result = timed([10] * 10, 0.004, nested={Outcome.OK: 100})
        phases.append(phase(mode, 8, asked, result))
    return record(*phases, comparisons=())


def test_a_repeated_stage_is_a_row_of_the_table_and_no_part_of_the_bars() -> None:
    def phases() -> Iterator[PhaseRecord]:
        for one in staged().phases:
            asked, result = one.operations
            repeated = timed([190] * 10, 0.005).response_seconds
            update = {"stages": asked.stages | {"inter_token": repeated}, "repeated_stages": ("inter_token",)}
            yield one.model_copy(update={"operations": (asked.model_copy(update=update), result)})

    rows = stage_rows(summarize(record(*phases(), comparisons=())), "ask")
    assert [row.stage for row in rows if row.is_repeated] == ["inter_token", "inter_token"]
    table = stage_table("ask", rows)
    assert [row[3] for row in table.rows if row[2] == "inter_token"] == ["3,800", "3,800"]
    figure, _ = stage_figure(rows)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["embed", "generate"]


def test_stages_have_a_picture_and_quantiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = to_html([summarize(staged())])
    assert "ask: where the time went" in text
    assert "All search operations were part of other operations, so totals do not count them." in text
    assert "search: where the time went" not in text, "it has reported no stages"
    path = str(write_record(tmp_path, staged()))
    main(["report", path, "--format", "markdown"])
    lines = capsys.readouterr().out.splitlines()
    rows = lines[lines.index("## ask: times of its stages") + 4 :][:4]
    assert [[cell.strip() for cell in row.strip("|").split("|")] for row in rows] == [
        ["8 users", "sync", "embed", "200", "5.00", "5.00", "5.00", "5.00"],
        ["8 users", "sync", "generate", "200", "20.01", "20.02", "20.02", "20.02"],
        ["8 users", "async", "embed", "200", "5.00", "5.00", "5.00", "5.00"],
        ["8 users", "async", "generate", "200", "10.00", "10.01", "10.01", "10.01"],
    ]
    main(["report", path, "--format", "json"])
    [run] = json.loads(capsys.readouterr().out)
    stages = {(one["operation"], one["mode"]): one["stages"] for one in run["series"]}
    assert stages["search", "sync"] == {}
    assert stages["ask", "async"]["generate"]["p99"] == pytest.approx(0.010, rel=0.001)
