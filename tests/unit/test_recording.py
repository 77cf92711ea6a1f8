"""What of a run gets into its record."""

import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from loadgen.control.merged_ledger import MergedLedger
from loadgen.control.run import Run
from loadgen.locust_plugin.command_line.arguments import add_arguments
from loadgen.locust_plugin.command_line.parser_errors import ParserErrors
from loadgen.locust_plugin.recording import Recorder
from loadgen.locust_plugin.run_results import RunFinalizer
from loadgen.measure.health import Beat, new_lags
from loadgen.measure.ledger import Ledger
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.measure.server_view import ServerView
from loadgen.milvus.store import ServerInfo
from loadgen.reports.summary import summarize
from loadgen.reports.tables import phase_table
from loadgen.reports.writing import make_report
from loadgen.results.record import read_record
from loadgen.settings.model import Settings
from tests.unit.result_support import results_of


def test_a_phase_in_which_nothing_was_answered_is_in_the_record_and_one_that_never_began_is_not(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 2, seconds=2.0), 10.0, 12.0)
    ledger([Sample(Mode.SYNC, "search", 10.5, 10.5, 10.6, Outcome.OK, 10)])
    ledger.open(Phase(1, Mode.ASYNC, 2, seconds=2.0), 20.0, 22.0)
    ledger([Sample(Mode.ASYNC, "search", 21.0, 21.0, 22.5, Outcome.TIMEOUT, 0)])
    ledger.open(Phase(2, Mode.ASYNC, 2, seconds=2.0), 30.0, 32.0)
    ledger.close(29.0)
    recorder = Recorder(Settings(record=str(tmp_path)), ServerInfo("2.3.5", "milvus"), 1)
    recorder.keep(results_of(ledger), ledger)
    assert recorder.path
    kept = read_record(recorder.path)
    assert [(phase.mode, phase.seconds, len(phase.operations)) for phase in kept.phases] == [
        (Mode.SYNC, 2.0, 1),
        (Mode.ASYNC, 2.0, 0),
    ]
    assert [(phase.offered, phase.unfinished, phase.longest_unfinished_seconds) for phase in kept.phases] == [
        (None, 0, None),
        (None, 1, pytest.approx(1.0, rel=2e-3)),
    ]
    assert [(part.variant, part.operation, part.outcomes) for part in kept.outside] == [
        (Mode.ASYNC, "search", {Outcome.TIMEOUT: 1})
    ]
    assert [row.series.variant for row in summarize(kept).rows] == [Mode.SYNC]
    for form in ("html", "markdown", "json", "csv"):
        assert make_report([recorder.path], form)


@pytest.mark.parametrize(
    ("idle", "why"),
    [
        ((), ""),
        ((1,), "nothing was measured in phase 2"),
        ((1, 2), "nothing was measured in phases 2 and 3"),
        ((0, 1, 2), "nothing was measured"),
    ],
)
def test_a_phase_in_which_nothing_ended_makes_the_run_no_success(
    idle: tuple[int, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger()
    plan = tuple(Phase(number, Mode.SYNC, 2, seconds=2.0) for number in range(3))
    ending, run = RunFinalizer(ledger), Run("one", Settings(record=""), plan, completed=3)
    ending.begin(run, ServerInfo("2.3.5", "milvus"), 1)
    for phase in plan:
        start = 10.0 * phase.number
        ledger.open(phase, start, start + 2)
        if phase.number not in idle:
            ledger([Sample(Mode.SYNC, "search", start + 0.5, start + 0.5, start + 0.6, Outcome.OK, 10)])
    ledger.close(22.0)
    options = SimpleNamespace(exit_code_on_error=1)
    environment = SimpleNamespace(parsed_options=options, web_ui=None, process_exit_code=None)
    ending.conclude(environment)
    ending.tell_code(sys.stdout)
    assert capsys.readouterr().out == (f"Exit code 1: {why}.\n" if why else "")
    assert environment.process_exit_code == bool(why)


def test_the_server_is_asked_once_after_each_attempt_at_a_phase(tmp_path: Path) -> None:
    """One view for two attempts would leave the second without, and add its searches to the phase after it."""
    ledger, looks = Ledger(), iter([None, *(ServerView(2.0, searches=number) for number in (11, 22, 33))])
    first = Phase(0, Mode.SYNC, 2, seconds=2.0)
    plan = (first, replace(first, attempt=1), Phase(1, Mode.ASYNC, 2, seconds=2.0))
    ending = RunFinalizer(ledger)
    run = Run("one", Settings(record=str(tmp_path)), plan[1:], look_at_server=lambda: next(looks))
    ending.begin(run, ServerInfo("2.3.5", "milvus"), 1)
    for phase, start in zip(plan, (10.0, 20.0, 30.0), strict=True):
        ledger.open(phase, start, start + 2)
        ledger([Sample(phase.mode, "search", start + 0.5, start + 0.5, start + 0.6, Outcome.OK, 10)])
        ledger.close(start + 2)
        ending.keep()
        ending.keep()
    assert ending.path is not None
    views = [phase.server for phase in read_record(ending.path).phases]
    assert [view.searches for view in views if view] == [22, 33]


@pytest.mark.parametrize(
    ("number", "code", "why"),
    [
        (0, 2, "the run ended before it began, for example by a --run-time that is shorter than opening the stores"),
        (signal.SIGINT, 130, "ended by SIGINT: the run never began"),
    ],
)
def test_a_run_that_is_ended_before_it_has_begun_could_not_start(
    number: int, code: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ending = RunFinalizer(Ledger())
    ending.expect()
    environment = SimpleNamespace(web_ui=None, process_exit_code=None)
    ending.conclude(environment, number)
    ending.tell_code(sys.stdout)
    assert capsys.readouterr().out == f"Exit code {code}: {why}.\n"
    assert environment.process_exit_code == code


def test_no_secret_of_the_locustfiles_own_is_in_the_command_line_of_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser_errors, parser = ParserErrors(), get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    add_arguments(parser, {}, parser_errors)
    parser.add_argument("--llm-key", "-k", is_secret=True)  # a listener of the locustfile, after ours
    parser.add_argument("--llm-name")
    monkeypatch.setattr(sys, "argv", ["locust", "--llm-key", "hidden", "--llm-name", "shown", "--token=hidden"])
    ledger = Ledger()
    ending = RunFinalizer(ledger, parser_errors.secret_flags)
    plan = (Phase(0, Mode.SYNC, 2, seconds=2.0),)
    ending.begin(Run("one", Settings(record=str(tmp_path)), plan), ServerInfo("2.3.5", "milvus"), 1)
    ledger.open(plan[0], 10.0, 12.0)
    ledger.close(12.0)
    ending.keep()
    assert ending.path
    reported = "locust --llm-key '***' --llm-name shown '--token=***'"
    assert read_record(ending.path).manifest.command_line == reported


@pytest.mark.parametrize("shared", [(), ("run-1",), None])
def test_who_else_used_the_collection_is_kept_as_it_is_known_by_then(
    shared: tuple[str, ...] | None, tmp_path: Path
) -> None:
    known: list[tuple[str, ...] | None] = [()]
    ledger = Ledger()
    ledger.open(Phase(0, Mode.SYNC, 2, seconds=2.0), 10.0, 12.0)
    server = ServerInfo("2.3.5", "milvus")
    recorder = Recorder(Settings(record=str(tmp_path)), server, 1, find_sharers=lambda: known[0])
    ledger.close(12.0)
    known[0] = shared
    recorder.keep(results_of(ledger), ledger)
    assert recorder.path
    assert read_record(recorder.path).manifest.shared_with == shared


def test_what_was_seen_of_the_generator_is_kept_and_what_it_had_under_way_is_in_the_report() -> None:
    ledger = MergedLedger()
    for name, hub_lag, in_flight in (("one", 0.15, 5), ("two", 0.001, 2)):
        worker = Ledger()
        worker.open(Phase(0, Mode.SYNC, 8, seconds=10.0), 10.0, 20.0)
        for number in range(4):
            worker.beat(Beat(11.0 + number, 0.02, 0.1, hub_lag if number else 0.45, 0.002, in_flight + number))
        lags = new_lags()
        lags.record_value(120_000, 2)
        worker.offer(2, lags)
        ledger.merge(worker.take_report(30.0), name)
    recorder = Recorder(Settings(record=""), ServerInfo("2.3.5", "milvus"), 2)
    recorder.keep(results_of(ledger), ledger)
    state = recorder.record.phases[0].generator
    assert state.model_dump() == {
        "cpu_ratio": pytest.approx(0.2),
        "core_wait_ratio": None,
        "loop_held_ratios": {},
        "cores_used": pytest.approx(0.2 + 0.2),
        "memory_bytes": None,
        "sent_bytes_per_second": None,
        "received_bytes_per_second": None,
        "loop_lag_p99_seconds": pytest.approx(0.002, rel=1e-2),
        "loop_lag_max_seconds": pytest.approx(0.002, rel=1e-2),
        "loop_late_beats": 0,
        "hub_lag_p99_seconds": pytest.approx(0.45, rel=1e-2),
        "hub_lag_max_seconds": pytest.approx(0.45, rel=1e-2),
        "hub_late_beats": 4 + 1 + 1 + 1,
        "pace_lag_p99_seconds": pytest.approx(0.12, rel=1e-2),
        "pace_lag_max_seconds": pytest.approx(0.12, rel=1e-2),
        "late_arrivals": 2,
        "in_flight_mean": pytest.approx(6.5 + 3.5),
        "in_flight_max": 8 + 5,
        "watched_share": pytest.approx(0.4 / 10),
        "saturated": True,
    }
    table = phase_table(recorder.record)
    assert table.rows[0][table.head.index("in flight")] == "10.0"
