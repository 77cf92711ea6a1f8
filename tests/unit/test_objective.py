"""An operation is good if it was answered and meets every condition of the objective on it."""

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.control.merged_ledger import MergedLedger
from loadgen.exporters import Exporter, Role, VariantLabels, new_registry
from loadgen.measure.ledger import Ledger
from loadgen.measure.objective import NO_OBJECTIVE, Objective, judge, make_objective, parse_objective
from loadgen.measure.operation import Operation
from loadgen.measure.phase import Phase
from loadgen.measure.sample import NO_STAGES, Mode, Outcome, Sample, StageTimes
from loadgen.settings.faults import Fault, SettingsError

ASK = Operation("ask", stages=("embed", "first_token"), repeated=("inter_token",))
SEARCH = Operation("search")


def sample(
    took: float = 0.1, stages: StageTimes = NO_STAGES, outcome: Outcome = Outcome.OK, waited: float = 0.0, **given: Any
) -> Sample:
    values: dict[str, Any] = {"variant": "async", "operation": "ask", "rows": 1} | given
    return Sample(scheduled=9.0 - waited, started=9.0, finished=9.0 + took, outcome=outcome, stages=stages, **values)


def good(text: str, *samples: Sample) -> list[bool]:
    return [bool(one) for one in judge(samples, objective(text).of(samples[0].operation))]


def objective(text: str, *operations: Operation) -> Objective:
    return make_objective(parse_objective(text), operations or (ASK, SEARCH))


def test_conditions_are_read_with_and_without_an_operation() -> None:
    objective = parse_objective("first_token < 500 ms, ask retrieve<=50ms , response < 3 s,service > .5 µs")
    assert [(one.operation, one.part, one.relation, one.limit) for one in objective] == [
        ("", "first_token", "<", 0.5),
        ("ask", "retrieve", "<=", 0.05),
        ("", "response", "<", 3.0),
        ("", "service", ">", 5e-7),
    ]
    assert parse_objective(" ") == ()


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("fast", '"fast": has no comparison: <, <=, > or >=', "first_token < 500 ms, response < 3 s"),
        ("response < 3", '"response < 3": has a limit without unit of time: use us, ms or s', "response < 3 s"),
        ("response < 3 h", "'h' is no unit of time", "response < 3 s"),
        ("response < x ms", "has no valid limit (a number with its unit): 'x ms'", "response < 3 s"),
        ("response < 0 s", "has a limit of 0, which no operation meets", "response < 3 s"),
        ("response == 1 s", "has no comparison", "response < 3 s"),
        ("response < 1 s < 2 s", "has no valid limit", "response < 3 s"),
        ("a b c < 1 s", "does not start with response, service or a stage", "response < 3 s"),
        ("Response < 1 s", "names 'Response', which is no name of", "response < 3 s"),
        ("p99 < 1 s", "is on p99, a figure of many operations", 'Write "response < 1 s".'),
        ("ask first_token p99 < 1 s", "is on p99", 'Write "ask first_token < 1 s".'),
        (f"response < {'9' * 400} s", "has an infinite limit", "response < 3 s"),
        ("response < 1 s,", '"": is empty', "response < 3 s"),
    ],
)
def test_a_condition_that_cannot_be_read_is_a_fault(text: str, problem: str, hint: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_objective(text)
    [fault] = raised.value.faults
    assert fault.setting == "objective"
    assert problem in f"{fault.value}: {fault.problem}"
    assert hint in fault.hint


def test_all_faults_are_reported_together() -> None:
    with pytest.raises(SettingsError) as raised:
        parse_objective("fast, response < 1 s, p50 < 2 ms")
    assert [fault.value for fault in raised.value.faults] == ['"fast"', '"p50 < 2 ms"']


@given(st.text("rsp <>=.,09msµ\n", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    faults: tuple[Fault, ...] = ()
    try:
        assert all(one.limit >= 0 for one in parse_objective(text))
    except SettingsError as error:
        faults = error.faults
    assert {fault.setting for fault in faults} <= {"objective"}


def test_every_condition_must_be_met_and_the_response_counts_from_the_schedule() -> None:
    quick, slow, late = sample(0.1), sample(0.3), sample(0.1, waited=0.2)
    assert good("response < 200 ms", quick, slow, late) == [True, False, False]
    assert good("service < 200 ms", quick, slow, late) == [True, False, True]
    assert good("response < 1 s, service < 200 ms", quick, slow, late) == [True, False, True]
    assert good("response > 200 ms", quick, slow, late) == [False, True, True]


def test_only_answers_with_a_result_are_good() -> None:
    assert good("response < 1 s", *(sample(outcome=outcome) for outcome in Outcome)) == [
        outcome is Outcome.OK for outcome in Outcome
    ]


def test_every_time_of_a_repeated_stage_counts_and_a_missing_stage_is_not_met() -> None:
    steady, stalled = sample(stages={"inter_token": (0.01, 0.02)}), sample(stages={"inter_token": (0.01, 0.9)})
    none, empty = sample(), sample(stages={"inter_token": ()})
    assert good("inter_token < 100 ms", steady, stalled, none, empty) == [True, False, False, False]
    assert good("inter_token >= 15 ms", steady, stalled) == [False, False]
    assert good("inter_token >= 10 ms", steady, stalled) == [True, True]


def test_a_condition_on_a_stage_applies_to_operations_that_declare_it() -> None:
    result = objective("first_token < 500 ms, search service < 1 s")
    assert [one.text for one in result.of("ask")] == ["first_token < 500 ms"]
    assert [one.text for one in result.of("search")] == ["search service < 1 s"]
    assert result.of("undeclared") == ()
    assert [one.text for one in objective("response < 1 s, embed < 1 s").of("undeclared")] == ["response < 1 s"]
    assert not objective("")
    assert objective("") is NO_OBJECTIVE


def counted(text: str, *samples: Sample) -> Ledger:
    ledger = Ledger()
    ledger.objective = objective(text)
    ledger.open(Phase(0, Mode.ASYNC, 8, seconds=10), 5.0, 15.0)
    ledger(samples)
    return ledger


def test_a_phase_has_its_good_operations_as_a_whole_and_by_slice_also_at_the_master() -> None:
    samples = [sample(0.1), sample(0.3), sample(0.2), sample(outcome=Outcome.TIMEOUT), sample(3.1), sample(5.05)]
    master = MergedLedger()
    for name in ("one", "two"):
        worker = counted("response < 4 s, service < 4 s", *samples)
        master.merge(msgpack.unpackb(msgpack.packb(worker.take_report(16.0))), name)
    for window, times in ((worker.windows[0], 1), (master.windows[0], 2)):
        assert window.operation_stats["async", "ask"].good == 4 * times
        assert [piece.good for piece in window.slices["ask"]] == [0, 0, 0, 0, 3 * times, 0, 0, times, 0, 0]
        assert sum(piece.operations for piece in window.slices["ask"]) == 5 * times


def test_nothing_is_judged_without_an_objective_or_a_condition_on_the_operation() -> None:
    for text in ("", "search response < 1 s"):
        worker, master = counted(text, sample()), MergedLedger()
        master.merge(worker.take_report(16.0), "one")
        assert worker.windows[0].operation_stats["async", "ask"].good is None
        assert master.windows[0].operation_stats["async", "ask"].good is None


def test_a_judged_operation_that_only_failed_has_none() -> None:
    window = counted("response < 1 s", sample(outcome=Outcome.FAILED)).windows[0]
    assert window.operation_stats["async", "ask"].good == 0


def test_metrics_count_them_from_0_and_without_nested_ones() -> None:
    exporter = Exporter(Role.LOCAL, lambda: 1)
    registry = new_registry(exporter)
    kinds, performed = {"async": VariantLabels(Mode.ASYNC, "rag")}, {Mode.ASYNC: {ASK, SEARCH}}

    def value(operation: str) -> float | None:
        labels = {"variant": "async", "mode": "async", "client": "rag", "operation": operation}
        return registry.get_sample_value("loadgen_good_operations_total", labels)

    exporter.expect(kinds, performed, objective("ask response < 200 ms"))
    assert (value("ask"), value("search")) == (0, None)
    samples = [sample(), sample(), sample(0.3), sample(nested=True), sample(operation="search")]
    exporter(samples)
    assert (value("ask"), value("search")) == (2, None)
    exporter.expect(kinds, performed)
    exporter(samples)
    assert value("ask") == 2, "a run without an objective judges nothing"
