"""What requirements of failures and of empty answers read from a record, to the digit."""

from typing import Any

import pytest

from loadgen.measure.sample import Outcome
from loadgen.results.record import RunRecord
from loadgen.results.requirements import judge, parse_max_failures, parse_requirement
from loadgen.settings.faults import SettingsError
from tests.unit.record_support import operation, phase, record


def searched(ok: int, empty: int = 0, failed: int = 0) -> RunRecord:
    outcomes = {Outcome.OK: ok, Outcome.EMPTY: empty, Outcome.FAILED: failed}
    return record(phase("async", 8, operation(outcomes=outcomes), dropped=1))


@pytest.mark.parametrize(
    ("run", "met", "shown"),
    [
        (searched(97, empty=3), True, "3 % (3 of 100)"),
        (searched(60, empty=40), False, "40 % (40 of 100)"),
        (searched(0, failed=5), False, "nothing measured"),
    ],
)
def test_empty_answers_are_a_share_of_the_answers(run: RunRecord, met: bool, shown: str) -> None:
    [result] = judge(run, [parse_requirement("search empty < 5 %")])
    assert (result.met, result.measured) == (met, shown)


def test_dropped_arrivals_are_added_to_the_failures() -> None:
    [result] = judge(searched(96, failed=3), [parse_requirement("search failures < 1 %")])
    assert (result.met, result.measured) == (False, "4 % (4 of 100, 1 of them dropped)")


def test_arrivals_dropped_within_phases_and_outside_are_added_up() -> None:
    run = record(phase("async", 8, operation(outcomes={Outcome.OK: 96}), dropped=3), dropped_outside={"async": 1})
    for most, met in (("3", False), ("4", True)):
        [result] = judge(run, [], parse_max_failures(most))
        assert (result.met, result.measured) == (met, "4 % (4 of 100, 4 of them dropped)")


def test_what_is_in_closed_quotes_is_not_blamed_where_the_comparison_is_missing() -> None:
    with pytest.raises(SettingsError, match="has no comparison: <, <=, > or >="):
        parse_requirement("search 'async' p99")


@pytest.mark.parametrize("text", ["search throughput >= 100 /s", "search goodput > 1", "search hits > 1 /s"])
def test_a_round_in_which_the_operation_never_ended_has_a_rate_of_0_although_others_did(text: str) -> None:
    given: dict[str, Any] = {"good": 100, "goodput": 10.0, "items": {"hits": 1_000}}
    both = phase("async", 8, operation("insert"), operation("search", **given))
    [result] = judge(record(both, phase("async", 8, operation("insert")), both), [parse_requirement(text)])
    assert (result.met, result.measured, result.where) == (False, "0/s", "async, 8 users")
    burst = phase("sync", 8, operation("insert"), style="sync")
    [result] = judge(record(both, burst, both), [parse_requirement(text)])
    assert (result.met, result.where) == (False, "sync, 8 users"), "no burst of it at all"
    bursts = (burst, phase("sync", 8, operation("search", **given), style="sync"))
    assert judge(record(*bursts), [parse_requirement(text)])[0].met, "each burst is of one operation"


def test_a_variant_is_the_one_of_this_name_before_one_in_other_letters() -> None:
    names = ("Fast", "fast", "SLOW")
    assert [parse_requirement(f"search {name} p99 < 5 ms", names).variant for name in ("fast", "Fast", "slow")] == [
        "fast",
        "Fast",
        "SLOW",
    ]
    with pytest.raises(SettingsError, match="names an unknown variant: 'FAST'"):
        parse_requirement("search FAST p99 < 5 ms", names)
