"""Goodput has the intervals and ratios of throughput, in table, report, page, requirements and comparison of runs."""

import json
import math
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from loadgen.cli.main import main
from loadgen.locust_plugin.display.progress import Progress
from loadgen.locust_plugin.web.tab_data import TabData, table_rows
from loadgen.measure.ledger import Ledger
from loadgen.measure.objective import make_objective, parse_objective
from loadgen.measure.operation import Operation
from loadgen.reports.console import print_tables
from loadgen.reports.data_formats import to_csv, to_json
from loadgen.reports.markdown import to_markdown
from loadgen.reports.summary import summarize
from loadgen.reports.tables import level_table, ratio_table
from loadgen.results.levels import find_levels
from loadgen.results.record import OperationRecord, RunRecord, write_record
from loadgen.results.requirements import judge, parse_requirement
from tests.unit.record_support import manifest, phase, record, timed
from tests.unit.result_support import results_of
from tests.unit.test_empty_answers import recorded
from tests.unit.test_tables import two_rounds

OBJECTIVE = "response < 8 ms"


def measured(text: str = OBJECTIVE) -> Ledger:
    """Sync answers 50/s, of which half are good; async 100/s, all good."""
    ledger = Ledger()
    ledger.objective = make_objective(parse_objective(text), [Operation("search")])
    two_rounds(ledger, [0.010, 0.005] * 250, [0.005] * 1_000)
    return ledger


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return recorded(measured(), objective=OBJECTIVE)


def test_the_record_has_it_for_each_phase_and_slice_with_its_ratio(run: RunRecord) -> None:
    parts = [one for phase in run.phases for one in phase.operations]
    assert [(one.throughput, one.good, one.goodput) for one in parts] == [
        (50.0, 250, 25.0),
        (100.0, 1000, 100.0),
        (100.0, 1000, 100.0),
        (50.0, 250, 25.0),
    ]
    assert parts[0].slices is not None
    assert parts[0].slices.good == (25,) * 10
    assert run.manifest.settings["objective"] == OBJECTIVE
    [compared] = run.comparisons
    assert compared.goodput_ratio is not None
    assert compared.goodput_ratio.estimate == pytest.approx(4)
    assert compared.goodput_ratio.baseline_value == pytest.approx(25)
    assert (compared.goodput_ratio.low or 0) < 4 < (compared.goodput_ratio.high or 0)
    assert compared.throughput_ratio.estimate == pytest.approx(2)
    assert compared.verdict == "variant"


def test_without_an_objective_it_is_nowhere() -> None:
    without = recorded(measured(""))
    parts = [one for phase in without.phases for one in phase.operations]
    assert {(one.good, one.goodput) for one in parts} == {(None, None)}
    assert {one.slices.good for one in parts if one.slices is not None} == {None}
    assert without.comparisons[0].goodput_ratio is None
    assert "good/s |" not in to_markdown([summarize(without)])


def test_records_of_before_can_be_read(run: RunRecord) -> None:
    values = json.loads(run.model_dump_json())
    for one in values["phases"]:
        for part in one["operations"]:
            del part["good"], part["goodput"], part["items"]
            del part["slices"]["good"]
    del values["comparisons"][0]["goodput_ratio"]
    old = RunRecord.model_validate(values)
    assert (old.phases[0].operations[0].good, old.phases[0].operations[0].items) == (None, {})


def test_the_verdict_is_that_of_throughput_whatever_was_good() -> None:
    with_none = measured("response < 1 us")
    [level] = find_levels(results_of(with_none), 1)
    result = level.comparisons["async"]
    assert (result.verdict, result.goodput) == ("variant", None)
    assert level.shown_goodput("sync") == 0.0
    assert recorded(with_none).comparisons[0].goodput_ratio is not None


def test_the_table_at_the_end_has_a_column_where_there_is_an_objective() -> None:
    shown = {}
    for text in (OBJECTIVE, ""):
        out, ledger = StringIO(), measured(text)
        print_tables(results_of(ledger), find_levels(results_of(ledger), 1), out)
        shown[text] = [line.replace("┃", "│") for line in out.getvalue().splitlines()]
    head = next(line for line in shown[OBJECTIVE] if "operations/s" in line)
    cells = [cell.strip() for cell in head.strip("│").split("│")]
    place = cells.index("good/s")
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown[OBJECTIVE] if "search" in line]
    assert [(row[2], row[place - 1], row[place]) for row in rows] == [
        ("sync", "50.00", "25.00"),
        ("async", "100.0", "100.0"),
    ]
    key = "Good/s: operations per second that were answered and met --objective, of the"
    assert any(line.startswith(key) for line in shown[OBJECTIVE])
    assert not any("good/s" in line.lower() for line in shown[""])


def test_the_report_has_it_with_its_interval_and_its_ratio(run: RunRecord) -> None:
    summary = summarize(run)
    table = level_table(summary, "search")
    place = table.head.index("good/s")
    assert [row[place] for row in table.rows] == ["25.00", "100.0"]
    assert [float(row[place + 1].split(" to ")[0]) < float(row[place]) for row in table.rows] == [True, True]
    ratios = ratio_table(summary, "search")
    place = ratios.head.index("ratio of good/s (95 %)")
    assert ratios.rows[0][place - 2 : place] == ("25.00", "100.0")
    assert ratios.rows[0][place].startswith("4.00 (")
    assert {len(row) for row in (*ratios.rows, *table.rows)} == {len(ratios.head), len(table.head)}
    [reported] = json.loads(to_json([summary]))
    first = reported["series"][0]
    assert (first["good"], first["goodput"], first["goodput_low"] < 25 < first["goodput_high"]) == (500, 25.0, True)
    assert first["goodput_typical"] == pytest.approx(25)
    assert ",goodput," in to_csv([summary]).splitlines()[0]


def test_the_page_has_it_for_each_phase_and_level() -> None:
    ledger = measured()
    tab = TabData(ledger, Progress())
    assert [row["goodput"] for row in tab.as_json()["phases"]] == [25.0, 100.0, 100.0, 25.0]
    tab.take(find_levels(results_of(ledger), 1), [])
    assert [row["goodput"] for row in table_rows(tab.levels)] == [25.0, 100.0]
    bare = TabData(measured(""), Progress())
    assert {row["goodput"] for row in bare.as_json()["phases"]} == {None}
    bare.take(find_levels(results_of(measured("")), 1), [])
    assert [math.isnan(row.goodput) for row in bare.levels] == [True, True]
    assert {row["goodput"] for row in table_rows(bare.levels)} == {"-"}


@pytest.mark.parametrize(
    ("text", "met", "shown"),
    [
        ("search goodput > 20", False, "20/s"),
        ("search async goodput > 90 /s", True, "100/s"),
        ("search sync goodput >= 20", True, "20/s"),
    ],
)
def test_it_may_be_required_of_every_phase(text: str, met: bool, shown: str) -> None:
    def done(good: int) -> OperationRecord:
        return timed([100] * 10, good=good, goodput=good / 10)

    run = record(phase("sync", 8, done(250)), phase("sync", 8, done(200)), phase("async", 8, done(1_000)))
    [result] = judge(run, [parse_requirement(text)])
    assert (result.met, result.measured) == (met, shown)


def test_goodput_that_was_not_measured_meets_nothing() -> None:
    [result] = judge(record(phase("sync", 8, timed([100] * 10))), [parse_requirement("search goodput < 20")])
    assert (result.met, result.measured) == (False, "nothing measured")


def kept(folder: Path, name: str, good: int, objective: str = OBJECTIVE) -> str:
    """A run of 100/s with this goodput."""
    part = timed([100] * 10, good=10 * good, goodput=float(good))
    assert part.slices is not None
    pieces = part.slices.model_copy(update={"good": (good,) * 10})
    rounds = [phase(mode, 8, part.model_copy(update={"slices": pieces})) for mode in ("sync", "async") * 4]
    settings: dict[str, Any] = {"rows": 100, "objective": objective}
    return str(write_record(folder, record(*rounds, run_id=name, manifest=manifest(settings=settings))))


def test_two_runs_with_one_objective_are_compared_by_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", kept(tmp_path, "a", 90), kept(tmp_path, "b", 45), "--format", "json"]) == 1
    reported = json.loads(capsys.readouterr().out)
    figures = {one["figure"]: one for one in reported["findings"] if one["variant"] == "sync"}
    assert list(figures) == ["throughput", "goodput", "p50", "p99", "recall"]
    assert figures["goodput"]["verdict"] == "regression"
    assert figures["goodput"]["ratio"]["estimate"] == pytest.approx(0.5)
    assert figures["throughput"]["verdict"] == "no change shown"
    assert main(["compare", kept(tmp_path, "c", 45), kept(tmp_path, "d", 90)]) == 0
    assert "goodput 2.00 (" in capsys.readouterr().out


def test_another_objective_is_another_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", kept(tmp_path, "a", 90), kept(tmp_path, "b", 45, "response < 1 s")]) == 0
    out = capsys.readouterr().out
    assert "setting objective: response < 8 ms -> response < 1 s" in out
    assert "goodput" not in out


def test_a_phase_without_a_good_operation_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", kept(tmp_path, "a", 90), kept(tmp_path, "b", 0)])
    assert "a phase has no good operation" in capsys.readouterr().out
