"""The rendered command lines with `record.resume`: a master that is lost in each state, workers that come and go."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from loadgen.measure.sample import Outcome
from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import RunRecord, read_record
from tests.integration.chart_run_support import Release, end, release, release_of, values_of_run

MET = "search async throughput > 0"


def resumable(folder: Path, uri: str, port: int, seconds: float = 1.5) -> Release:
    """Four phases of this length, in two passes over both variants."""
    values = values_of_run(uri, MET)
    values["loadgen"] |= {"phase-seconds": seconds}
    return release_of(values | {"record": {"volume": "claim", "resume": True}}, folder, port)


def read_until(process: "subprocess.Popen[str]", text: str) -> None:
    """Its output up to a line with this text."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return
    pytest.fail(f"{text!r} is not in:\n{''.join(seen)}")


def record_of(release: Release) -> RunRecord:
    [path] = (release.folder / "record").rglob("*.json")
    return read_record(path)


def check_whole(record: RunRecord, first: int) -> None:
    """All four phases count, and the pass that was hit was measured again as a whole."""
    assert (record.incomplete, len(record.phases)) == ("", 4)
    assert [phase.variant for phase in record.phases] == ["sync", "async", "async", "sync"]
    assert [one.phase for one in record.resumed] == [first]
    assert all(operation.outcomes[Outcome.OK] > 0 for phase in record.phases for operation in phase.operations)
    began = [phase.started_at for phase in record.phases if phase.started_at is not None]
    assert [moment > record.resumed[0].at for moment in began] == [number >= first for number in range(1, 5)]
    assert [one.verdict for one in record.comparisons] != []


# The master is lost. The Job of `record.resume` starts another one after 137 and 143, and after an eviction.


def test_a_master_that_is_ended_in_a_phase_is_continued_with_the_pass_that_was_hit(
    milvus: EmbeddedServer, free_port: int, tmp_path: Path
) -> None:
    result = resumable(tmp_path / "pods", milvus.uri, free_port)
    master, worker = result.start("master"), result.start("worker")
    read_until(master, "Phase 4 of 4")
    master.send_signal(signal.SIGTERM)
    code, out = end(master)
    assert code == 143, out
    assert "ended by SIGTERM: ended early: 3 of 4 phases" in out
    code, reported = end(worker)
    assert code == 1, reported
    assert "Another master continues the run" in reported
    broken = record_of(result)
    assert len(broken.phases) in (3, 4), "the phase that was hit may have been measured in part"
    again = [result.start(role) for role in ("worker", "master")]
    (worker_code, reported), (code, out) = [end(each) for each in again]
    assert (worker_code, code) == (0, 0), reported + out
    assert "is continued with phase 3: 2 phases of 4 measured" in out
    record = record_of(result)
    assert record.run_id == broken.run_id
    check_whole(record, 3)
    assert record.phases[:2] == broken.phases[:2]
    assert "interrupted and continued with phase 3" in out

    # Another start finds nothing to do, whatever has become of the server.
    file = result.folder / "loadgen.conf"
    config = file.read_text()
    code, out = end(result.start("master"))
    assert code == 0, out
    assert "nothing is left to measure" in out
    assert record_of(result) == record

    # Other settings are another run, which has no place in this folder.
    file.write_text(config.replace('concurrency = "2"', 'concurrency = "3"'))
    code, out = end(result.start("master"))
    assert code == 2, out
    assert f"--resume: cannot continue run {record.run_id}: --concurrency was 2, is 3" in out


def test_a_master_that_is_killed_between_two_phases_is_continued_although_its_worker_is_still_there(
    milvus: EmbeddedServer, free_port: int, tmp_path: Path
) -> None:
    result = resumable(tmp_path / "pods", milvus.uri, free_port)
    master, left = result.start("master"), result.start("worker")
    read_until(master, "Phase 3 of 4")  # logged before its users start: the record has two
    master.kill()
    assert end(master)[0] == -signal.SIGKILL
    assert (record_of(result).incomplete, len(record_of(result).phases)) == (None, 2)
    again, worker = result.start("master"), result.start("worker")
    code, out = end(again)
    assert code == 0, out
    check_whole(record_of(result), 3)
    assert end(worker)[0] == 0
    assert end(left)[0] == 1, "it has not heard from its master for a minute"


def test_a_master_that_is_ended_before_its_run_began_leaves_nothing_to_continue(
    milvus: EmbeddedServer, free_port: int, tmp_path: Path
) -> None:
    result = resumable(tmp_path / "pods", milvus.uri, free_port, 0.6)
    master = result.start("master")
    read_until(master, "No run to continue")
    master.send_signal(signal.SIGTERM)
    assert end(master)[0] == 143
    assert not list((result.folder / "record").rglob("*.json"))
    again = [result.start(role) for role in ("worker", "master")]
    (worker, reported), (code, out) = [end(each) for each in again]
    assert (worker, code) == (0, 0), reported + out
    assert record_of(result).resumed == ()


def test_without_resume_a_master_that_is_ended_ends_its_workers_well_and_its_job_fails(
    milvus: EmbeddedServer, free_port: int, tmp_path: Path
) -> None:
    result = release(tmp_path / "pods", milvus.uri, free_port, MET)
    master, worker = result.start("master"), result.start("worker")
    read_until(master, "Phase 2 of 4")
    master.send_signal(signal.SIGTERM)
    (code, out), (left, reported) = end(master), end(worker)
    assert (code, left) == (143, 0), out + reported
    assert record_of(result).resumed == ()


# Workers that join in each state; before the master and while it closes are in test_chart_run.py


@pytest.mark.parametrize(
    ("line", "seconds"), [("", 0.0), ("Phase 2 of 4", 0.0), ("Phase 2 of 4", 1.5)], ids=["before", "between", "during"]
)
def test_a_worker_that_joins_takes_part_and_ends_with_its_master(
    line: str, seconds: float, milvus: EmbeddedServer, free_port: int, tmp_path: Path
) -> None:
    """As if its Job's parallelism were raised."""
    values = values_of_run(milvus.uri, MET)
    values["loadgen"] |= {"phase-seconds": 2.5}
    result = release_of(values, tmp_path / "pods", free_port)
    master, first = result.start("master"), result.start("worker")
    if line:
        read_until(master, line)
    time.sleep(seconds)
    second = result.start("worker")
    (code, _), (joined, reported), (verdict, out) = [end(each) for each in (first, second, master)]
    assert (code, joined, verdict) == (0, 0, 0), reported + out
    record = record_of(result)
    assert [phase.workers_lost for phase in record.phases] == [0] * 4
    assert [phase.variant for phase in record.phases if phase.operations] == ["sync", "async", "async", "sync"]
    assert "no sync store is open" not in reported
