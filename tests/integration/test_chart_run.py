"""What the chart renders is run for real: its command lines and files, as processes of this machine."""

import json
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from loadgen.measure.sample import Outcome
from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import read_record
from tests.integration.chart_run_support import end, release
from tests.integration.locust_command import SEARCHED, start_locust
from tests.integration.locust_command import SMALL as SMALL_DATA

BLOCK = re.compile(r"^-----BEGIN RUN RECORD (\S+)-----\n(.*)^-----END RUN RECORD \1-----$", re.MULTILINE | re.DOTALL)


def test_master_and_workers_of_a_release_end_by_themselves_with_the_record_in_its_place_and_in_the_log(
    milvus: EmbeddedServer, free_port: int, tmp_path: Path
) -> None:
    result = release(tmp_path / "pods", milvus.uri, free_port, "search async throughput > 0", workers=2)
    waiting = [result.start("worker", "initContainers") for _ in range(2)]
    code, out = end(result.start("master", "initContainers"))
    assert code == 0, out
    assert "The collection is ready" in out
    assert [each.poll() for each in waiting] == [None, None], "the workers wait for the master, not for its data"
    master = result.start("master")
    assert [end(each)[0] for each in waiting] == [0, 0]
    workers = [end(each) for each in [result.start("worker") for _ in range(2)]]
    code, out = end(master)
    assert code == 0, out
    assert [code for code, _ in workers] == [0, 0], workers
    [path] = (result.folder / "record").glob("*.json")
    record = read_record(path)
    assert (record.run_id, record.manifest.workers) == (path.stem, 2)
    assert len(record.phases) == 4
    assert all(operation.outcomes[Outcome.OK] > 0 for phase in record.phases for operation in phase.operations)
    printed = BLOCK.search(out)
    assert printed
    assert printed[1] == record.run_id
    assert json.loads(printed[2]) == json.loads(path.read_text())


def test_a_requirement_that_is_missed_is_the_masters_exit_code_and_not_the_workers(
    milvus: EmbeddedServer, free_port: int, tmp_path: Path
) -> None:
    result = release(tmp_path / "pods", milvus.uri, free_port, "search p50 < 0.001 ms")
    processes = [result.start(role) for role in ("worker", "master")]  # in any order
    (worker, reported), (master, out) = [end(each) for each in processes]
    assert (worker, master) == (0, 1), reported + out


def test_what_helm_test_starts_loads_in_both_modes_and_ends_well(
    milvus: EmbeddedServer, free_port: int, tmp_path: Path
) -> None:
    result = release(tmp_path / "pods", milvus.uri, free_port, "search p50 < 0.001 ms")  # of the run, not of this
    for kind in ("initContainers", "containers"):
        result.fresh = kind == "containers"
        code, out = end(result.start("test", kind))
        assert code == 0, out
    assert "async" in out
    assert list((result.folder / "record").iterdir()) == []


def test_preparing_what_cannot_be_prepared_ends_with_2_and_says_why(tmp_path: Path, free_port: int) -> None:
    result = release(tmp_path / "pods", f"http://127.0.0.1:{free_port}", free_port, "search p50 < 1 ms")
    file = result.folder / "loadgen.conf"
    file.write_text(file.read_text() + 'rounds = "many"\ntop-k = "20000"\n')
    code, out = end(result.start("master", "initContainers"))
    assert code == 2, out
    assert "--rounds" in out
    assert "--top-k 20000" in out
    assert "Traceback" not in out


def test_a_run_that_is_asked_to_end_tells_what_it_has_measured(milvus: EmbeddedServer, tmp_path: Path) -> None:
    flags = ("--concurrency", "1", "--rounds", "100", "--phase-seconds", "0.5", "--warmup-seconds", "0.1")
    files = ("--collection", SEARCHED, "--record", "kept", "--print-record", "--only-summary", "--headless")
    run = start_locust(tmp_path, "--host", milvus.uri, *SMALL_DATA, *flags, *files)
    end_of_wait = time.monotonic() + 120
    while not list((tmp_path / "kept").glob("*.json")) and run.process.poll() is None:
        assert time.monotonic() < end_of_wait
        time.sleep(0.1)
    run.process.send_signal(signal.SIGTERM)
    run.finish(60)
    printed = BLOCK.search(run.out)
    assert printed, run.out + run.err
    assert 1 <= len(json.loads(printed[2])["phases"]) < 400
    assert run.code is not None
    assert run.code >= 0, "it ended by itself, not by the signal"
    assert "Traceback" not in run.err


# Disturbed pods: what their Jobs make of the exit codes


def test_a_worker_whose_master_could_not_prepare_ends_its_job(tmp_path: Path, free_port: int) -> None:
    """3 is what the worker Job's podFailurePolicy fails on; 2 fails the master's."""
    result = release(tmp_path / "pods", f"http://127.0.0.1:{free_port}", free_port, "search p50 < 1 ms")
    file = result.folder / "loadgen.conf"
    file.write_text(file.read_text() + 'top-k = "20000"\n')
    waiting, preparing = result.start("worker", "initContainers"), result.start("master", "initContainers")
    assert end(preparing)[0] == 2
    code, out = end(waiting)
    assert code == 3, out
    assert "could not prepare its data" in out


def test_a_preparation_that_was_evicted_is_awaited_until_the_next_pod_has_done_it(
    milvus: EmbeddedServer, free_port: int, tmp_path: Path
) -> None:
    """130 of a container that is not `master` is left to the rule on DisruptionTarget: the Job starts another pod."""
    result = release(tmp_path / "pods", milvus.uri, free_port, "search async throughput > 0")
    file = result.folder / "loadgen.conf"
    file.write_text(file.read_text().replace(milvus.uri, f"http://127.0.0.1:{free_port}"))
    waiting, preparing = result.start("worker", "initContainers"), result.start("master", "initContainers")
    assert preparing.stdout is not None
    assert "Waiting for Milvus" in preparing.stdout.readline()
    preparing.send_signal(signal.SIGTERM)
    assert end(preparing)[0] == 130
    assert waiting.poll() is None
    result.write_config()
    assert end(result.start("master", "initContainers"))[0] == 0
    master = result.start("master")
    assert end(waiting)[0] == 0
    worker = result.start("worker")
    assert [end(each)[0] for each in (worker, master)] == [0, 0]


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 1), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_worker_that_is_evicted_or_killed_fails_so_that_it_is_replaced_and_its_replacement_ends_with_the_master(
    number: int, expected: int, milvus: EmbeddedServer, free_port: int, tmp_path: Path
) -> None:
    result = release(tmp_path / "pods", milvus.uri, free_port, "search async throughput > 0", workers=2)
    file = result.folder / "loadgen.conf"
    file.write_text(file.read_text().replace('phase-seconds = "0.6"', 'phase-seconds = "4"'))
    assert end(result.start("master", "initContainers"))[0] == 0
    master, evicted, other = (result.start(role) for role in ("master", "worker", "worker"))
    assert master.stdout is not None
    for line in master.stdout:
        if "Phase 1 of 4" in line:
            break
    evicted.send_signal(number)
    code, out = end(evicted)
    assert code == expected, out
    replacement = result.start("worker")
    codes = [end(each) for each in (replacement, other, master)]
    assert [code for code, _ in codes] == [0, 0, 0], codes
    [path] = (result.folder / "record").glob("*.json")
    record = read_record(path)
    assert len(record.phases) == 4
    assert [phase.workers_lost for phase in record.phases] == [0] * 4, "the phase that was hit is repeated"


def test_a_worker_whose_master_closes_while_it_starts_ends_in_seconds(tmp_path: Path, free_port: int) -> None:
    result = release(tmp_path / "pods", "http://127.0.0.1:1", free_port, "search p50 < 1 ms")
    with socket.create_server(("127.0.0.1", free_port)) as closing:
        worker = result.start("worker")
        for connection, _ in [closing.accept() for _ in range(2)]:  # Locust's own, and the look at the port
            connection.close()
    started = time.monotonic()
    code, out = end(worker)
    assert (code, time.monotonic() - started < 120) == (2, True), out
    assert "was open and has closed" in out
