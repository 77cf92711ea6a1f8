"""Bad input is reported before anything is sent; later failures are counted and reported."""

import os
import signal
import socket
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from pymilvus import DataType

from loadgen.milvus.server import EmbeddedServer, start_server
from tests.integration.locust_command import ENDS_WITHIN, SEARCHED, SMALL, requests_seen, run_locust, start_locust
from tests.integration.plain_clients import open_client
from tests.integration.server_support import are_gone, wait_until


def test_every_fault_is_told_in_one_message_before_any_load(milvus: EmbeddedServer, tmp_path: Path) -> None:
    assert milvus.metrics_uri
    before = requests_seen(milvus.metrics_uri)
    faults = {
        "--metric": "HAMMING", "--index-type": "BTREE", "--consistency": "Weak", "--top-k": "16385", "--rows": "-1",
        "--concurrency": "some", "--phase-seconds": "0", "--ca-file": "/no/such.pem",
    }  # fmt: skip
    run = run_locust(tmp_path, "--host", milvus.uri, *(part for pair in faults.items() for part in pair))
    assert run.code == 2
    assert "Traceback" not in run.err + run.out
    for flag, value in faults.items():
        assert f"  {flag} {value}: " in run.err
    assert requests_seen(milvus.metrics_uri) == before


def test_a_wrong_setting_leaves_no_forked_worker_behind(tmp_path: Path) -> None:
    run = start_locust(tmp_path, "--headless", "--processes", "2", "--rows", "-4").finish(ENDS_WITHIN)
    assert run.code == 2
    assert "--rows -4" in run.err
    family = [process for process in psutil.process_iter() if _group(process) == run.process.pid]
    assert wait_until(lambda: are_gone(family), 5)


def test_a_master_whose_workers_do_not_come_could_not_start(milvus: EmbeddedServer, tmp_path: Path) -> None:
    master = ("--headless", "--master", "--expect-workers", "1", "--expect-workers-max-wait", "1")
    run = start_locust(tmp_path, *master, "--host", milvus.uri, "--collection", SEARCHED, *SMALL).finish(60)
    assert run.code == 2, f"1 is a run that failed\n{run.err}"
    assert "Gave up waiting for workers to connect" in run.err
    assert run.err.rstrip().endswith("The run did not begin: see the log above.")
    assert "Traceback" not in run.err + run.out


def _group(process: psutil.Process) -> int:
    """The group of a process, 0 if it has just gone."""
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return 0


def test_a_mistyped_flag_is_told_with_what_was_meant(tmp_path: Path) -> None:
    run = run_locust(tmp_path, "--concurency", "3")
    assert run.code == 2
    assert "--concurency is not a flag. Did you mean --concurrency?" in run.err


def test_a_closed_port_is_told_with_its_address(tmp_path: Path, free_port: int) -> None:
    run = run_locust(tmp_path, "--host", f"http://127.0.0.1:{free_port}", timeout=40)
    assert run.code == 2
    assert f"--host http://127.0.0.1:{free_port}: cannot be reached" in run.err
    assert "Traceback" not in run.err


def test_a_silent_server_is_known_within_ten_seconds(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        run = run_locust(tmp_path, "--host", f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=40)
    assert run.code == 2
    assert "--host http://127.0.0.1:" in run.err
    assert "Traceback" not in run.err


def test_another_dimension_and_somebody_elses_collection_are_refused(milvus: EmbeddedServer, tmp_path: Path) -> None:
    client = open_client(milvus.uri)
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=24)
    client.create_collection("faults_foreign", schema=schema)
    run = run_locust(tmp_path, "--host", milvus.uri, "--collection", "faults_foreign", *SMALL)
    assert run.code == 2
    assert "--collection faults_foreign" in run.err
    assert "--overwrite" in run.err
    assert "24" in run.err
    assert client.describe_collection("faults_foreign")["fields"][1]["params"]["dim"] == 24
    client.close()


def test_a_password_is_in_nothing_that_is_printed(milvus: EmbeddedServer, tmp_path: Path) -> None:
    flags = ("--headless", "--host", milvus.uri, "--collection", SEARCHED, *SMALL, "--mode", "sync", "-t", "1s")
    run = start_locust(tmp_path, *flags, LOADGEN_TOKEN="root:Verborgen").finish()
    run.assert_good()
    assert "Verborgen" not in run.out + run.err + (tmp_path / "run.json").read_text()


def test_a_wrong_number_of_modes_is_refused(milvus: EmbeddedServer, tmp_path: Path) -> None:
    run = run_locust(tmp_path, "--host", milvus.uri, "SyncSearch")
    assert run.code == 2
    assert "--mode compare: has no AsyncUser to run" in run.err


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_server_that_dies_in_the_middle_makes_failures_and_no_hang(tmp_path: Path, mode: str) -> None:
    server = start_server("lite", tell=print)
    try:
        flags = ("--host", server.uri, *SMALL, "--mode", mode, "-u", "3", "-r", "3", "-t", "8s", "--deadline", "2")
        run = start_locust(tmp_path, "--headless", "--only-summary", *flags)
        assert run.process.stderr
        for line in run.process.stderr:
            if "All users spawned" in line:
                break
        time.sleep(1.5)
        server.stop()
        run.finish(60)
    finally:
        server.stop()
    assert run.code == 1, "failures end with Locust's own exit code for them"
    assert "Traceback" not in run.err
    outcomes = run.reported["windows"][0]["outcomes"][f"{mode} search"]
    assert outcomes["ok"] > 0
    assert outcomes.get("unavailable", 0) + outcomes.get("timeout", 0) > 0
    every = Counter(outcomes) + Counter(run.reported["outside"].get(f"{mode} search", {}))
    assert every.total() == run.reported["stats"][f"{mode} search"]
    assert sum(run.reported["failures"].values()) == every.total() - every["ok"]


def test_a_run_that_is_killed_leaves_no_server(tmp_path: Path) -> None:
    run = start_locust(tmp_path, "--headless", "--embedded", "lite", *SMALL, "--mode", "sync", "-t", "60s")
    assert run.process.stderr
    for line in run.process.stderr:
        if "All users spawned" in line:
            break
    below = psutil.Process(run.process.pid).children(recursive=True)
    assert below, "the embedded server"
    run.process.send_signal(signal.SIGKILL)
    run.process.communicate(timeout=90)
    assert wait_until(lambda: are_gone(below), 15)


def test_an_embedded_server_that_dies_is_told_with_its_log(tmp_path: Path) -> None:
    flags = ("--headless", "--embedded", "lite", *SMALL, "--mode", "sync", "-t", "6s")
    run = start_locust(tmp_path, *flags)
    assert run.process.stderr
    for line in run.process.stderr:
        if "All users spawned" in line:
            break
    for process in psutil.Process(run.process.pid).children(recursive=True):
        process.kill()
    run.finish(60)
    assert run.code == 1
    (reported,) = [line for line in run.err.splitlines() if "The embedded server ended by itself; its log is " in line]
    assert Path(reported.rpartition(" is ")[2].removesuffix(", which ends:")).exists()
    assert "(the embedded server ended by itself; its log is " in run.out.splitlines()[-1]


def test_ctrl_c_while_the_collection_is_made_leaves_one_that_the_next_run_knows(
    milvus: EmbeddedServer, tmp_path: Path
) -> None:
    flags = ("--headless", "--host", milvus.uri, "--collection", "faults_made", *SMALL, "--mode", "sync", "-t", "1s")
    client = open_client(milvus.uri)
    run = start_locust(tmp_path, *flags)
    assert wait_until(lambda: bool(client.has_collection("faults_made")), 90)
    run.interrupt()
    run.finish(ENDS_WITHIN)
    assert run.code == 130
    assert start_locust(tmp_path / "again", *flags).finish().code == 0
    client.close()


def test_ctrl_c_while_the_data_loads_ends_without_a_traceback(milvus: EmbeddedServer, tmp_path: Path) -> None:
    run = start_locust(tmp_path, "--headless", "--host", milvus.uri, "--collection", "faults_early", "--rows", "60000")
    assert run.process.stderr
    for line in run.process.stderr:
        if "loading" in line:
            break
    run.interrupt()
    run.finish(ENDS_WITHIN)
    assert run.code == 130
    assert "Traceback" not in run.err
    assert "Interrupted before the run began" in run.err
