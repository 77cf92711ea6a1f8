"""Conditions that end a run: read, judged over a sliding window, and never on few operations."""

from collections.abc import Iterator, Sequence

import pytest

from loadgen.control.guardrail import LEAST, SECONDS, Guardrail
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.results.requirements.abort_conditions import read_abort_conditions
from tests.unit.control_support import Cluster, closed_phases, cluster

VARIANTS = ("sync", "async", "async output-fields=a,b")
PHASE = Phase(0, Mode.ASYNC, 8, 60.0)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A coordinator with the workers a and b."""
    with cluster(monkeypatch, "a", "b") as made:
        yield made


def guardrail(text: str, ledger: Ledger) -> Guardrail:
    conditions, faults = read_abort_conditions(text, VARIANTS)
    assert faults == ()
    return Guardrail(conditions, ledger)


def samples(
    number: int, at: float, took: float = 0.01, outcome: Outcome = Outcome.OK, *, of: str = "search"
) -> list[Sample]:
    return [Sample(Mode.ASYNC, of, at - took, at - took, at, outcome, 1)] * number


def opened(phase: Phase = PHASE, start: float = 100.0) -> Ledger:
    ledger = Ledger()
    ledger.open(phase, start, start + phase.seconds)
    return ledger


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("failures > 5 %", [("all", None, "failures", 0.05)]),
        ("async p99 > 1 s", [("all", "async", "p99", 1.0)]),
        ("service p95 >= 20 ms", [("all", None, "p95", 0.02)]),
        ("search p99 > 1 s, insert failures > 10", [("search", None, "p99", 1.0), ("insert", None, "failures", 10)]),
        ('search "async output-fields=a,b" max > 2 s', [("search", "async output-fields=a,b", "max", 2.0)]),
        ('"async output-fields=a,b" empty > 1 %', [("all", "async output-fields=a,b", "empty", 0.01)]),
        ("", []),
    ],
)
def test_conditions_are_read_with_and_without_an_operation(text: str, read: list[tuple[object, ...]]) -> None:
    result, faults = read_abort_conditions(text, VARIANTS)
    assert faults == ()
    assert [(one.operation, one.variant, one.figure, one.limit) for one in result] == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("failures", '--abort-when "failures": has no comparison'),
        ("failures > 5 %,", '--abort-when "": has no comparison'),
        ("search recall < 0.9", '--abort-when "search recall < 0.9": is on recall, which is not judged while a run'),
        ("throughput < 5", '--abort-when "throughput < 5": is on throughput, which is not judged'),
        ("p99 > 5", '--abort-when "p99 > 5": has no unit for p99'),
        ("failurs > 5 %", '"failurs > 5 %": names an unknown figure'),
    ],
)
def test_a_condition_that_cannot_be_read_is_a_fault_with_an_example(text: str, said: str) -> None:
    _, faults = read_abort_conditions(text, VARIANTS)
    assert said in str(faults[0])
    assert "all " not in faults[0].hint


def judge_each(rail: Guardrail, ledger: Ledger, seconds: Sequence[list[Sample]], start: float = 101.0) -> list[str]:
    """What is said each second, after the samples of that second."""
    said = []
    for number, some in enumerate(seconds):
        ledger(some)
        said.append(rail.judge(start + number, PHASE))
    return said


def test_failures_of_the_last_seconds_end_the_run_with_their_share() -> None:
    ledger = opened()
    good, bad = samples(10, 100.5), samples(10, 100.6, outcome=Outcome.FAILED)
    said = judge_each(guardrail("failures > 50 %", ledger), ledger, [good] * 12 + [bad] * 6)
    assert said[:17] == [""] * 17
    assert said[17] == '--abort-when "failures > 50 %": 60 % (async: 60 of 100 operations in 10 s)'


def test_failures_that_have_passed_do_not_count() -> None:
    ledger = opened()
    some = [samples(5, 100.5, outcome=Outcome.FAILED) + samples(95, 100.5), *[samples(100, 100.5)] * 30]
    assert set(judge_each(guardrail("failures > 5 %", ledger), ledger, some)) == {""}


@pytest.mark.parametrize(("number", "ends"), [(LEAST - 1, False), (LEAST, True)])
def test_few_operations_are_not_judged(number: int, ends: bool) -> None:
    ledger = opened()
    (said,) = judge_each(guardrail("failures > 5 %", ledger), ledger, [samples(number, 100.5, outcome=Outcome.TIMEOUT)])
    assert bool(said) is ends


def test_a_number_of_failures_is_judged_however_few_operations_there_are() -> None:
    ledger = opened()
    rail = guardrail("search failures > 2", ledger)
    said = judge_each(
        rail, ledger, [samples(2, 100.5, outcome=Outcome.FAILED), samples(1, 100.5, outcome=Outcome.FAILED)]
    )
    assert said == ["", '--abort-when "search failures > 2": 3 (async, search: 3 of 3 operations in 10 s)']


def test_dropped_arrivals_are_failures() -> None:
    ledger = opened()
    ledger.drop([100.1] * 30, 100.5)
    (said,) = judge_each(guardrail("failures > 40 %", ledger), ledger, [samples(30, 100.5)])
    assert said == '--abort-when "failures > 40 %": 50 % (async: 30 of 60 operations in 10 s)'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("search p99 > 1 s", '--abort-when "search p99 > 1 s": 2.001 s (async, search: 100 operations in 10 s)'),
        ("search p50 > 1 s", ""),
        ("search p99_9 > 1 s", ""),  # 100 operations have none
        ("max > 1500 ms", '--abort-when "max > 1500 ms": 2,001 ms (async: 130 operations in 10 s)'),
        ("insert p95 > 1 s", ""),
        ("sync p99 > 1 s", ""),
        (
            "search at 8 p99 > 1 s",
            '--abort-when "search at 8 p99 > 1 s": 2.001 s (async, search: 100 operations in 10 s)',
        ),
        ("search at 16 p99 > 1 s", ""),
        ("search empty > 1 %", ""),
    ],
)
def test_times_are_judged_by_operation_variant_and_level(text: str, said: str) -> None:
    ledger = opened()
    slow = [*samples(97, 110.0), *samples(3, 110.0, took=2.0), *samples(30, 110.0, of="insert")]
    (heard,) = judge_each(guardrail(text, ledger), ledger, [slow], 111.0)
    assert heard == said


def test_slow_operations_of_an_earlier_phase_and_of_an_earlier_time_do_not_count() -> None:
    ledger = opened()
    rail = guardrail("p99 > 1 s", ledger)
    ledger(samples(1_000, 100.5))
    assert rail.judge(101.0, PHASE) == ""
    ledger(samples(5, 101.5, took=1.4))
    assert rail.judge(102.0, PHASE) == "", "5 of 1,005 are no p99"
    for second in range(11):
        ledger(samples(20, 102.5))
        assert rail.judge(102.0 + second + SECONDS, PHASE) == ""
    after = Phase(1, Mode.ASYNC, 8, 60.0)
    ledger.open(after, 130.0, 190.0)
    ledger(samples(100, 131.0))
    assert rail.judge(132.0, after) == ""


def test_a_run_ends_with_the_condition_that_it_met_over_all_workers(two: Cluster) -> None:
    run = two.begin(closed_phases(2, seconds=60.0), abort_when="search p99 > 5 s, failures > 40 %")
    two["a"].outcome, two["b"].outcome = Outcome.OK, Outcome.FAILED
    began = two.time()
    two.carry_out()
    (words,) = two.process.ended
    assert words.startswith('--abort-when "failures > 40 %": 50 % (sync: ')
    assert run.incomplete == f"ended early: 0 of 2 phases ({words})"
    assert two.process.aborted == 1
    assert two.time() - began < 15


def test_a_run_that_meets_no_condition_goes_on(two: Cluster) -> None:
    run = two.begin(closed_phases(1, seconds=20.0), abort_when="search p99 > 5 s, failures > 60 %")
    two["a"].outcome, two["b"].outcome = Outcome.OK, Outcome.FAILED
    two.carry_out()
    assert (two.process.ended, run.completed, two.process.aborted) == ([], 1, 0)
