"""Fault drills through the `locust` command: what is counted, restored and looked for, on real servers."""

import json
from pathlib import Path

import pytest

from loadgen.measure.sample import Outcome
from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import PhaseRecord, RunRecord
from tests.integration.drill_support import one_record
from tests.integration.locust_command import SMALL, Run, start_locust

SHORT = ("--headless", "--only-summary", *SMALL, "--rounds", "1", "--warmup-seconds", "0.5", "--recall-every", "0")


def drill(folder: Path, *arguments: str) -> tuple[Run, RunRecord]:
    """A run of drill.py with two users, and its record."""
    run = start_locust(folder, *SHORT, "--concurrency", "2", *arguments, files="drill.py", PAUSE="0.1").finish(280)
    assert "Traceback" not in run.err, run.err
    assert list(folder.glob("runs/*.json")), f"{run.out}\n{run.err}"
    return run, one_record(folder)


def assert_timeline_agrees(phase: PhaseRecord) -> None:
    """The course has every operation of the phase, by outcome, and the connections are as many as before."""
    assert phase.faults is not None
    course, total = phase.faults.course, dict.fromkeys(Outcome, 0)
    for part in phase.operations:
        for outcome, number in part.outcomes.items():
            total[outcome] += number
    assert sum(course.answered) == total[Outcome.OK] + total[Outcome.EMPTY]
    failed = {str(outcome): number for outcome, number in total.items() if outcome.is_failure and number}
    assert {name: sum(numbers) for name, numbers in course.failures.items()} == failed
    assert phase.faults.connections_before == phase.faults.connections_after


def test_a_killed_server_comes_back_with_every_acknowledged_row(tmp_path: Path) -> None:
    """The standalone: Milvus Lite 3.2 loses rows when it is killed."""
    flags = ("--embedded", "milvus", "--phase-seconds", "45", "--deadline", "2", "--fault", "3s kill server 1s")
    run, record = drill(tmp_path, "--variants", "async connections=2", *flags, "--require", "recovery < 1 ms")
    assert run.code == 1, run.out
    assert "MISSED: recovery < 1 ms: " in run.out
    assert len(record.phases) == 2
    for phase in record.phases:
        assert_timeline_agrees(phase)
        assert phase.faults is not None
        [fault] = phase.faults.faults
        assert (fault.text, fault.error) == ("3s kill server 1s", "")
        assert fault.ended is not None
        assert fault.ended > 4
        assert fault.recovery.first_success_seconds is not None, run.out
        assert fault.recovery.first_success_seconds > 1
        assert fault.recovery.failures.get("unavailable", 0) > 0
        assert phase.faults.connections_after == 2
        assert phase.faults.inserts is not None
        assert phase.faults.inserts.acknowledged > 0
        assert (phase.faults.inserts.missing, phase.faults.inserts.problem) == (0, "")
    assert "met: every acknowledged insert is kept: " in run.out
    assert record.incomplete == ""


def test_a_pause_suspends_the_end_of_a_silent_server(tmp_path: Path) -> None:
    flags = ("--embedded", "lite", "--phase-seconds", "12", "--give-up-after", "1", "--deadline", "0.5")
    run, record = drill(tmp_path, "--variants", "sync", *flags, "--fault", "3s pause server 4s")
    assert run.code == 0, f"{run.out}\n{run.err}"
    for phase in record.phases:
        assert_timeline_agrees(phase)
        assert phase.faults is not None
        [fault] = phase.faults.faults
        assert fault.recovery.first_success_seconds == pytest.approx(4, abs=2)
        failed = sum(fault.recovery.failures.values())
        assert fault.recovery.failures.get("timeout", 0) > 0
        assert phase.faults.expected_failures == failed


def test_a_proxy_cuts_and_holds_back_and_a_command_runs_once(lite: EmbeddedServer, tmp_path: Path) -> None:
    command = '6s command: "echo ran >> ran; echo it has token=canary-4711; exit 3"'
    faults = ("--fault", "2s cut 1s", "--fault", "4s blackhole 1500ms; 5600ms latency 20ms 300ms", "--fault", command)
    flags = ("--host", lite.uri, "--phase-seconds", "8", "--deadline", "1", "--processes", "2", *faults)
    run, record = drill(tmp_path, "--variants", "sync; async", *flags)
    assert run.code == 1, f"{run.out}\n{run.err}"
    assert run.out.count("MISSED: each fault is carried out: exit code 3 (") == len(record.phases)
    assert (tmp_path / "ran").read_text().split() == ["ran"] * len(record.phases) == ["ran"] * 4
    for phase in record.phases:
        assert_timeline_agrees(phase)
        assert phase.faults is not None
        cut, hole, _, ran = phase.faults.faults
        assert cut.recovery.failures.get("unavailable", 0) > 0
        assert hole.recovery.failures.get("timeout", 0) > 0
        assert (ran.exit_code, ran.output) == (3, ("it has token=***",))
        assert phase.faults.inserts is not None
        assert (phase.faults.inserts.missing, phase.faults.inserts.problem) == (0, "")
    [path] = (tmp_path / "runs").glob("[!.]*.json")
    text = path.read_text()
    assert "canary" not in text + run.out + run.err
    assert json.loads(text)["manifest"]["settings"]["host"] == lite.uri


def test_faults_that_cannot_happen_are_refused_together_before_the_load(lite: EmbeddedServer, tmp_path: Path) -> None:
    faults = ("--fault", "2s pause server 1s", "--fault", "99s cut", "--fault", "3s explode")
    run = start_locust(tmp_path, *SHORT, "--host", lite.uri, "--phase-seconds", "8", *faults, files="drill.py").finish()
    assert run.code == 2
    assert "3 settings are wrong; nothing was sent:" in run.err
    one = start_locust(tmp_path / "one", *SHORT, "--mode", "sync", "-u", "2", "--fault", "2s cut", files="drill.py")
    assert one.finish().code == 2
    assert "needs phases, which --mode sync does not have. Use --variants" in one.err
