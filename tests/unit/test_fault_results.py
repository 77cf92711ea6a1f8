"""What a phase with faults leaves: in its record, in tables and words, and in requirements."""

from dataclasses import replace
from io import StringIO

import pytest
from matplotlib.patches import StepPatch

from loadgen.datasets import Row
from loadgen.datasets.acknowledged import Acknowledged
from loadgen.locust_plugin.preparation.fault_plan import find_plan_faults, mark_drills
from loadgen.measure.fault_notes import FaultEvent, FaultNotes, InsertCheck
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase, burst_phases, timed_phases
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.measure.window import Window
from loadgen.reports.console import print_tables
from loadgen.reports.fault_charts import fault_charts
from loadgen.reports.html import to_html
from loadgen.reports.markdown import to_markdown
from loadgen.reports.summary import summarize
from loadgen.results.fault_results import LATE, count_expected
from loadgen.results.phase_result import PhaseResult, finalise
from loadgen.results.record import RunRecord, settings_without_secrets
from loadgen.results.requirements import judge, judge_faults, parse_requirement
from loadgen.results.verdict import explain
from loadgen.settings.fault_grammar import parse_fault, read_faults
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.unit.record_support import manifest, record

PAUSE = parse_fault("4s pause server 2s")
EVENT = FaultEvent(PAUSE, "4s pause server 2s", 4.0, 6.0)
NOTES = FaultNotes(30.0, (EVENT,), InsertCheck(9, 2, ("a", "b")), 2, 2)


def window(variant: str = "async", back: float = 6.5, notes: FaultNotes | None = NOTES) -> Window:
    """10 s with 20 searches/s, none from second 4 on until it is back; meanwhile 4 in a second time out."""
    phase = Phase(0, Mode.ASYNC, 8, 10.0, variant=variant, is_drill=True)
    ledger = Ledger()
    ledger.open(phase, 100.0, 110.0)
    for place in range(200):
        moment = 100 + place / 20
        if not 104 <= moment < 100 + back:
            ledger([Sample(variant, "search", moment - 0.01, moment - 0.01, moment, Outcome.OK, 10)])
        elif place % 5 == 0:
            ledger([Sample(variant, "search", moment - 1, moment - 1, moment, Outcome.TIMEOUT, 0)])
    ledger.close(110.0)
    result = ledger.windows[0]
    result.faults = notes
    return result


def result(**given: object) -> PhaseResult:
    return finalise(window(**given))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return record(result().record)


def test_the_record_has_the_course_of_outcomes_and_the_recovery_by_operation(run: RunRecord) -> None:
    result = run.phases[0].faults
    assert result is not None
    assert result.course.answered == (20, 20, 20, 20, 0, 0, 10, 20, 20, 20)
    assert result.course.failures == {"timeout": (0, 0, 0, 0, 4, 4, 2, 0, 0, 0)}
    [fault] = result.faults
    assert (fault.recovery.throughput_before, fault.recovery.failures) == (20.0, {"timeout": 10})
    assert fault.recovery.first_success_seconds == pytest.approx(2.6)
    assert fault.operations == {"search": fault.recovery}
    assert (result.expected_failures, count_expected(run)) == (10, 10)


def test_failures_after_the_limit_are_not_expected() -> None:
    results = result(notes=replace(NOTES, recovery_within=0.0)).record.faults
    assert results is not None
    assert results.expected_failures == 8, "those of the pause of 2 s"


def test_failures_between_a_kill_and_its_restart_are_expected() -> None:
    kill, restart = read_faults(Settings.parse({"fault": "4s kill server; 6500ms restart server"}))
    events = (FaultEvent(kill, "4s kill server", 4.0, 4.1), FaultEvent(restart, "restart server", 6.5, 6.5))
    results = result(notes=FaultNotes(0.0, events)).record.faults
    assert results is not None
    assert results.expected_failures == 10


def test_a_phase_without_faults_has_none_and_a_message_carries_the_course() -> None:
    assert result(notes=None).record.faults is None
    part = Window.from_message(window().as_message())
    assert part.outcome_courses["search"].failures(0, 10) == {"timeout": 10}


@pytest.mark.parametrize(
    ("text", "met", "measured"),
    [
        ("recovery < 3 s", True, "2.6 s"),
        ("recovery async < 2500 ms", False, "2600 ms"),
        ("search async at 8 recovery < 3 s", True, "2.6 s"),
        ("insert recovery < 3 s", False, "nothing measured"),
    ],
)
def test_a_recovery_can_be_required(run: RunRecord, text: str, met: bool, measured: str) -> None:
    [result] = judge(run, [parse_requirement(text)])
    assert (result.met, result.measured) == (met, measured)


def test_what_has_not_recovered_misses_the_requirement_and_has_a_dash() -> None:
    lost = record(result(back=10.0).record)
    [results] = judge(lost, [parse_requirement("recovery < 3 s")])
    assert (results.met, results.measured) == (False, "not recovered before the next fault or the end of the phase")
    assert "the throughput was back at 95 %: not before the next fault" in "\n".join(explain(lost).findings)


def test_an_unknown_variant_of_a_recovery_is_refused() -> None:
    with pytest.raises(SettingsError, match="names an unknown variant: 'asink'"):
        parse_requirement("recovery asink < 3 s")


def test_missing_rows_are_named_and_miss_a_requirement(run: RunRecord) -> None:
    [results] = judge_faults(run)
    assert str(results) == "MISSED: every acknowledged insert is kept: 2 of 9 missing: a, b (async, 8 users)"
    assert "2 of 9 acknowledged rows of phase 1 (async) are missing: a, b." in explain(run).warnings
    kept = record(result(notes=replace(NOTES, inserts=InsertCheck(9, 0))).record)
    assert [one.met for one in judge_faults(kept)] == [True]


def test_a_fault_that_failed_and_connections_that_differ_are_reported() -> None:
    bad = replace(NOTES, events=(replace(EVENT, error="no such process"),), inserts=None, connections_after=5)
    reported = record(result(notes=bad).record)
    assert [(one.met, one.measured) for one in judge_faults(reported)] == [(False, "no such process")]
    assert "Phase 1 (async) began with 2 connections and ended with 5." in explain(reported).warnings


def test_a_command_that_fails_is_a_fault_that_was_not_carried_out() -> None:
    for code, judged in ((1, [(False, "exit code 1")]), (-9, [(False, "exit code -9")]), (0, []), (None, [])):
        ran = FaultEvent(parse_fault("4s command: x"), "4s command: x", 4.0, 6.0, exit_code=code)
        reported = record(result(notes=replace(NOTES, events=(ran,), inserts=None)).record)
        assert [(one.met, one.measured) for one in judge_faults(reported)] == judged
        [recovered] = judge(reported, [parse_requirement("recovery < 10 s")])
        assert (recovered.met, recovered.measured.startswith("nothing to recover from: ")) == (not judged, bool(judged))
        warned = "Not every fault could be carried out in phase 1: see the table of faults."
        assert (warned in explain(reported).warnings) is bool(judged)


def test_a_phase_of_a_drill_of_which_nothing_was_noted_has_seen_no_fault() -> None:
    drilled = record(result(notes=None).record, manifest=manifest(settings={"fault": ["4s pause server 2s"]}))
    reported = (False, "nothing was noted of any", "async, 8 users")
    assert [one[1:] for one in judge_faults(drilled)] == [reported]
    assert judge_faults(record(result(notes=None).record, manifest=manifest(settings={"fault": []}))) == []


def test_a_fault_that_was_due_in_the_phase_and_came_after_it_was_not_carried_out() -> None:
    late = FaultEvent(parse_fault("9900ms cut"), "9.9s cut", 10.02, 10.02)
    reported = record(result(notes=replace(NOTES, events=(EVENT, late), inserts=None)).record)
    assert [(one.met, one.measured) for one in judge_faults(reported)] == [(False, LATE)]
    [_, fault] = reported.phases[0].faults.faults if reported.phases[0].faults else ()
    assert (fault.began, fault.ended) == (9.9, None)


def test_console_and_reports_show_each_fault(run: RunRecord) -> None:
    out = StringIO()
    print_tables([result()], [], out)
    assert "4s pause server 2s" in out.getvalue()
    text = to_markdown([summarize(run)])
    assert "| 8 users | async | 1 | 4s pause server 2s | 4.0 | 6.0 | 2.6 | 2.6 | timeout 10 |" in text
    assert "| 8 users | async | 1 | 9 | 2 | 2 | 2 |" in text
    page = to_html([summarize(run)])
    assert "Faults at 8 users" in page


def test_the_last_piece_of_a_timeline_is_as_long_as_the_phase() -> None:
    """Its rate would otherwise look like a loss at the end."""
    (chart,) = fault_charts(summarize(record(result().record.model_copy(update={"seconds": 9.5}))))
    above, _ = chart.figure.axes
    [(values, edges, _)] = [patch.get_data() for patch in above.patches if isinstance(patch, StepPatch)]
    assert edges.tolist()[-3:] == [8.0, 9.0, 9.5]
    assert values.tolist()[-3:] == [20.0, 20.0, 40.0]


def test_the_text_of_a_command_is_in_no_sentence_and_its_secrets_are_in_no_record() -> None:
    event = FaultEvent(parse_fault("4s command: x"), "4s command: x --token=***", 4.0, 6.0, exit_code=0)
    reported = explain(record(result(notes=replace(NOTES, events=(event,))).record)).lines()
    assert any("After 4s command: ... the throughput" in line for line in reported)
    kept = settings_without_secrets(Settings.parse({"fault": ["4s command: x --token=canary"]}))
    assert kept["fault"] == ["4s command: x --token=***"]


def test_rows_that_a_user_began_to_delete_are_not_looked_for() -> None:
    kept = Acknowledged()
    kept.know([Row(f"row {number}", "", [], f"document {number // 2}", {}) for number in range(4)])
    kept.add(["row 0", "row 1", "row 2", "row 3", "row 3"])
    kept.forget("document 0")
    assert kept.take() == ["row 2", "row 3"]
    kept.add(["own 1", "own 2"])
    kept.forget("own 1")
    assert kept.take() == ["row 2", "row 3", "own 2"]
    kept.forget("a document of the locustfile's own")
    assert kept.take() == ["row 2", "row 3"], "rows of its own may be of that document"


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("2s cut", ""),
        ("35s cut", "is outside a phase of 20 s"),
        ("15s blackhole 5s", "ends at second 20, outside a phase of 20 s"),
    ],
)
def test_faults_of_a_rate_profile_must_be_within_it(fault: str, problem: str) -> None:
    settings = Settings.parse({"fault": fault, "rate_profile": "ramp.csv", "arrival": "poisson"})
    phases = timed_phases([("sync", Mode.SYNC)], (1,), 1, (20.0, 1.0))
    assert [one.problem for one in find_plan_faults(settings, phases, is_spread=False)] == [problem][: bool(problem)]


def test_faults_need_phases_with_a_length_and_workers_that_reach_the_proxy() -> None:
    settings = Settings.parse({"fault": "2s cut"})
    timed = timed_phases([("sync", Mode.SYNC)], (1,), 1, (10.0, 1.0))
    assert [one.is_drill for one in mark_drills(timed, settings)] == [True, True]
    assert [one.is_drill for one in mark_drills(timed, Settings())] == [False, False]
    assert find_plan_faults(settings, timed, is_spread=False) == []
    problems = [
        [one.problem for one in find_plan_faults(settings, phases, is_spread=is_spread)]
        for phases, is_spread in ((timed, True), ((), False), (burst_phases(["search"], ("sync",), (10,)), False))
    ]
    assert problems == [
        ["needs the proxy, which listens on the loopback of the master, not for workers elsewhere"],
        ["needs phases, which --mode compare does not have"],
        ["needs phases with a length, but these users run bursts"],
    ]
