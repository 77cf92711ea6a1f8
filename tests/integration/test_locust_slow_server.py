"""A server whose answers take longer than the 3 s that an end of the run waits for: between phases none is cut off."""

import json
import re
import time
from pathlib import Path

from loadgen.milvus.server import EmbeddedServer
from tests.integration.locust_command import AGREEING, ENDS_WITHIN, SEARCHED, SMALL, Run, requests_seen, start_locust
from tests.integration.relay import StallingRelay

SLOW = 4.2
"""Seconds of every 4.6 in which the server answers nothing."""
PHASES = ("--concurrency", "3", "--rounds", "1", "--collection", SEARCHED, *SMALL)


def read_until(run: Run, text: str) -> None:
    """Read what the command logs, until this is in a line of it."""
    assert run.process.stderr
    seen = []
    for line in run.process.stderr:
        seen.append(line)
        if text in line:
            return
    raise AssertionError(f"never reported: {text}\n{''.join(seen)}")


def test_operations_longer_than_the_time_for_an_end_are_answered_between_phases(
    milvus: EmbeddedServer, tmp_path: Path
) -> None:
    assert milvus.metrics_uri
    before = requests_seen(milvus.metrics_uri)["Search"] + AGREEING
    with StallingRelay(milvus.uri, stall=0.0, every=1.0) as relay:
        seconds = (
            "--phase-seconds",
            "4.8",
            "--warmup-seconds",
            "0.5",
        )  # each window contains an answer, and ends in a stall
        flags = (*PHASES, *seconds, "--max-failures", "0")
        run = start_locust(tmp_path, "--headless", "--only-summary", "--host", relay.uri, *flags)
        read_until(run, "Phase 1 of 4")
        relay.slow_down(SLOW, every=4.6)
        run.finish().assert_good()
    sent = requests_seen(milvus.metrics_uri)["Search"] - before
    assert sum(run.reported["stats"].values()) == sent > 0
    assert re.search(r"met: at most 0 failures: 0 % \(0 of \d+\)", run.out), run.out
    (path,) = (tmp_path / "runs").glob("[!.]*.json")
    record = json.loads(path.read_text())
    assert [phase["mode"] for phase in record["phases"]] == ["sync", "async", "async", "sync"]
    assert all(phase["unfinished"] == 3 for phase in record["phases"])
    assert "Waiting for 3 users to end, 3 operations of theirs are in flight" in run.err
    assert all(set(part["outcomes"]) <= {"ok"} for part in record["outside"]), "what ended after them was answered"


def test_ctrl_c_while_the_last_operations_of_a_phase_are_waited_for_ends_soon(
    milvus: EmbeddedServer, tmp_path: Path
) -> None:
    with StallingRelay(milvus.uri, stall=0.0, every=1.0) as relay:
        flags = (*PHASES, "--phase-seconds", "1", "--warmup-seconds", "0")
        run = start_locust(tmp_path, "--headless", "--host", relay.uri, *flags)
        read_until(run, "Phase 1 of 4")
        relay.slow_down(1e6, every=1e9)
        read_until(run, "Waiting for 3 users to end, 3 operations of theirs are in flight")
        time.sleep(0.5)
        run.interrupt()
        run.finish(ENDS_WITHIN)
    assert run.code == 130, "ended before its plan was complete"
    assert "Traceback" not in run.out + run.err
    assert "no answer when the user was ended" in run.err
