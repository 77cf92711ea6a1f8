"""Failures that may pass are waited for, but not for ever."""

import grpc
import pytest
from pymilvus.client.connection_manager import AsyncConnectionManager, ConnectionManager
from pymilvus.exceptions import MilvusException, ParamError

from loadgen.milvus.store.errors import GivenUpError, server_words, status_of
from loadgen.milvus.store.patience import Patience, may_pass


class Refusal(grpc.RpcError):
    """As grpc raises it."""

    def __init__(self, status: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self._status = status

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return "no upstream"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_failure_is_told_and_the_last_one_ends_it() -> None:
    reported: list[str] = []
    clock = Clock()
    patience = Patience(reported.append, seconds=30, clock=clock)
    assert patience.trouble == ""
    for clock.now in (1.0, 4.0, 12.0, 20.0, 29.0, 30.9):
        patience.failed(Refusal())
    assert reported == ['The server refuses and says "no upstream" (UNAVAILABLE); trying again for 30 s']
    assert patience.trouble == 'refused for 30 s: "no upstream" (UNAVAILABLE)'
    clock.now = 31.0
    with pytest.raises(GivenUpError) as caught:
        patience.failed(Refusal())
    assert server_words(caught.value) == 'the server refused for 30 s and said "no upstream" (UNAVAILABLE)'


@pytest.mark.parametrize("between", ["a success", "a long silence"])
def test_whatever_lies_between_failures_starts_the_count_again(between: str) -> None:
    reported: list[str] = []
    clock = Clock()
    patience = Patience(reported.append, seconds=30, clock=clock)
    for clock.now in (0.0, 9.0, 18.0, 27.0):
        patience.failed(Refusal())
    if between == "a success":
        patience.succeeded()
        assert patience.trouble == ""
        clock.now = 31.0
    else:
        clock.now = 38.0
    patience.failed(Refusal())
    assert len(reported) == 2


def raised_from_itself(error: BaseException) -> BaseException:
    """As pymilvus raises what came of an RPC: from itself, so that the cause is lost and the context is not."""
    try:
        try:
            raise Refusal
        except grpc.RpcError as cause:
            raise error from cause
    except type(error) as caught:
        try:
            raise caught from caught
        except type(error) as again:
            return again


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (Refusal(), True),
        (Refusal(grpc.StatusCode.PERMISSION_DENIED), False),
        (Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED), False),
        (MilvusException(8, "rate limit exceeded"), True),
        (MilvusException(9, "memory quota exceeded"), False),
        (MilvusException(1100, "invalid parameter"), False),
        (raised_from_itself(MilvusException(2, "Fail connecting to server")), True),
        (raised_from_itself(GivenUpError(message="for 30 s")), False),
        (ParamError(message="dim"), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: BaseException, passes: bool) -> None:
    assert may_pass(error) is passes


def test_an_exception_without_an_end_of_causes_has_a_status() -> None:
    assert status_of(raised_from_itself(MilvusException(2, "Fail"))) == (grpc.StatusCode.UNAVAILABLE, "no upstream")
    alone = MilvusException(1, "alone")
    alone.__cause__ = alone
    assert status_of(alone) == (None, "")


def test_pymilvus_is_as_it_was_when_nobody_watches_any_more() -> None:
    before = (ConnectionManager.handle_error, AsyncConnectionManager.handle_error)
    first, second = Patience(print), Patience(print)
    with first.watching():
        with second.watching():
            assert before != (ConnectionManager.handle_error, AsyncConnectionManager.handle_error)
        assert before != (ConnectionManager.handle_error, AsyncConnectionManager.handle_error)
    assert before == (ConnectionManager.handle_error, AsyncConnectionManager.handle_error)
