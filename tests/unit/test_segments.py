"""What an error says of a compaction that was asked for, and counts from a server that is gone."""

import grpc
import pytest
from pymilvus.exceptions import MilvusException

from loadgen.milvus.store import Compaction
from loadgen.milvus.store.errors import GivenUpError
from loadgen.milvus.store.segments import judge_found, recount_segments, refusal_of
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


@pytest.mark.parametrize("kept", [None, "completed", "not needed", "not supported"])
@pytest.mark.parametrize("wanted", [True, False])
def test_a_collection_that_was_compacted_or_that_tells_nothing_needs_no_compaction(
    kept: str | None, *, wanted: bool
) -> None:
    assert judge_found(kept, wanted=wanted) is Compaction.NOT_NEEDED


@pytest.mark.parametrize("kept", ["not awaited", "not permitted", "of a later version"])
def test_a_collection_that_was_not_compacted_is_not_called_ready(kept: str) -> None:
    assert judge_found(kept, wanted=True) is Compaction.UNKNOWN
    assert judge_found(kept, wanted=False) is Compaction.NOT_AWAITED


def test_nobody_needs_a_server_to_hear_that_a_count_is_unknown(free_address: str) -> None:
    assert recount_segments(Settings.parse({"host": free_address}), ["a", "b"]) == {"a": None, "b": None}


@pytest.fixture
def free_address() -> str:
    return "unix:/nonexistent/loadgen.sock"
