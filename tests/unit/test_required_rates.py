"""Requirements on the highest rate: what they read from a search, and what is refused before it."""

from typing import Any

import pytest

from loadgen.locust_plugin.preparation.result_settings import find_faults
from loadgen.results.record import RateFindingRecord, RunRecord
from loadgen.results.requirements import judge, parse_requirement, read_rate_conditions
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.unit.rate_support import search
from tests.unit.record_support import phase, record

WITHIN = "async, the search for the highest rate"


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
        ("rate > 400", {"outcome": "generator"}, False, "at least 300/s; the generator was at its limit"),
        ("rate > 1", {"outcome": "none"}, False, "even the lowest rate that was tried, 300/s, failed"),
        ("rate > 1", {"outcome": "unfinished", "rate": None}, False, "the search was interrupted"),
        ("rate > 1", {"low": None}, False, "300/s without an interval"),
    ],
)
def test_the_lower_end_of_the_rate_decides(text: str, given: dict[str, Any], met: bool, measured: str) -> None:
    [result] = judge(searched(**given), [parse_requirement(text)])
    assert (result.met, result.measured, result.where) == (met, measured, WITHIN)


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


def test_a_search_has_no_condition_on_its_own_result() -> None:
    result, faults = read_rate_conditions("rate > 500 /s")
    assert (result, [fault.problem for fault in faults]) == ([], ["is on a figure that is what the search finds"])


def test_a_rate_in_place_of_an_operation_names_the_figure_first() -> None:
    with pytest.raises(SettingsError, match='Write for example "rate async > 500 /s"'):
        parse_requirement("rate asink > 500 /s")
