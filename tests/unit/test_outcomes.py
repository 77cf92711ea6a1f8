"""Foreign exceptions become one of our outcomes."""

import asyncio

import grpc
import pytest
from pymilvus.exceptions import MilvusException, ParamError

from loadgen.clients.base import UnfinishedError
from loadgen.clients.outcomes import LONGEST_TEXT, describe, outcome_of
from loadgen.sample import Outcome


class Refusal(grpc.RpcError):
    """As grpc raises it: with a code and details."""

    def __init__(self, status: grpc.StatusCode) -> None:
        self._status = status

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return "what the server said"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Refusal(grpc.StatusCode.DEADLINE_EXCEEDED), Outcome.TIMEOUT),
        (Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED), Outcome.THROTTLED),
        (Refusal(grpc.StatusCode.UNAVAILABLE), Outcome.UNAVAILABLE),
        (Refusal(grpc.StatusCode.UNAUTHENTICATED), Outcome.REJECTED),
        (Refusal(grpc.StatusCode.DATA_LOSS), Outcome.FAILED),
        (MilvusException(grpc.StatusCode.UNAVAILABLE, "retries ran out"), Outcome.UNAVAILABLE),
        (MilvusException(8, "rate limit"), Outcome.THROTTLED),
        (MilvusException(9, "quota"), Outcome.THROTTLED),
        (MilvusException(2, "Fail connecting"), Outcome.UNAVAILABLE),
        (MilvusException(100, "collection not found"), Outcome.REJECTED),
        (MilvusException(65535, "anything"), Outcome.FAILED),
        (ParamError(message="dim"), Outcome.REJECTED),
        (ValueError("no such mode"), Outcome.REJECTED),
        (TimeoutError(), Outcome.TIMEOUT),
        (asyncio.CancelledError(), Outcome.FAILED),
        (UnfinishedError(), Outcome.FAILED),
        (RuntimeError("?"), Outcome.FAILED),
    ],
)
def test_each_exception_has_its_outcome(error: BaseException, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


def test_a_text_for_the_table_of_failures_is_short_and_the_same_each_time() -> None:
    first = MilvusException(
        65535, "[search] Retry run out of 0 retry times, message=channel 470645943420198063 is gone"
    )
    second = MilvusException(
        65535, "[search] Retry run out of 0 retry times, message=channel 470645943420198999 is gone"
    )
    assert describe(first) == describe(second) == "channel * is gone"
    assert len(describe(MilvusException(1, "x" * 1000))) == LONGEST_TEXT
    assert describe(Refusal(grpc.StatusCode.ABORTED)) == "what the server said"
    assert describe(ValueError()) == "ValueError"
