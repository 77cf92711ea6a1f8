"""Searches that find nothing are fast, and no result: `--max-empty`."""

from io import StringIO
from typing import Any

import pytest

from loadgen.locust_plugin.display.progress import Progress
from loadgen.locust_plugin.preparation.result_settings import find_faults
from loadgen.locust_plugin.recording import Recorder
from loadgen.locust_plugin.web.tab_data import TabData, level_rows, table_rows
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store import ServerInfo
from loadgen.reports.console import print_tables
from loadgen.reports.markdown import to_markdown
from loadgen.reports.summary import summarize
from loadgen.results.comparison import Verdict
from loadgen.results.levels import find_levels
from loadgen.results.record import RunRecord
from loadgen.results.regressions import RegressionVerdict, find_regressions
from loadgen.results.requirements import judge_empty, parse_max_empty
from loadgen.results.verdict import explain
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.unit.beats import watch
from tests.unit.result_support import results_of

ROUND = (Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC)


def run(empty: dict[Mode, int], modes: tuple[Mode, ...] = ROUND, rate: float = 0.0) -> Ledger:
    """Phases of 100 searches each, a number of them empty; async is three times as fast."""
    ledger = Ledger()
    for number, mode in enumerate(modes):
        start, took = 100.0 * (number + 1), 0.01 if mode is Mode.ASYNC else 0.03
        model = "poisson" if rate else "closed"
        ledger.open(Phase(number, mode, 0 if rate else 8, seconds=10, model=model, rate=rate), start, start + 10)
        watch(ledger, start, 10)
        for place in range(300 if mode is Mode.ASYNC else 100):
            at = start + 10 * (place + 0.5) / 300
            outcome = Outcome.EMPTY if place < empty.get(mode, 0) else Outcome.OK
            ledger([Sample(mode, "search", at - took, at - took, at, outcome, int(outcome is Outcome.OK))])
    return ledger


def recorded(ledger: Ledger, **given: Any) -> RunRecord:
    settings = Settings.parse({"record": ""} | given)
    levels = find_levels(results_of(ledger), 1, most_empty=parse_max_empty(settings.max_empty))
    recorder = Recorder(settings, ServerInfo("2.3.5", "milvus"), 1)
    recorder.keep(results_of(ledger), ledger, levels)
    return recorder.record


@pytest.mark.parametrize(
    ("text", "share"), [("1%", 0.01), ("0 %", 0.0), ("0.25%", 0.0025), ("100%", 1.0), (" 3 % ", 0.03)]
)
def test_the_share_is_read(text: str, share: float) -> None:
    assert parse_max_empty(text) == share


@pytest.mark.parametrize("text", ["", "1", "101%", "-1%", "some", "1 ms", "0.01"])
def test_what_is_no_share_is_a_fault_before_the_load(text: str) -> None:
    with pytest.raises(SettingsError, match="max-empty"):
        parse_max_empty(text)
    (fault,) = find_faults(Settings.parse({"record": "", "max_empty": text}))
    assert fault.setting == "max_empty"
    assert fault.hint == "Write for example 1%."


@pytest.mark.parametrize("rate", [0.0, 50.0])
@pytest.mark.parametrize(
    ("empty", "reasons"),
    [
        ({Mode.ASYNC: 300}, ["async returned nothing in 600 of 600 answers (100 %"]),
        ({Mode.SYNC: 2}, ["sync returned nothing in 4 of 200 answers (2 %"]),
        (
            {Mode.SYNC: 100, Mode.ASYNC: 4},
            ["sync returned nothing in 200 of 200", "async returned nothing in 8 of 600"],
        ),
        ({Mode.SYNC: 1, Mode.ASYNC: 3}, []),
        ({}, []),
    ],
)
def test_a_comparison_in_which_a_mode_found_nothing_too_often_is_invalid(
    empty: dict[Mode, int], reasons: list[str], rate: float
) -> None:
    ledger = run(empty, rate=rate)
    (level,) = find_levels(results_of(ledger), seed=1)
    result = level.comparisons["async"]
    assert result is not None
    assert result.throughput is not None, "the figures are shown"
    assert (result.verdict is Verdict.INVALID) == bool(reasons)
    for reported, wanted in zip(result.reasons, reasons, strict=True):
        assert reported.startswith(wanted)
        assert reported.endswith("--max-empty is 1 %): check filters and queries")
    assert bool(judge_empty(recorded(ledger), 0.01)) == bool(reasons)


def test_more_may_be_allowed() -> None:
    ledger = run({Mode.ASYNC: 150})
    assert [one.verdict for one in recorded(ledger, max_empty="50%").comparisons] == ["variant"]
    assert [one.verdict for one in recorded(ledger, max_empty="49.9%").comparisons] == ["invalid"]
    assert judge_empty(recorded(ledger), 0.5) == []


def test_a_run_of_one_mode_that_finds_nothing_fails_with_the_numbers() -> None:
    record = recorded(run({Mode.SYNC: 40}, (Mode.SYNC,)), mode="sync")
    (judgement,) = judge_empty(record, 0.01)
    assert str(judgement) == (
        "MISSED: at most 1 % empty answers: 40 % (40 of 100 answers were empty) (search sync, 8 users)"
    )
    reported = (
        "search operations returned nothing: 40 of 100 answers with sync (40 %), although every query has neighbours"
    )
    assert [line for line in explain(record).warnings if line.startswith(reported)]


def bursts(empty: int) -> Ledger:
    ledger = Ledger()
    for number, (style, seconds) in enumerate((("sync", 30.0), ("threads", 3.0), ("async", 2.0))):
        mode = Mode.ASYNC if style == "async" else Mode.SYNC
        start = 100.0 * number
        ledger.open(Phase(number, mode, 1, style=style, operation="search", operations=100), start, start + seconds)
        for place in range(100):
            outcome = Outcome.EMPTY if style == "async" and place < empty else Outcome.OK
            ledger([Sample(mode, "search", start, start, start + 0.1, outcome, 1)])
    return ledger


def test_bursts_that_find_nothing_are_not_compared_and_fail() -> None:
    for empty, quotient in ((1, "1.50"), (2, "-")):
        ledger = bursts(empty)
        record, out = recorded(ledger), StringIO()
        print_tables(results_of(ledger), [], out)
        row = next(line for line in out.getvalue().splitlines() if line.startswith("│ search"))
        assert [cell.strip() for cell in row.strip("│").split("│")][5:] == [quotient, "0", str(empty)]
        words = explain(record).lines()[0]
        assert ("were empty. Empty answers are fast, so there is no comparison" in words) == (quotient == "-")
        (cells,) = [
            line for line in to_markdown([summarize(record)]).splitlines() if line.startswith("| search | 100 |")
        ]
        assert cells.endswith(f"| {quotient} | 0 | {empty} |")
        judged = judge_empty(record, 0.01)
        assert [str(one) for one in judged] == (
            ["MISSED: at most 1 % empty answers: 2 % (2 of 100 answers were empty) (search async, 100 operations)"]
            if quotient == "-"
            else []
        )


def test_empty_answers_are_a_column_everywhere() -> None:
    ledger, out = run({Mode.ASYNC: 300}), StringIO()
    levels = find_levels(results_of(ledger), seed=1)
    print_tables(results_of(ledger), levels, out)
    first = out.getvalue().partition("└")[0]  # other tables follow
    head, *rows = [line for line in first.replace("┃", "│").splitlines() if line.startswith("│")]
    column = [cell.strip() for cell in head.split("│")].index("empty")
    assert [row.split("│")[column].strip() for row in rows] == ["0", "600"]
    assert [(row["variant"], row["empty"]) for row in table_rows(level_rows(levels))] == [
        ("sync (baseline)", 0),
        ("async", 600),
    ]
    assert [row.empty for row in TabData(ledger, Progress()).rows()] == [0, 300, 300, 0]
    lines = to_markdown([summarize(recorded(ledger))]).splitlines()
    head_line = next(line for line in lines if line.startswith("| load | variant | operations/s"))
    place = head_line.split(" | ").index("empty |")
    assert lines[lines.index(head_line) + 3].split(" | ")[place] == "600 |"


def test_a_record_whose_searches_found_nothing_is_no_improvement() -> None:
    old, new = recorded(run({})), recorded(run({Mode.ASYNC: 300}))
    regressions = find_regressions(old, new, 0.05)
    speeds = [one for one in regressions if one.figure in ("throughput", "p50", "p99")]
    assert [one.verdict for one in speeds if one.series.variant == Mode.ASYNC] == [RegressionVerdict.INVALID] * 3
    why = "100 % of the answers of NEW were empty"
    assert {one.reason for one in speeds if one.series.variant == Mode.ASYNC} == {why}
    assert RegressionVerdict.INVALID not in {one.verdict for one in speeds if one.series.variant == Mode.SYNC}
