"""The slowest sampled operations of a phase: kept in each process, added up, recorded and shown."""

from typing import Any

from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample, Trace
from loadgen.measure.tracing import KEPT, Traces
from loadgen.measure.window import Window
from loadgen.reports.data_formats import to_json
from loadgen.reports.html import to_html
from loadgen.reports.markdown import to_markdown
from loadgen.reports.summary import summarize
from loadgen.reports.traces import trace_table
from loadgen.results.phase_result import finalise
from loadgen.results.record import RunRecord, TracesRecord
from tests.unit.record_support import phase, record, timed


def sampled(number: int, seconds: float, **given: Any) -> Sample:
    values: dict[str, Any] = {"variant": "async", "operation": "search", "outcome": Outcome.OK, "rows": 1} | given
    trace = Trace(f"{number:032x}", f"{number:016x}", began=(1_700_000_000 + number) * 10**9)
    return Sample(scheduled=10.0, started=10.5, finished=10.0 + seconds, trace=trace, **values)


def test_the_slowest_of_each_operation_are_kept_whatever_process_sampled_them() -> None:
    ours, theirs = Traces(), Traces()
    ours.add_all(sampled(number, number / 10) for number in range(1, 40))
    ours.add_all([sampled(77, 9.0, nested=True), sampled(78, 9.0)._replace(trace=None)])
    theirs.add_all([sampled(50, 3.75), sampled(51, 0.1, operation="insert", outcome=Outcome.TIMEOUT)])
    whole = Traces.from_message(ours.as_message())
    whole.merge(Traces.from_message(theirs.as_message()))
    assert whole.sampled == 41
    first, *others = whole.slowest
    assert (first.operation, first.outcome, first.began) == ("insert", Outcome.TIMEOUT, 1_700_000_051 - 0.5)
    assert [int(one.trace_id, 16) for one in others] == [39, 38, 50, 37, 36, 35, 34, 33, 32, 31]
    assert len(others) == KEPT


def counted(*, is_traced: bool) -> Window:
    ledger = Ledger()
    ledger.is_traced = is_traced
    ledger.open(Phase(0, Mode.ASYNC, 4, seconds=10.0), 0.0, 100.0)
    ledger([sampled(1, 2.0), sampled(2, 3.0), sampled(3, 1.0)._replace(trace=None)])
    return ledger.windows[0]


def test_a_phase_has_its_sampled_operations_also_as_the_sum_of_all_reports() -> None:
    window = counted(is_traced=True)
    whole = Window(window.phase, 0.0)
    whole.combine({name: Window.from_message(window.as_message()) for name in ("a", "b")})
    assert (window.traces.sampled, whole.traces.sampled, len(whole.traces.slowest)) == (2, 4, 4)
    result = finalise(window).record.traces
    assert result is not None
    assert [(one.trace_id, one.response_seconds, one.outcome) for one in result.slowest] == [
        (f"{2:032x}", 3.0, "ok"), (f"{1:032x}", 2.0, "ok"),
    ]  # fmt: skip
    assert result.slowest[0].started_at.isoformat() == "2023-11-14T22:13:21.500000+00:00"


def test_a_run_that_samples_nothing_looks_at_no_trace() -> None:
    window = counted(is_traced=False)
    assert (window.traces.sampled, finalise(window).record.traces) == (0, None)


def shown(*seconds: float) -> RunRecord:
    slowest = [
        {"operation": "search", "trace_id": f"{round(took * 1000):032x}", "started_at": "2026-11-27T10:00:00.25Z",
         "response_seconds": took, "outcome": "ok"}
        for took in seconds
    ]  # fmt: skip
    traces = TracesRecord.model_validate({"sampled": 50, "slowest": slowest})
    return record(phase("async", 8, timed([5.0] * 4), traces=traces), phase("async", 8, timed([5.0] * 4)))


def test_reports_show_the_three_slowest_and_json_all() -> None:
    result = shown(0.4, 0.3, 0.2, 0.1)
    table = trace_table(result)
    assert table.rows[0] == ("8 users", "async", "search", "400.00", "ok", "10:00:00.250", "1", f"{400:032x}")
    assert [row[-1] for row in table.rows] == [f"{number:032x}" for number in (400, 300, 200)]
    summary = summarize(result)
    assert f"| 1 | {400:032x} |" in to_markdown([summary])
    assert f"{400:032x}" in to_html([summary])
    assert to_json([summary]).count('"trace_id"') == 4


def test_without_traces_no_report_mentions_them() -> None:
    summary = summarize(record(phase("async", 8, timed([5.0] * 4))))
    assert trace_table(summary.record).rows == ()
    assert "Slowest sampled" not in to_markdown([summary])
    assert "<h2>Traces</h2>" not in to_html([summary])
