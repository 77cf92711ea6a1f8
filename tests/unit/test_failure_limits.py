"""How many failures a run may have: as a share of each phase, or as a count of all."""

from typing import Any

import pytest

from loadgen.measure.sample import Mode, Outcome
from loadgen.results.record import Outside, RunRecord, TaskErrorRecord
from loadgen.results.requirements import judge, parse_max_failures, parse_requirement, parse_requirements
from loadgen.settings.faults import SettingsError
from tests.unit.record_support import durations, operation, phase, record

SERVED = {"service_seconds": durations()}


def failing(*failures: int, **given: Any) -> RunRecord:
    """Phases of 1,000 searches each, with these numbers of failures."""
    return record(
        *(
            phase(mode, 8, operation(outcomes={Outcome.OK: 1_000 - count, Outcome.THROTTLED: count}), **given)
            for mode, count in zip(("sync", "async") * 3, failures, strict=False)
        )
    )


@pytest.mark.parametrize(
    ("text", "met", "measured", "where"),
    [
        ("search failures <= 1 %", True, "1 % (10 of 1,000)", "async, 8 users"),
        ("search failures < 1 %", False, "1 % (10 of 1,000)", "async, 8 users"),
        ("search sync failures < 0.31 %", True, "0.3 % (3 of 1,000)", "sync, 8 users"),
        ("search sync failures <= 0.3 %", True, "0.3 % (3 of 1,000)", "sync, 8 users"),
        ("search failures <= 13", True, "13", "over 2 phases"),
        ("search failures < 13", False, "13", "over 2 phases"),
        ("search async failures <= 9", False, "10", "async, 8 users"),
    ],
)
def test_failures_are_judged_as_a_share_of_each_phase_or_as_a_count_of_all(
    text: str, met: bool, measured: str, where: str
) -> None:
    [result] = judge(failing(3, 10), [parse_requirement(text)])
    assert result == (text, met, measured, where)


@pytest.mark.parametrize(
    ("limit", "met"), [("0.65%", True), ("0.649%", False), ("0.66 %", True), ("13", True), ("12", False), ("0", False)]
)
def test_a_run_may_have_so_many_failures_over_all_phases(limit: str, met: bool) -> None:
    [result] = judge(failing(3, 10), [], parse_max_failures(limit))
    assert result == (f"at most {limit} failures", met, "0.65 % (13 of 2,000)", "the whole run")


def test_failures_outside_of_the_phases_count_for_the_whole_run() -> None:
    outside = Outside(variant=Mode.SYNC, operation="search", outcomes={Outcome.OK: 900, Outcome.FAILED: 100})
    [result] = judge(failing(3, 10).model_copy(update={"outside": (outside,)}), [], parse_max_failures("3%"))
    assert result == ("at most 3% failures", False, "3.76667 % (113 of 3,000)", "the whole run")


def test_dropped_arrivals_are_failures() -> None:
    dropping = record(phase("async", None, operation(), model="poisson", rate=200.0, dropped=25))
    texts = ["search failures < 20 %", "search failures <= 25", "search p99 < 1 s at 200/s"]
    share, count, time, most = judge(dropping, parse_requirements(texts), parse_max_failures("24"))
    assert share[1:] == (False, "20 % (25 of 125, 25 of them dropped)", "async, 200/s")
    assert count[1:] == (True, "25, 25 of them dropped", "async, 200/s")
    assert time[1:] == (False, "0.01 s without the 20 % that failed (25 of 125, 25 of them dropped)", "async, 200/s")
    assert most.met is False


REFUSED = {Outcome.OK: 950, Outcome.THROTTLED: 20, Outcome.TIMEOUT: 30}


@pytest.mark.parametrize(
    ("text", "met", "measured"),
    [
        ("search p99 < 50 ms", False, "10 ms without the 2 % that failed (20 of 1,000)"),
        ("search service p99 < 50 ms", False, "10 ms without the 2 % that failed (20 of 1,000)"),
        ("search p95 < 50 ms", True, "10 ms"),
        ("search p99 > 5 ms", True, "10 ms"),
        ("search mean < 50 ms", True, "10 ms"),
    ],
)
def test_a_time_is_not_met_where_more_failed_than_may_be_later(text: str, met: bool, measured: str) -> None:
    """Operations that are refused are in no time; a timeout is waited for, and is."""
    run = record(phase("async", 8, operation(outcomes=REFUSED, response=durations()).model_copy(update=SERVED)))
    [result] = judge(run, [parse_requirement(text)])
    assert (result.met, result.measured) == (met, measured)


def test_a_percentile_may_be_met_with_as_many_failures_as_may_be_later() -> None:
    for failed, met in ((10, True), (11, False)):
        assert judge(failing(failed), [parse_requirement("search p99 < 50 ms")])[0].met is met


@pytest.mark.parametrize(("limit", "met"), [("1.33%", False), ("1.34%", True), ("26", False), ("27", True)])
def test_exceptions_of_tasks_are_failures_of_the_whole_run(limit: str, met: bool) -> None:
    raised = TaskErrorRecord(variant=Mode.ASYNC, error="ValueError", place="search.py:3", count=9)
    run = failing(3, 4, task_errors=(raised,)).model_copy(
        update={"task_errors_outside": (raised.model_copy(update={"count": 2}),)}
    )
    assert run.task_errors == 20
    [result] = judge(run, [], parse_max_failures(limit))
    reported = "1.33663 % (27 of 2,020, 20 of them task exceptions)"
    assert result == (f"at most {limit} failures", met, reported, "the whole run")


def test_no_failures_are_zero_per_cent() -> None:
    [result] = judge(failing(0), [], parse_max_failures("0"))
    assert result[1:3] == (True, "0 % (0 of 1,000)")


@pytest.mark.parametrize("text", ["", "some", "-1", "1.5", "101%", "5 ms", "nan"])
def test_a_failure_limit_that_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_max_failures(text)
    [fault] = caught.value.faults
    assert (fault.setting, fault.value) == ("max_failures", text)
    assert "Write for example 1% or 10." in str(fault)
