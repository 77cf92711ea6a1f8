"""What the tab of the web page shows is what was counted."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from locust.env import Environment

from loadgen.control.run import Run
from loadgen.locust_plugin.display.progress import Progress
from loadgen.locust_plugin.run_results import RunFinalizer
from loadgen.locust_plugin.web.page import SECTIONS, find_section
from loadgen.locust_plugin.web.tab_data import TabData, is_comparable, table_rows
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase, timed_phases
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store import ServerInfo
from loadgen.results.levels import find_levels
from loadgen.results.record import read_record
from loadgen.settings.model import Settings
from tests.unit.result_support import results_of
from tests.unit.test_tables import two_rounds

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text()
MODES = (("sync", Mode.SYNC), ("async", Mode.ASYNC))


def filled() -> tuple[Ledger, TabData]:
    ledger = Ledger()
    two_rounds(ledger, [0.010] * 500, [0.005] * 1_000)
    two_rounds(ledger, [0.010] * 500, [0.005] * 1_000, users=16)
    return ledger, TabData(ledger, Progress())


def test_a_level_is_compared_where_a_round_of_it_is_complete() -> None:
    plan = timed_phases(MODES, (1, 8), 2, (10.0, 2.0))
    assert [phase.number for phase in plan if is_comparable(phase, plan)] == [3, 7, 11, 15]
    three = timed_phases((*MODES, ("async#2", Mode.ASYNC)), (1, 8), 2, (10.0, 2.0))
    assert [phase.number for phase in three if is_comparable(phase, three)] == [5, 11, 17, 23]
    alone = timed_phases(MODES[:1], (1,), 2, (10.0, 2.0))
    assert not any(is_comparable(phase, alone) for phase in alone)
    burst = Phase(0, Mode.SYNC, 1, style="sync", operation="search", operations=10)
    assert not is_comparable(burst, [burst])


def test_every_phase_has_a_row_for_each_operation_in_the_order_of_time() -> None:
    _, tab_data = filled()
    rows = tab_data.as_json()["phases"]
    assert [(row["phase"], row["variant"], row["users"]) for row in rows[:4]] == [
        (1, "sync", "8"),
        (2, "async", "8"),
        (3, "async", "8"),
        (4, "sync", "8"),
    ]
    assert [row["throughput"] for row in rows] == [50, 100, 100, 50] * 2
    assert [round(row["p99"] * 1000, 1) for row in rows] == [10, 5, 5, 10] * 2
    assert {(row["operation"], row["failures"], row["live"]) for row in rows} == {("search", 0, False)}


def test_levels_have_both_modes_the_ratio_with_its_interval_and_the_verdict() -> None:
    ledger, tab_data = filled()
    tab_data.take(find_levels(results_of(ledger), seed=1), ["Async wins."])
    reported = tab_data.as_json()
    sync, asyn = reported["levels"][:2]
    assert [(row["users"], row["variant"], row["is_baseline"]) for row in reported["levels"]] == [
        ("8", "sync", True),
        ("8", "async", False),
        ("16", "sync", True),
        ("16", "async", False),
    ]
    assert (sync["throughput"], asyn["throughput"]) == pytest.approx((50, 100))
    assert (sync["verdict"], sync["ratio_throughput"]) == ("", None)
    assert (asyn["verdict"], asyn["is_won"], asyn["reasons"]) == ("async", True, [])
    assert 1 < asyn["ratio_throughput"]["low"] < 2 < asyn["ratio_throughput"]["high"] < 3
    assert reported["words"] == ["Async wins."]
    shown = table_rows(tab_data.levels)
    assert re.fullmatch(r"2\.00 \(1\.\d\d-2\.\d\d\)", shown[1]["ratio_throughput"])
    assert re.fullmatch(r"0\.50 \(0\.\d\d-0\.\d\d\)", shown[1]["ratio_p99"])
    assert (shown[0]["variant"], shown[0]["verdict"], shown[0]["p50"]) == ("sync (baseline)", "", 10.01)
    assert (shown[1]["variant"], shown[1]["verdict"], shown[1]["throughput"]) == ("async", "async wins", 100.0)
    assert {shown[0][name] for name in ("ratio_throughput", "ratio_p99")} == {""}
    assert sorted(shown, key=lambda row: row["name"]) == shown, "Locust's table sorts by this"


def test_what_is_not_known_is_null_and_no_verdict_has_its_reasons() -> None:
    ledger, tab_data = filled()
    for number in (0, 3, 4, 7):
        ledger.windows[number].operation_stats.clear()
    tab_data.take(find_levels(results_of(ledger), seed=1), [])
    text = json.dumps(tab_data.as_json(), allow_nan=False)
    rows = json.loads(text)["levels"]
    assert [row["variant"] for row in rows] == ["async", "async"], "sync did nothing"
    assert (rows[0]["recall"], rows[0]["ratio_throughput"]) == (None, None)
    assert (rows[0]["verdict"], rows[0]["is_won"]) == ("invalid", False)
    assert "no search was answered in phases 1 and 4: none ended" in rows[0]["reasons"]
    shown = table_rows([replace(tab_data.levels[0], p99=math.nan)])[0]
    assert (shown["p99"], shown["ratio_p99"], shown["verdict"]) == ("-", "-", "invalid")


def test_another_run_begins_with_nothing() -> None:
    ledger, tab_data = filled()
    tab_data.take(find_levels(results_of(ledger), seed=1), ["Async wins."])
    ledger.reset()
    tab_data.reset()
    assert tab_data.as_json() == {"now": None, "phases": [], "levels": [], "words": []}


def test_the_groups_of_the_form_are_those_of_the_reference() -> None:
    heads = re.findall(r"## The (\w+)\n\n\|.*\n\|.*\n\| `--([a-z-]+)`", REFERENCE)
    assert {first.replace("-", "_"): name for name, first in heads} == SECTIONS
    assert {find_section(name) for name in Settings.model_fields} == set(SECTIONS.values())
    assert (find_section("dim"), find_section("phase_seconds")) == ("collection", "run")


def test_a_phase_that_is_shorter_by_a_rounding_error_was_not_broken_off() -> None:
    ledger = Ledger()
    start = 16_385.3
    assert (start + 2.1) - start < 2.1
    for number, mode in enumerate((Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC)):
        ledger.open(Phase(number, mode, 8, seconds=2.1), start, start + 2.1)
        ledger([Sample(mode, "search", start, start, start + 0.1 * tenth, Outcome.OK, 10) for tenth in range(1, 20)])
    (level,) = find_levels(results_of(ledger), seed=1)
    assert [reason for reason in level.comparisons["async"].reasons if "aborted" in reason] == []


def begun(ledger: Ledger, folder: Path, *objections: str) -> RunFinalizer:
    ending = RunFinalizer(ledger)
    ending.objections = {"async": objections}
    settings = Settings(record=str(folder), report="none")
    ending.begin(Run("20261122-193000-k3f9", settings), ServerInfo("2.3.5", "milvus"), 1)
    return ending


def test_before_the_end_the_same_words_are_said_as_at_the_end_and_the_record_has_no_comparison_yet(
    tmp_path: Path,
) -> None:
    ledger, _ = filled()
    ending = begun(ledger, tmp_path)
    ending.keep()
    levels, words = ending.compare()
    assert words[0].startswith(
        "search: async gives 2.00 times the throughput of sync at every level measured, 8 and 16"
    )
    assert [level.level.short for level in levels] == ["8", "16"]
    assert ending.path is not None
    assert read_record(ending.path).comparisons == ()
    ending.conclude(Environment(parsed_options=SimpleNamespace(exit_code_on_error=1)))
    assert ending.words == words
    assert len(read_record(ending.path).comparisons) == 2


def test_before_the_end_a_level_without_a_verdict_has_its_reason_in_the_words(tmp_path: Path) -> None:
    ledger, _ = filled()
    ending = begun(ledger, tmp_path, "other data")
    _, words = ending.compare()
    assert words[0] == "search: no verdict at 8 and 16 users."
    assert "Warning: No verdict for search at 8 users: other data." in words
