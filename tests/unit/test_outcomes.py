"""Foreign exceptions become one of our outcomes."""

import asyncio
from json import JSONDecodeError

import grpc
import pytest
from pymilvus.exceptions import MilvusException, ParamError

from loadgen.clients.base import UnfinishedError
from loadgen.clients.outcomes import LONGEST_TEXT, describe, outcome_of
from loadgen.measure.sample import Outcome
from loadgen.text.masking import keep_secret


class Refusal(grpc.RpcError):
    """As grpc raises it: with a code and details."""

    def __init__(self, status: grpc.StatusCode, details: str = "what the server said") -> None:
        self._status = status
        self._details = details

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return self._details


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
        (JSONDecodeError("Expecting value", "<html>", 0), Outcome.FAILED),
        (TimeoutError(), Outcome.TIMEOUT),
        (asyncio.CancelledError(), Outcome.FAILED),
        (UnfinishedError(), Outcome.FAILED),
        (RuntimeError("?"), Outcome.FAILED),
    ],
)
def test_each_exception_has_its_outcome(error: BaseException, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


@pytest.mark.parametrize(
    "text",
    [
        "grpc: received message larger than max (68478184 vs. 67108864)",  # Milvus 2.3.5, a request
        "grpc: trying to send message larger than max (68485154 vs. 67108864)",  # Milvus 2.3.5, an answer
        "grpc: received message after decompression larger than max (68478184 vs. 67108864)",
        "SERVER: Received message larger than max (271281371 vs. 268435456)",  # Milvus Lite, a request
        "SERVER: Sent message larger than max (271321518 vs. 268435456)",  # Milvus Lite, an answer
        "CLIENT: Received message larger than max (41943040 vs. 4194304)",
        "CLIENT: Sent message larger than max (41943040 vs. 4194304)",
    ],
)
def test_a_message_beyond_a_limit_is_rejected_with_its_sizes(text: str) -> None:
    raised = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
    retried = MilvusException(
        grpc.StatusCode.RESOURCE_EXHAUSTED, f"[search] Retry run out of 2 retry times, message={text}"
    )
    assert (outcome_of(raised), describe(raised)) == (Outcome.REJECTED, text)
    assert (outcome_of(retried), describe(retried)) == (Outcome.REJECTED, text)


def test_an_answer_beyond_what_a_query_node_sends_is_rejected() -> None:
    words = "worker(1) query failed: query results exceed the limit size : service internal error: UnknownError"
    assert outcome_of(MilvusException(65535, words)) is Outcome.REJECTED


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


def test_a_key_that_a_server_repeats_is_masked() -> None:
    keep_secret("")
    keep_secret("sk-S3cret")
    assert describe(RuntimeError("Incorrect API key provided: sk-S3cret.")) == "Incorrect API key provided: ***."


@pytest.mark.parametrize("key", ["550e8400-e29b-41d4-a716-446655440000", "nvapi-AbCdEfGh-20240101-IjKlMn"])
def test_a_key_with_numbers_in_it_is_masked_as_a_whole(key: str) -> None:
    keep_secret(key)
    assert describe(RuntimeError(f"no such key: {key}, 1234567 times")) == "no such key: ***, * times"
