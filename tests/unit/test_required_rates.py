"""Requirements on the highest rate: what they read from a search, and what is refused before it."""

import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest
from locust import task

from loadgen.control.rate_finder import RateFinder
from loadgen.control.run import Run
from loadgen.locust_plugin import run_results
from loadgen.locust_plugin.preparation.result_settings import find_faults
from loadgen.locust_plugin.run_results import RunFinalizer
from loadgen.measure.ledger import Ledger
from loadgen.milvus.store import ServerInfo
from loadgen.results.record import RateFindingRecord, RunRecord
from loadgen.results.requirements import find_proven, judge, parse_requirement, read_rate_conditions
from loadgen.results.verdict import find_unfound
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.users import SyncUser
from tests.unit.rate_support import search
from tests.unit.record_support import phase, record

WITHIN = "async, the search for the highest rate"


class Searching(SyncUser):
    operations = ("search",)

    @task
    def search(self) -> None:
        """Nothing: it only declares."""


def searched(**given: Any) -> RunRecord:
    """A run whose search found 300/s [290 to 310] for async, or what is given."""
    values = {"variant": "async", "outcome": "found", "rate": 300.0, "low": 290.0, "high": 310.0, "reason": ""} | given
    with pytest.MonkeyPatch.context() as patch:
        result = search(patch, steps=2).as_record()
    one = RateFindingRecord.model_validate(values)
    steps = phase("async", None, model="constant", rate=200.0)
    return record(steps, rate_search=result.model_copy(update={"findings": (one,)}))


@pytest.mark.parametrize(
    ("text", "given", "met", "measured"),
    [
        ("rate > 280 /s", {}, True, "300/s [290 to 310]"),
        ("rate async > 295", {}, False, "300/s [290 to 310]"),
        ("search rate >= 290 /s", {}, True, "300/s [290 to 310]"),
        ("rate > 280", {"outcome": "at least", "low": None, "high": None}, True, "at least 300/s"),
        ("rate > 280", {"outcome": "generator"}, True, "at least 290/s; the generator was at its limit"),
        ("rate > 295", {"outcome": "generator"}, False, "at least 290/s; the generator was at its limit"),
        (
            "rate > 1",
            {"outcome": "generator", "low": None, "high": None},
            False,
            "the generator was at its limit at 300/s, and no step passed",
        ),
        ("rate > 1", {"outcome": "none"}, False, "even the lowest rate that was tried, 300/s, failed"),
        ("rate > 1", {"outcome": "unfinished", "rate": None}, False, "the search was interrupted"),
        ("rate > 1", {"low": None}, False, "300/s without an interval"),
    ],
)
def test_the_lower_end_of_the_rate_decides(text: str, given: dict[str, Any], met: bool, measured: str) -> None:
    [result] = judge(searched(**given), [parse_requirement(text)])
    assert (result.met, result.measured, result.where) == (met, measured, WITHIN)


NO_EDGE = {"outcome": "at least", "low": None, "high": None}


@pytest.mark.parametrize(
    ("require", "given", "why"),
    [
        (["rate > 280 /s"], NO_EDGE, ""),
        (["rate async >= 290", "rate > 100 /s"], {"outcome": "generator"}, ""),
        (["rate async >= 300"], {"outcome": "generator"}, "missed: rate async >= 300; no rate: async: the generator"),
        (["rate > 1 /s"], NO_EDGE | {"outcome": "generator"}, "missed: rate > 1 /s; no rate: async: the generator"),
        (["rate > 280 /s"], {}, ""),
        ([], NO_EDGE, "no rate: async: every step passed, up to 300/s"),
        (["rate async > 300 /s"], NO_EDGE, "missed: rate async > 300 /s; no rate: async: every step passed"),
        (["rate > 280 /s", "rate > 400 /s"], NO_EDGE, "missed: rate > 400 /s; no rate: async: every step passed"),
        (["rate > 1 /s"], {"outcome": "none"}, "missed: rate > 1 /s; no rate: async: even the lowest rate"),
    ],
)
def test_a_search_that_ended_below_the_edge_is_a_success_where_its_rate_is_enough(
    require: list[str], given: dict[str, Any], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    finder = SimpleNamespace(is_over=True, as_record=lambda: searched(**given).rate_search)
    settings = Settings.parse({"find_rate": "search p99 < 50 ms", "arrival": "constant", "require": require})
    ending = RunFinalizer(Ledger())
    run = Run("one", settings.model_copy(update={"record": ""}), (), finder=cast("RateFinder", finder))
    ending.begin(run, ServerInfo("2.3.5", "milvus"), 1)
    environment = SimpleNamespace(
        parsed_options=SimpleNamespace(exit_code_on_error=1), web_ui=None, process_exit_code=None
    )
    ending.conclude(environment)
    ending.tell_code(sys.stdout)
    assert environment.process_exit_code == bool(why)
    assert capsys.readouterr().out.startswith(f"Exit code 1: {why}" if why else "")


def test_a_run_whose_end_fails_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Locust only logs what a listener raises."""
    ending = RunFinalizer(Ledger())
    ending.begin(Run("one", Settings(record="")), ServerInfo("2.3.5", "milvus"), 1)
    monkeypatch.setattr(run_results, "judge", lambda *_: 1 / 0)
    environment = SimpleNamespace(
        parsed_options=SimpleNamespace(exit_code_on_error=1), web_ui=None, process_exit_code=None
    )
    with pytest.raises(ZeroDivisionError):
        ending.conclude(environment)
    ending.tell_code(sys.stdout)
    assert ending.code == 1
    assert capsys.readouterr().out == f"Exit code 1: {run_results.NOT_CONCLUDED}.\n"


def test_of_two_variants_only_those_whose_rate_is_enough_are_excused() -> None:
    run = searched(**NO_EDGE)
    assert run.rate_search is not None
    (first,) = run.rate_search.findings
    both = run.rate_search.model_copy(update={"findings": (first, first.model_copy(update={"variant": "sync"}))})
    run = run.model_copy(update={"rate_search": both})
    wanted = [parse_requirement(text) for text in ("rate async > 280", "search p99 < 50 ms")]
    assert find_proven(run, wanted) == {"async"}
    (missing,) = find_unfound(both, find_proven(run, wanted))
    assert missing.startswith("no rate: sync: ")
    assert find_proven(run, []) == find_proven(record(phase("sync")), wanted) == set()


def test_a_rate_that_nobody_searched_for_meets_nothing() -> None:
    wanted = [parse_requirement("rate sync > 1")]
    assert [one.met for one in judge(searched(), wanted)] == [False], "only async has one"
    [result] = judge(record(phase("sync", 8)), wanted)
    assert (result.met, result.measured, result.where) == (False, "nothing measured", "no rate of sync at any load")


@pytest.mark.parametrize(
    ("text", "sought", "reported"),
    [
        ("rate > 500 /s", "search p99 < 50 ms", ""),
        ("search rate async > 500 /s", "search p99 < 50 ms", "names an unknown"),
        ("rate > 500 /s", "", "is of the highest rate, without a --find-rate. Add for example --find-rate"),
        ("rate < 500 /s", "search p99 < 50 ms", "is an upper limit of the highest rate. Use > or >=."),
        ("rate at 8 > 500 /s", "search p99 < 50 ms", "names a load, but the highest rate is one for all. Omit it."),
        ("rate asink > 500 /s", "search p99 < 50 ms", "names an unknown variant: 'asink'"),
        ("rate > 500 ms", "search p99 < 50 ms", "'ms' is no unit for rate: use /s, none"),
    ],
)
def test_what_no_search_finds_is_refused(text: str, sought: str, reported: str) -> None:
    settings = Settings.parse({"require": [text], "find_rate": sought, "arrival": "constant" if sought else "closed"})
    result = [str(fault) for fault in find_faults(settings, ())]
    assert [reported in one for one in result] == ([True] if reported else [])


@pytest.mark.parametrize(
    ("sought", "reported"),
    [
        ("search p99 < 50 ms", ""),
        ("search sync p99 < 50 ms, search async p99 < 9 ms", ""),
        ("search async p99 < 50 ms", "has no condition for sync"),
        ("all p99 < 50 ms", "is of all, an operation of no client"),
        ("search goodput > 10 /s", "is on a figure that is per second, and so grows with the rate until the edge"),
        ("ask tokens_out > 10 /s", "is on a figure that is per second, and so grows with the rate until the edge"),
    ],
)
def test_what_a_search_cannot_be_judged_by_is_refused(sought: str, reported: str) -> None:
    settings = Settings.parse({"find_rate": sought, "arrival": "constant", "record": ""})
    problems = [fault.problem for fault in find_faults(settings, (Searching,))]
    assert [one.startswith(reported) for one in problems] == ([True] if reported else [])


def test_a_search_has_no_condition_on_its_own_result() -> None:
    result, faults = read_rate_conditions("rate > 500 /s")
    assert (result, [fault.problem for fault in faults]) == ([], ["is on a figure that is what the search finds"])


def test_a_rate_in_place_of_an_operation_names_the_figure_first() -> None:
    with pytest.raises(SettingsError, match='Write for example "rate async > 500 /s"'):
        parse_requirement("rate asink > 500 /s")
