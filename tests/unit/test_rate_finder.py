"""A rate search as the coordinator carries it out: phases, verdicts on steps, and how it ends."""

import math
from dataclasses import replace

import pytest

from loadgen.control.rate_finder import RateFinder, find_rate_finder
from loadgen.control.rate_judging import Conditions, find_rest, mean_responses
from loadgen.control.rate_search import Backlog
from loadgen.control.run import Run
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode
from loadgen.results.phase_result import finalise
from loadgen.results.requirements import read_rate_conditions
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.unit.rate_support import FAST, SETTINGS, SLOW, run_step, search

PHASE = Phase(0, Mode.ASYNC, 0, 4.0, model="constant", rate=50.0)


def test_each_variant_gets_the_rate_of_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    result = search(monkeypatch).as_record()
    assert [(one.variant, one.outcome) for one in result.findings] == [("sync", "found"), ("async", "found")]
    assert [one.rate for one in result.findings] == pytest.approx([100, 300], rel=0.03)
    assert [one.variant for one in result.steps[:4]] == ["sync", "async", "async", "sync"]
    assert result.processes == 2
    assert [(one.text, one.limit, one.is_time) for one in result.conditions] == [
        ("search p99 < 50 ms", 0.05, True),
        ("search failures < 1 %", 0.01, False),
    ]
    for one in result.steps:
        is_below = one.rate < (100 if one.variant == "sync" else 300)
        assert one.passes is is_below
        assert [value or 0.0 for value in one.values] == pytest.approx([FAST if is_below else SLOW, 0.0], rel=0.01)
        assert one.reason == ("" if is_below else "search p99 < 50 ms: 80.063 ms")
        assert one.throughput == pytest.approx(int(one.rate * one.seconds) / one.seconds)


def test_the_plan_grows_until_the_search_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.parse(SETTINGS)
    finder = find_rate_finder(settings, RateFinder(settings).first_phases())
    assert finder is not None
    run = Run("one", settings, plan=finder.first_phases(), finder=finder)
    assert [(one.variant, one.rate, one.number) for one in run.plan] == [("sync", 10.0, 0), ("async", 10.0, 1)]
    finder.begin(1)
    for phase in run.plan:
        finder.observe(phase, run_step(phase, 300))
    third = run.extend_plan()
    assert third is not None
    assert (third.number, third.variant, third.rate, third.model) == (2, "async", 20.0, "constant")
    assert run.plan[2] == third
    assert third.label.startswith("async, 20/s constant (passed up to 10/s, ")
    run.completed = 2
    assert run.early == "ended early: the search for the rate had made 2 steps"
    over = Run("two", settings, plan=run.plan, finder=search(monkeypatch))
    over.completed = len(over.plan)
    assert over.extend_plan() is None
    assert over.early == ""


def test_an_interrupted_search_keeps_its_steps_and_claims_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    result = search(monkeypatch, steps=7).as_record()
    assert len(result.steps) == 7
    assert [(one.variant, one.outcome, one.rate) for one in result.findings] == [
        ("sync", "unfinished", None),
        ("async", "unfinished", None),
    ]


def test_a_run_without_the_setting_has_no_search() -> None:
    assert find_rate_finder(Settings(), (PHASE,)) is None
    assert find_rate_finder(Settings.parse(SETTINGS), ()) is None
    with pytest.raises(SettingsError, match="has no comparison"):
        RateFinder(Settings.parse({"find_rate": "fast"}))


def judge(phase: Phase, conditions: str, capacity: float = 1e9, fails: float = 0.0, **state: float) -> tuple[bool, str]:
    every, _ = read_rate_conditions(conditions)
    result = finalise(run_step(phase, capacity, fails))
    generator = result.record.generator.model_copy(update=state)
    result = replace(result, record=result.record.model_copy(update={"generator": generator}))
    results = Conditions(tuple(every), 256).judge(result, Backlog(phase.rate), grew=False)
    return results.verdict.is_generator, results.verdict.reason


@pytest.mark.parametrize(
    ("conditions", "capacity", "fails", "state", "reported"),
    [
        ("search p99 < 50 ms", 1e9, 0.0, {}, (False, "")),
        ("search p99 < 50 ms", 1e9, 0.0, {"loop_lag_p99_seconds": 0.04}, (False, "")),
        ("search p99 < 50 ms", 10.0, 0.0, {}, (False, "search p99 < 50 ms: 80.063 ms")),
        ("search sync p99 < 50 ms", 10.0, 0.0, {}, (False, "")),
        ("search failures < 1 %", 1e9, 0.1, {}, (False, "search failures < 1 %: 10 % (20 of 200)")),
        (
            "search p99 < 50 ms",
            1e9,
            0.1,
            {},
            (False, "search p99 < 50 ms: 20.015 ms without the 10 % that failed (20 "),
        ),
        ("insert p99 < 50 ms", 1e9, 0.0, {}, (False, "insert p99 < 50 ms: nothing measured")),
        ("search p99 < 50 ms", 10.0, 0.0, {"loop_lag_p99_seconds": 0.04}, (True, "the event loop was 40.0 ms late")),
        ("search p99 < 50 ms", 10.0, 0.0, {"pace_lag_p99_seconds": 0.03}, (True, "arrivals were started 30.0 ms late")),
        ("search p99 < 50 ms", 10.0, 0.0, {"pace_lag_p99_seconds": 0.02}, (False, "search p99 < 50 ms: 80.063 ms")),
    ],
)
def test_a_step_passes_by_its_conditions_and_the_generator_explains_its_own_failures(
    conditions: str, capacity: float, fails: float, state: dict[str, float], reported: tuple[bool, str]
) -> None:
    is_generator, reason = judge(PHASE, conditions, capacity, fails, **state)
    assert is_generator is reported[0]
    assert reason.startswith(reported[1])
    assert bool(reason) == bool(reported[1])


SLOTS = "all 256 concurrency slots were taken: raise --max-in-flight"


@pytest.mark.parametrize(("fails", "reason"), [(0.0, SLOTS), (0.1, "search p99 < 5 ms: 20.015 ms without the 10 %")])
def test_failures_of_the_server_are_no_lack_of_slots(fails: float, reason: str) -> None:
    every, _ = read_rate_conditions("search p99 < 5 ms")
    record = finalise(run_step(PHASE, 1e9, fails)).record
    (search_part,) = record.operations
    fast = search_part.service_seconds.model_copy(update={"p99": 0.004})
    parts = (search_part.model_copy(update={"service_seconds": fast}),)
    full = record.generator.model_copy(update={"in_flight_max": 256})
    result = replace(
        finalise(run_step(PHASE, 1e9)), record=record.model_copy(update={"operations": parts, "generator": full})
    )
    judged = Conditions(tuple(every), 256).judge(result, Backlog(PHASE.rate), grew=False)
    assert judged.verdict.reason.startswith(reason)
    assert judged.verdict.is_generator is (reason == SLOTS)


@pytest.mark.parametrize(
    ("checks", "recall", "passes", "value"),
    [(0, None, True, None), (9, 0.5, True, None), (10, 0.5, False, 0.5), (10, 0.97, True, 0.97)],
)
def test_a_recall_is_judged_from_ten_checked_answers_on(
    checks: int, recall: float | None, passes: bool, value: float | None
) -> None:
    conditions = Conditions(tuple(read_rate_conditions("search recall >= 0.95")[0]), 256)
    result = finalise(run_step(PHASE, 1e9))
    (part,) = result.record.operations
    known = part.model_copy(update={"recall": recall, "recall_checks": checks})
    result = replace(result, record=result.record.model_copy(update={"operations": (known,)}))
    judged = conditions.judge(result, Backlog(50.0), grew=False)
    assert (judged.verdict.passes, judged.values) == (passes, (value,))
    assert bool(conditions.find_unchecked("async", [judged])) is (value is None)
    silent = replace(result, record=result.record.model_copy(update={"operations": ()}))
    assert conditions.judge(silent, Backlog(50.0), grew=False).verdict.reason.endswith("nothing measured")


def test_a_search_whose_recall_was_never_judged_has_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = search(monkeypatch, find_rate="search p99 < 50 ms, search sync recall > 0.9")
    unchecked, free = finder.as_record().findings
    assert (unchecked.outcome, free.outcome) == ("none", "found")
    assert unchecked.reason.startswith("search sync recall > 0.9: fewer than 10 answers were checked in each step")
    assert unchecked.rate == 10.0


def test_a_growing_backlog_fails_a_step_that_meets_its_conditions() -> None:
    every, _ = read_rate_conditions("search p99 < 50 ms")
    conditions, result = Conditions(tuple(every), 256), finalise(run_step(PHASE, 1e9))
    assert conditions.judge(result, Backlog(50.0), grew=True).verdict.reason == "the backlog grew without bound"
    backlog = Backlog(50.0)
    backlog.look(4.0, 0, dropped=10)
    assert conditions.judge(result, backlog, grew=False).verdict.reason == "5 % of the arrivals were dropped"


def test_the_server_rests_as_long_as_the_longest_operation_of_a_failed_step() -> None:
    record = finalise(run_step(PHASE, 10.0)).record
    assert find_rest(record, passes=True) == 0.0
    assert find_rest(record, passes=False) == pytest.approx(SLOW, rel=0.01)
    assert find_rest(record.model_copy(update={"longest_unfinished_seconds": 60.0}), passes=False) == 10.0


def test_response_times_are_read_from_the_complete_slices_of_a_phase() -> None:
    window = run_step(PHASE, 10.0)
    assert mean_responses(None, 4.0) == []
    result = mean_responses(window, 2.3)
    assert [at for at, _ in result] == [0.5, 1.0, 1.5, 2.0]
    assert all(math.isclose(seconds, SLOW, rel_tol=0.01) for _, seconds in result)
