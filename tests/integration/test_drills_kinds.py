"""Drill: a thousand failed operations of twenty kinds. Each is counted, and what is printed stays readable."""

from collections import Counter
from pathlib import Path

import grpc
import pytest

from loadgen.measure.sample import Outcome
from loadgen.milvus.server import EmbeddedServer
from tests.integration.drill_support import assert_all_counted, drill
from tests.integration.faulty_server import Refusal, faulty_server
from tests.integration.server_support import wait_until

LONG = "it went wrong; " * 400
KINDS: list[tuple[Refusal, Outcome]] = [
    ((grpc.StatusCode.CANCELLED, "called off"), Outcome.FAILED),
    ((grpc.StatusCode.UNKNOWN, "two\nlines, \x1b[31mred\x1b[0m\x07"), Outcome.FAILED),
    ((grpc.StatusCode.INVALID_ARGUMENT, "no such field"), Outcome.REJECTED),
    ((grpc.StatusCode.DEADLINE_EXCEEDED, "too late"), Outcome.TIMEOUT),
    ((grpc.StatusCode.NOT_FOUND, "no such thing"), Outcome.REJECTED),
    ((grpc.StatusCode.PERMISSION_DENIED, "not you"), Outcome.REJECTED),
    ((grpc.StatusCode.RESOURCE_EXHAUSTED, "too many"), Outcome.THROTTLED),
    ((grpc.StatusCode.ABORTED, "überholt, 追い越された"), Outcome.FAILED),
    ((grpc.StatusCode.UNAVAILABLE, "the proxy is not ready"), Outcome.UNAVAILABLE),
    ((grpc.StatusCode.INTERNAL, LONG), Outcome.FAILED),
    ((grpc.StatusCode.DATA_LOSS, ""), Outcome.FAILED),
    ((grpc.StatusCode.UNAUTHENTICATED, "who are you"), Outcome.REJECTED),
    ((2, "service not ready"), Outcome.UNAVAILABLE),
    ((3, "memory limit exceeded"), Outcome.THROTTLED),
    ((5, f"disk: {LONG}"), Outcome.FAILED),
    ((8, "rate limit"), Outcome.THROTTLED),
    ((100, "collection not found"), Outcome.REJECTED),
    ((101, "collection not loaded"), Outcome.UNAVAILABLE),
    ((1100, "invalid parameter"), Outcome.REJECTED),
    ((65535, "%s {} \\x00 | cells\tand\ttabs"), Outcome.FAILED),
]
THOUSAND = 1_000


@pytest.mark.parametrize(
    ("mode", "layout"), [("sync", ()), ("async", ("--processes", "2"))], ids=["sync", "async, two workers"]
)
def test_a_thousand_failures_of_twenty_kinds_are_all_counted_and_readable(
    lite: EmbeddedServer, tmp_path: Path, mode: str, layout: tuple[str, ...]
) -> None:
    with faulty_server(lite.uri) as server:
        server.refuse = lambda number: KINDS[number % len(KINDS)][0] if number <= THOUSAND else None
        flags = ("--mode", mode, "-u", "8", "-r", "8", "--give-up-after", "0", *layout)
        with drill(tmp_path, "--host", server.uri, *flags) as run:
            assert wait_until(lambda: server.asked > THOUSAND + 10, 60)
            run.run.interrupt()
            code = run.finish()
    assert code == 1, run.run.err
    assert run.last_line == "Exit code 1: 1,000 operations failed or were dropped.", run.run.err
    result = assert_all_counted(run, tmp_path)
    assert result.total() == server.asked
    expected = Counter(outcome for _, outcome in KINDS for _ in range(THOUSAND // len(KINDS)))
    assert Counter({outcome: number for outcome, number in result.items() if outcome.is_failure}) == expected
    assert_readable(run.run.out, run.run.err)


def assert_readable(out: str, err: str) -> None:
    """Each kind is one row of Locust's table with its number; nothing is long, and a terminal obeys none of it."""
    rows = [line for line in err.splitlines() if line.startswith("50 ")]
    assert len(rows) == len(KINDS), err
    assert "it went wrong" in err
    assert "Traceback" not in out + err
    for text in (out, err):
        assert len(text.splitlines()) < 120
        assert max(map(len, text.splitlines())) < 300
        assert not any(letter in text for letter in "\x1b\x07\x00"), "nothing that a terminal would obey"
