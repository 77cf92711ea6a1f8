"""Drills in which the server is at fault: it restarts, is slow or silent, or limits the rate."""

import time
from pathlib import Path

import grpc
import pytest

from loadgen.measure.sample import Outcome
from loadgen.milvus.server import EmbeddedServer
from tests.integration.cluster_support import WITHIN, Member
from tests.integration.drill_support import SHORT, assert_all_counted, drill, one_record
from tests.integration.faulty_server import FaultyServer, Refusal, faulty_server
from tests.integration.locust_command import AGREEING
from tests.integration.server_support import wait_until

USERS = 3
PLAN = ("--concurrency", str(USERS), "--phase-seconds", "1.2", *SHORT)


def await_searches(server: FaultyServer, number: int, run: Member) -> None:
    """Wait for a number of further arrivals."""
    wanted = server.asked + number
    assert wait_until(lambda: server.asked >= wanted or run.run.process.poll() is not None, WITHIN)
    assert server.asked >= wanted, run.finish() and run.run.err


@pytest.mark.parametrize("layout", [(), ("--processes", "2")], ids=["one process", "two workers"])
def test_a_server_that_is_killed_and_restarted_fails_what_it_did_not_answer(
    lite: EmbeddedServer, tmp_path: Path, layout: tuple[str, ...]
) -> None:
    with faulty_server(lite.uri) as server, drill(tmp_path, "--host", server.uri, *PLAN, *layout) as run:
        run.wait_for("Phase 2 of 4")
        await_searches(server, 5, run)
        server.kill()
        time.sleep(0.5)
        server.revive()
        code = run.finish()
    assert code == 1, run.run.err
    assert run.last_line.startswith("Exit code 1: "), run.run.out
    assert run.last_line.endswith(" operations failed or were dropped."), run.run.out
    assert "Traceback" not in run.run.out + run.run.err
    result = assert_all_counted(run, tmp_path)
    record = one_record(tmp_path)
    assert record.incomplete == ""
    assert len(record.phases) == 4
    assert result[Outcome.UNAVAILABLE] > 0
    answered = server.answered - AGREEING
    assert result[Outcome.OK] <= answered <= result[Outcome.OK] + USERS, "what it answered as it died may be lost"
    assert all(one.outcomes.get(Outcome.OK, 0) > 0 for one in record.phases[-1].operations), "it went on"


LIMITED = "quota exceeded[reason=rate type: DQLVectorSearch]"
LIMITS: list[Refusal | None] = [(grpc.StatusCode.RESOURCE_EXHAUSTED, LIMITED), (8, LIMITED), (9, LIMITED), None, None]


def test_a_rate_limit_is_throttling_whoever_says_it(lite: EmbeddedServer, tmp_path: Path) -> None:
    with faulty_server(lite.uri) as server:
        server.refuse = lambda number: LIMITS[number % len(LIMITS)] if number > AGREEING else None
        with drill(tmp_path, "--host", server.uri, *PLAN) as run:
            code = run.finish()
    assert code == 1, run.run.err
    result = assert_all_counted(run, tmp_path)
    assert set(result) == {Outcome.OK, Outcome.THROTTLED}
    assert result[Outcome.OK] == server.answered - AGREEING
    assert result.total() == server.asked - AGREEING, "none is repeated behind the back of the figures"
    for phase in one_record(tmp_path).phases:
        [operation] = phase.operations
        assert operation.throughput is not None
        assert operation.throughput * phase.seconds == pytest.approx(operation.outcomes[Outcome.OK])


def test_a_server_that_is_slow_and_then_silent_makes_long_operations_and_timeouts(
    lite: EmbeddedServer, tmp_path: Path
) -> None:
    with (
        faulty_server(lite.uri) as server,
        drill(tmp_path, "--host", server.uri, *PLAN, "--deadline", "3") as run,
    ):
        run.wait_for("Phase 1 of 4")
        server.delay = 0.6
        run.wait_for("Phase 3 of 4")
        server.delay = 0.0
        await_searches(server, USERS, run)
        server.passing.clear()
        run.wait_for("Phase 4 of 4")
        server.passing.set()
        code = run.finish()
    assert code == 1, run.run.err
    result = assert_all_counted(run, tmp_path)
    assert set(result) == {Outcome.OK, Outcome.TIMEOUT}
    assert result[Outcome.TIMEOUT] >= USERS
    assert result[Outcome.OK] <= server.answered - AGREEING
    assert result.total() == server.asked - AGREEING
    record = one_record(tmp_path)
    assert [phase.seconds for phase in record.phases] == pytest.approx([1.2] * 4)
    median = record.phases[1].operations[0].service_seconds.p50
    assert median is not None
    assert 0.6 <= median < 3
    assert record.phases[3].operations[0].outcomes[Outcome.OK] > 0
