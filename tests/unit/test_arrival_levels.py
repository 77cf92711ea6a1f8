"""Arrivals are compared by their response times, and drops decide where times cannot."""

from io import StringIO
from typing import Literal

import msgpack
import pytest

from loadgen.control.merged_ledger import MergedLedger
from loadgen.control.run import log_lacking
from loadgen.locust_plugin.recording import Recorder
from loadgen.measure.health import new_lags
from loadgen.measure.ledger import Ledger, RunCounts
from loadgen.measure.phase import Phase, open_phases
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.milvus.store import ServerInfo
from loadgen.reports.console import print_tables
from loadgen.results.comparison import Verdict
from loadgen.results.levels import find_levels
from loadgen.results.verdict import explain
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from tests.unit.beats import watch
from tests.unit.result_support import results_of

BOTH_MODES = (Mode.SYNC, Mode.ASYNC)
NUMBER = 1_000


def play(ledger: Ledger, took: dict[Mode, float], dropped: dict[Mode, int] | None = None, rate: float = 100.0) -> None:
    """Four phases of 10 s: operations that waited half a second or not, spread evenly, and arrivals dropped amid."""
    first = len(ledger.windows)
    for turn, mode in enumerate((Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC)):
        number, start = first + turn, 100.0 * (first + turn + 1)
        ledger.open(Phase(number, mode, 0, seconds=10, model="poisson", rate=rate), start, start + 10)
        watch(ledger, start, 10)
        ends = [start + 10 * (place + 0.5) / NUMBER for place in range(NUMBER)]
        ledger([Sample(mode, "search", end - took[mode], end - 0.001, end, Outcome.OK, 10) for end in ends])
        ledger.drop([start + 1] * (dropped or {}).get(mode, 0), at=start + 2)
        ledger.offer(NUMBER, new_lags())


def lines(ledger: Ledger) -> list[str]:
    out = StringIO()
    results = results_of(ledger)
    print_tables(results, find_levels(results, seed=1), out)
    return out.getvalue().splitlines()


def reasons(ledger: RunCounts) -> str:
    """Why the comparison was decided without its interval, or not at all."""
    return "; ".join(
        reason
        for level in find_levels(results_of(ledger), seed=1)
        for comparison in level.comparisons.values()
        for reason in comparison.reasons
    )


def rows(ledger: Ledger) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip()[1:-1].split("│")] for line in lines(ledger)]
    return {row[2]: row for row in cells if len(row) > 2 and row[2] in tuple(Mode)}


@pytest.mark.parametrize(
    ("sync", "asyn", "verdict"),
    [(0.100, 0.010, "async"), (0.010, 0.100, "sync"), (0.050, 0.050, "no difference")],
)
def test_the_lower_response_time_wins_at_the_same_throughput(sync: float, asyn: float, verdict: str) -> None:
    ledger = Ledger()
    play(ledger, {Mode.SYNC: sync, Mode.ASYNC: asyn})
    result = rows(ledger)
    assert result["sync"][0] == "100/s"
    assert [result[mode][3] for mode in ("sync", "async")] == ["100.0", "100.0"]
    assert float(result["sync"][6]) == pytest.approx(1000 * sync, rel=2e-3), "from when it was due, not from its start"
    assert result["async"][-1] == verdict
    assert float(result["async"][-3]) == pytest.approx(asyn / sync, rel=0.03)


@pytest.mark.parametrize(
    ("dropped", "verdict", "reported"),
    [
        ({Mode.SYNC: 30}, "async", "sync dropped 2.91% of its arrivals"),
        ({Mode.ASYNC: 30}, "sync", "async dropped 2.91% of its arrivals"),
        ({Mode.SYNC: 2}, "invalid", "sync dropped 0.20% of its arrivals"),
        ({Mode.SYNC: 30, Mode.ASYNC: 1}, "invalid", "sync dropped 2.91% of its arrivals; async dropped 0.10%"),
    ],
)
def test_a_mode_that_alone_drops_more_than_one_in_a_hundred_loses_and_fewer_decide_nothing(
    dropped: dict[Mode, int], verdict: str, reported: str
) -> None:
    ledger = Ledger()
    faster = {Mode.SYNC: 0.01, Mode.ASYNC: 0.1} if Mode.SYNC in dropped else {Mode.SYNC: 0.1, Mode.ASYNC: 0.01}
    play(ledger, faster, dropped)
    result = rows(ledger)
    assert result["async"][-1] == verdict
    assert [result[mode.value][9] for mode in BOTH_MODES] == [str(2 * dropped.get(mode, 0)) for mode in BOTH_MODES]
    assert reported in reasons(ledger)


def test_a_phase_that_ends_while_many_wait_has_no_p99_to_compare() -> None:
    ledger = Ledger()
    play(ledger, {Mode.SYNC: 0.01, Mode.ASYNC: 0.1})
    end = ledger.windows[3].end
    ledger.drop([end - 0.8] * 50, at=end + 1)
    assert rows(ledger)["async"][-1] == "invalid"
    reported = "when phase 4 ended, 50 operations had waited longer than its p99, up to 0.80 s"
    assert reported in reasons(ledger)


@pytest.mark.parametrize("model", ["poisson", "closed"])
def test_slow_operations_under_way_at_the_end_put_no_others_in_doubt(model: Literal["poisson", "closed"]) -> None:
    ledger, of_worker = MergedLedger(), Ledger()
    for number, mode in enumerate((Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC)):
        start, rate = 100.0 * (number + 1), 100.0 if model == "poisson" else 0.0
        of_worker.open(Phase(number, mode, 30, seconds=10, model=model, rate=rate), start, start + 10)
        watch(of_worker, start, 10)
        ends = [start + 10 * (place + 0.5) / 400 for place in range(400)]
        of_worker([Sample(mode, "search", end - 0.01, end - 0.01, end, Outcome.OK, 10) for end in ends])
        slow = [start + 0.45 + place / 10 for place in range(102)]
        of_worker([Sample(mode, "insert", end - 1.0, end - 1.0, end, Outcome.OK, 10) for end in slow])
        ledger.merge(msgpack.unpackb(msgpack.packb(of_worker.take_report(start + 20))), "one")
    assert [window.flow.unfinished for window in ledger.windows.values()] == [6] * 4
    assert [window.flow.left.get_max_value() for window in ledger.windows.values()] == pytest.approx(
        [9.5e5] * 4, rel=0.01
    )
    assert reasons(ledger) == ""
    of_worker.drop([start + 9.0] * 5, at=start + 11)
    ledger.merge(msgpack.unpackb(msgpack.packb(of_worker.take_report(start + 20))), "one")
    if model == "poisson":
        reported = "when phase 4 ended, 5 operations had waited longer than its p99, up to 1.00 s"
        assert reasons(ledger) == reported, "arrivals that were never sent may have become searches"


def test_users_who_hang_at_the_end_of_a_phase_are_told_beside_a_verdict_of_throughput() -> None:
    ledger = Ledger()
    for number, mode in enumerate((Mode.SYNC, Mode.ASYNC, Mode.ASYNC, Mode.SYNC)):
        start, count = 100.0 * (number + 1), 1_000 if mode is Mode.SYNC else 2_000
        ledger.open(Phase(number, mode, 30, seconds=10), start, start + 10)
        watch(ledger, start, 10)
        ends = [start + 10 * (place + 0.5) / count for place in range(count)]
        ledger([Sample(mode, "search", end - 0.01, end - 0.01, end, Outcome.OK, 10) for end in ends])
    hung = Sample(Mode.SYNC, "search", start + 7.0, start + 7.0, start + 12.0, Outcome.OK, 10)
    ledger([hung] * 30)
    (level,) = find_levels(results_of(ledger), seed=1)
    assert level.comparisons["async"].verdict is Verdict.VARIANT
    reported = "when phase 4 ended, 30 operations had waited longer than its p99, up to 3.00 s"
    assert level.comparisons["async"].reasons == (reported,)
    recorder = Recorder(Settings(record=""), ServerInfo("2.3.5", "milvus"), 1)
    recorder.keep(results_of(ledger), ledger, [level])
    said = explain(recorder.record).warnings[0]
    assert said == f"The p99 of search at 30 users is too low: {reported}. The verdict is on operations/s."


def test_a_few_under_way_at_the_end_are_no_reason() -> None:
    ledger = Ledger()
    play(ledger, {Mode.SYNC: 0.1, Mode.ASYNC: 0.01})
    end = ledger.windows[3].end
    ledger([Sample(Mode.SYNC, "search", end - 0.05, end - 0.05, end + 0.05, Outcome.OK, 1)] * 20)
    assert ledger.windows[3].flow.unfinished == 20
    assert rows(ledger)["async"][-1] == "async"


def test_a_saturated_generator_outweighs_what_was_dropped() -> None:
    ledger = Ledger()
    play(ledger, {Mode.SYNC: 0.1, Mode.ASYNC: 0.01}, {Mode.SYNC: 30})
    late = new_lags()
    late.record_value(200_000, 100)
    ledger.windows[0].health.add_pace(late)
    assert rows(ledger)["async"][-1] == "invalid"
    assert "arrivals were started 0.20 s late at p99" in reasons(ledger)


@pytest.mark.parametrize("first", ["insert", "search"])
def test_a_stall_at_the_end_of_a_phase_is_logged_whichever_operations_ended_first(
    first: str, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 8, seconds=10), 100.0, 110.0)
    refused = Sample(Mode.SYNC, "insert", 101.0, 101.0, 101.1, Outcome.REJECTED, 0)
    result = Sample(Mode.SYNC, "search", 101.0, 101.0, 101.5, Outcome.OK, 10)
    ledger([refused, result] if first == "insert" else [result, refused])
    ledger([Sample(Mode.SYNC, "search", 104.0, 104.0, 112.0, Outcome.OK, 10)])
    log_lacking(ledger.windows[0])
    reported = "Phase 1 ended while an operation had waited for 6.001 s; the longest that ended took 0.500 s"
    assert [one.getMessage() for one in caplog.records] == [reported]


@pytest.mark.parametrize("outcome", [None, Outcome.REJECTED])
def test_where_nothing_ended_nothing_is_logged_of_the_longest_that_did(
    outcome: Outcome | None, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 8, seconds=10), 100.0, 110.0)
    ledger([Sample(Mode.SYNC, "insert", 101.0, 101.0, 101.1, outcome, 0)] if outcome else [])
    ledger([Sample(Mode.SYNC, "search", 104.0, 104.0, 112.0, Outcome.OK, 10)])
    log_lacking(ledger.windows[0])
    assert not caplog.records


def test_the_crossover_is_told_in_rates() -> None:
    ledger = Ledger()
    play(ledger, {Mode.SYNC: 0.05, Mode.ASYNC: 0.05}, rate=50)
    play(ledger, {Mode.SYNC: 0.5, Mode.ASYNC: 0.05}, rate=100)
    recorder = Recorder(Settings(record=""), ServerInfo("2.3.5", "milvus"), 1)
    recorder.keep(results_of(ledger), ledger, find_levels(results_of(ledger), seed=1))
    said = explain(recorder.record).headlines[0]
    assert said.startswith("search: async is faster from 100/s on: the p99 response time of async is 0.10 times")
    assert said.endswith("; no significant difference at 50/s.")


def test_modes_follow_each_other_at_each_rate_without_users() -> None:
    plan = open_phases((("sync", Mode.SYNC), ("async", Mode.ASYNC)), ("poisson", (50.0, 100.0)), 1, (10, 2))
    order = ["sync", "async", "async", "sync"]
    assert [(phase.rate, phase.mode.value) for phase in plan] == [(rate, mode) for rate in (50, 100) for mode in order]
    assert {(phase.users, phase.concurrency, phase.model, phase.is_open) for phase in plan} == {(0, 0, "poisson", True)}
    assert plan[0].label == "sync, 50/s poisson"
    assert Phase.from_message(plan[3].as_message()) == plan[3]


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        ({"rate": "0"}, "--rate 0: should be greater than or equal to 0.001. Give numbers from 0.001"),
        ({"rate": "50,-1", "arrival": "poisson"}, "--rate 50,-1: should be greater than or equal to 0.001"),
        ({"rate": "nan", "arrival": "poisson"}, "--rate nan: should be"),
        ({"rate": "50"}, "--rate 50: is for the open model, but --arrival is closed"),
        ({"arrival": "poisson"}, "--rate: is required with --arrival poisson"),
        (
            {"arrival": "constant", "rate": "50", "concurrency": "2,4"},
            "--concurrency 2,4: is for the closed model, but --arrival is constant",
        ),
        ({"max_in_flight": "0"}, "--max-in-flight 0: should be greater than or equal to 1"),
        ({"max_wait": "-1"}, "--max-wait -1: should be greater than or equal to 0"),
        ({"arrival": "open"}, "--arrival open: should be 'closed', 'constant' or 'poisson'"),
    ],
)
def test_closed_and_open_settings_at_once_and_wrong_rates_are_refused(given: dict[str, object], reported: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.parse(given)
    assert reported in str(caught.value)
    assert len(caught.value.faults) == 1


def test_rates_are_read_as_numbers() -> None:
    assert Settings.parse({"arrival": "poisson", "rate": "50, 100.5,200"}).rate == (50.0, 100.5, 200.0)
