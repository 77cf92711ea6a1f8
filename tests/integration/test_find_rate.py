"""`--find-rate` in the real `locust` command, against a server of known capacity: 2 answers at a time, 100 ms each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadgen.milvus.server import EmbeddedServer
from loadgen.milvus.server.delaying import DelayingServer
from loadgen.milvus.server.delays import Delays
from tests.integration.locust_command import ENDS_WITHIN, SEARCHED, SMALL, record_of, run_locust, start_locust
from tests.integration.test_locust_slow_server import read_until

CAPACITY = 20.0
CONDITIONS = "search response p99 < 300 ms, search failures < 1 %"
SEARCH = ("--mode", "async", "--arrival", "constant", "--find-rate", CONDITIONS, "--collection", SEARCHED, *SMALL)
NEVER = 1.6
"""No step at this multiple of the capacity can pass: its last arrivals wait longer than 300 ms."""


@pytest.fixture
def slots(lite: EmbeddedServer) -> Iterator[DelayingServer]:
    with DelayingServer(lite.uri) as server:
        server.begin(Delays(base=0.1, slots=2))
        yield server


def test_two_workers_find_a_rate_that_the_server_can_serve(
    slots: DelayingServer, tmp_path: Path, free_port: int
) -> None:
    workers = ("--processes", "2", "--master-bind-port", str(free_port), "--master-port", str(free_port))
    seconds = ("--phase-seconds", "2", "--warmup-seconds", "0.5", "--find-within", "42s", "--print-record")
    run = run_locust(tmp_path, "--host", slots.uri, *SEARCH, *seconds, *workers)
    served = slots.begin(Delays())
    assert "Traceback" not in run.out + run.err
    assert "Finding the highest rate within 42 s: up to 12 steps of 2.5 s, from 50/s" in run.err
    record = record_of(tmp_path)
    result = record.rate_search
    assert result is not None
    assert result.processes == 2
    assert len(record.phases) == record.planned_phases == len(result.steps) >= 4
    (finding,) = result.findings
    assert finding.outcome in ("found", "generator"), "the latter on a crowded machine"
    assert finding.rate is not None
    assert finding.high is not None
    assert 0 < finding.rate <= 1.35 * CAPACITY
    assert all(step.rate < NEVER * CAPACITY for step in result.steps if step.passes)
    assert any(step.passes for step in result.steps)
    assert not all(step.passes for step in result.steps)
    counted = [part.outcomes for one in record.phases for part in one.operations]
    assert served.answers >= sum(sum(outcomes.values()) for outcomes in counted) > 50
    assert run.code == (0 if finding.outcome == "found" else 1), run.out + run.err
    reported = "is the highest rate that meets" if finding.outcome == "found" else "the generator ended at"
    assert reported in run.out


def test_ctrl_c_keeps_the_steps_and_claims_no_rate(slots: DelayingServer, tmp_path: Path) -> None:
    seconds = ("--phase-seconds", "2", "--warmup-seconds", "0.2", "--find-within", "10m")
    run = start_locust(tmp_path, "--headless", "--only-summary", "--host", slots.uri, *SEARCH, *seconds)
    read_until(run, "Phase 3 of 3: async, ")
    run.interrupt()
    run.finish(ENDS_WITHIN)
    assert run.code == 130, run.out + run.err
    result = record_of(tmp_path).rate_search
    assert result is not None
    assert len(result.steps) >= 2
    assert [(one.outcome, one.rate) for one in result.findings] == [("unfinished", None)]
    assert "the search was interrupted; no rate is claimed" in run.out
    assert "ended early: the search for the rate had made " in run.out
