"""What an error says of a compaction that was asked for, and counts from a server that is gone."""

import grpc
import pytest
from pymilvus.exceptions import MilvusException

from loadgen.milvus.store import Compaction
from loadgen.milvus.store.errors import GivenUpError
from loadgen.milvus.store.segments import recount_segments, refusal_of
from loadgen.settings.model import Settings


class RpcError(grpc.RpcError):
    """An error with a status."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "so it is"


def test_a_server_that_cannot_compact_or_a_user_who_may_not_stops_no_run() -> None:
    assert refusal_of(RpcError(grpc.StatusCode.UNIMPLEMENTED)) is Compaction.NOT_SUPPORTED
    assert refusal_of(MilvusException(10, "not implemented")) is Compaction.NOT_SUPPORTED
    assert refusal_of(RpcError(grpc.StatusCode.PERMISSION_DENIED)) is Compaction.NOT_PERMITTED
    assert refusal_of(MilvusException(65535, "PrivilegeCompaction: permission deny")) is Compaction.NOT_PERMITTED


@pytest.mark.parametrize(
    "error", [RpcError(grpc.StatusCode.UNAVAILABLE), RpcError(grpc.StatusCode.DEADLINE_EXCEEDED), GivenUpError(2, "x")]
)
def test_a_server_that_does_not_answer_does(error: Exception) -> None:
    with pytest.raises(type(error)):
        refusal_of(error)


def test_nobody_needs_a_server_to_hear_that_a_count_is_unknown(free_address: str) -> None:
    assert recount_segments(Settings.parse({"host": free_address}), ["a", "b"]) == {"a": None, "b": None}


@pytest.fixture
def free_address() -> str:
    return "unix:/nonexistent/loadgen.sock"
