"""The open model in the real `locust` command, against the real standalone: every arrival is accounted for."""

import json
import time
from pathlib import Path
from typing import Any

from loadgen.milvus.server import EmbeddedServer
from tests.integration.locust_command import (
    AGREEING,
    ENDS_WITHIN,
    SEARCHED,
    SMALL,
    Run,
    requests_seen,
    run_locust,
    start_locust,
)
from tests.integration.relay import StallingRelay

PHASES = ("--rounds", "1", "--phase-seconds", "1", "--warmup-seconds", "0", "--collection", SEARCHED, *SMALL)
ORDER = ["sync", "async", "async", "sync"]


def searches(server: EmbeddedServer) -> int:
    assert server.metrics_uri
    return requests_seen(server.metrics_uri)["Search"]


def read(folder: Path) -> dict[str, Any]:
    (path,) = (folder / "runs").glob("[!.]*.json")
    result: dict[str, Any] = json.loads(path.read_text())
    return result


def assert_accounted_for(run: Run) -> None:
    """What was due in a window ended in it, or was dropped in it, or was left unfinished by its end."""
    for window in run.reported["windows"]:
        ended = sum(window["counts"].values()) + window["dropped"] + window["unfinished"]
        assert window["offered"] == ended, window


def test_two_workers_share_a_rate_and_lose_no_arrival(milvus: EmbeddedServer, tmp_path: Path, free_port: int) -> None:
    before = searches(milvus) + AGREEING
    workers = ("--processes", "2", "--master-bind-port", str(free_port), "--master-port", str(free_port))
    flags = ("--arrival", "constant", "--rate", "50", *PHASES, *workers)
    run = run_locust(tmp_path, "--host", milvus.uri, *flags)
    run.assert_good()
    assert searches(milvus) - before == sum(run.reported["stats"].values()) == 200
    assert [window["phase"]["mode"] for window in run.reported["windows"]] == ORDER
    assert [(window["offered"], window["dropped"]) for window in run.reported["windows"]] == [(50, 0)] * 4
    assert_accounted_for(run)
    for phase in read(tmp_path)["phases"]:
        assert (phase["model"], phase["rate"], phase["concurrency"], phase["dropped"]) == ("constant", 50, None, 0)
        one = phase["operations"][0]
        assert one["response_seconds"]["mean"] > one["service_seconds"]["mean"] > 0


def test_arrivals_without_a_place_are_dropped_counted_and_told(milvus: EmbeddedServer, tmp_path: Path) -> None:
    flags = ("--arrival", "poisson", "--rate", "300", "--max-in-flight", "1", "--max-wait", "0.005", *PHASES)
    run = run_locust(tmp_path, "--host", milvus.uri, *flags, "--require", "search any p99 < 60 s at 300/s")
    assert "Traceback" not in run.err
    assert_accounted_for(run)
    assert [window["phase"]["mode"] for window in run.reported["windows"]] == ORDER
    assert all(window["dropped"] > 0 for window in run.reported["windows"])
    assert all(abs(window["offered"] - 300) < 4 * 300**0.5 for window in run.reported["windows"])
    record = read(tmp_path)
    assert [phase["dropped"] for phase in record["phases"]] == [window["dropped"] for window in run.reported["windows"]]
    (comparison,) = record["comparisons"]
    assert (comparison["rate"], comparison["concurrency"], comparison["verdict"]) == (300, None, "invalid")
    reasons = "; ".join(comparison["reasons"])
    assert "sync dropped" in reasons
    assert "async dropped" in reasons
    assert "Arrivals got no concurrency slot in time and were never sent: " in run.out
    assert "MISSED: search any p99 < 60 s at 300/s: " in run.out
    assert " that failed (" in run.out
    assert run.code == 1, "an arrival that was never sent is later than any limit"


def test_a_server_that_stalls_cannot_slow_the_arrivals_down_and_the_wait_is_shown(
    milvus: EmbeddedServer, tmp_path: Path
) -> None:
    with StallingRelay(milvus.uri, stall=0.5, every=1.0) as relay:
        # Wherever it begins, a window of 2.5 s has two whole stalls: at least 50 waits of 0 to 0.5 s among its 125.
        flags = ("--mode", "async", "--arrival", "constant", "--rate", "50", *PHASES, "--phase-seconds", "2.5")
        run = run_locust(tmp_path, "--host", relay.uri, *flags)
    run.assert_good()
    assert_accounted_for(run)
    assert [window["offered"] for window in run.reported["windows"]] == [125, 125]
    for phase in read(tmp_path)["phases"]:
        assert phase["operations"][0]["response_seconds"]["p95"] > 0.35, "of 0.5 s every second"


def test_ctrl_c_among_arrivals_ends_soon_with_the_figures(milvus: EmbeddedServer, tmp_path: Path) -> None:
    before = searches(milvus) + AGREEING
    flags = ("--arrival", "poisson", "--rate", "50", "--collection", SEARCHED, *SMALL)
    run = start_locust(tmp_path, "--headless", "--host", milvus.uri, *flags, "--phase-seconds", "60")
    assert run.process.stderr
    for line in run.process.stderr:
        if "Phase 1 of 8: sync, 50/s poisson" in line:
            break
    time.sleep(4)
    run.interrupt()
    run.finish(ENDS_WITHIN).assert_good(130)
    assert searches(milvus) - before == sum(run.reported["stats"].values()) > 0
    (window,) = run.reported["windows"]
    assert 0 < window["seconds"] < ENDS_WITHIN
    assert "arrivals on a schedule" in run.out
