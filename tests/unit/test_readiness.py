"""After a restart the collections of Milvus Lite are loaded, and stay so."""

from typing import Any

import grpc
import pytest
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from loadgen.milvus.server.errors import ServerError
from loadgen.milvus.server.readiness import LOOKS, load_collection

LOADED, RELEASED = common_pb2.LoadStateLoaded, common_pb2.LoadStateNotLoad
GOOD, BAD = common_pb2.Status(), common_pb2.Status(code=7, reason="recovering")


class Stub:
    """A server that answers as scripted; the last answer is repeated."""

    def __init__(self, loads: list[Any], states: list[int]) -> None:
        self.loads, self.states = loads, states
        self.asked = 0

    def LoadCollection(self, request: Any, timeout: float) -> Any:  # noqa: N802, ARG002 - as in gRPC
        self.asked += 1
        assert request.collection_name == "kept"
        result = self.loads.pop(0) if len(self.loads) > 1 else self.loads[0]
        if isinstance(result, Exception):
            raise result
        return result

    def GetLoadState(self, request: Any, timeout: float) -> Any:  # noqa: N802, ARG002 - as in gRPC
        assert request.collection_name == "kept"
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return milvus_pb2.GetLoadStateResponse(state=state)


@pytest.mark.parametrize(
    ("loads", "states", "asked"),
    [
        ([GOOD], [LOADED], 1),
        ([BAD, GOOD], [LOADED], 2),
        ([grpc.RpcError(), GOOD], [LOADED], 2),
        ([GOOD], [RELEASED, LOADED], 2),
        ([GOOD], [*[LOADED] * (LOOKS - 1), RELEASED, LOADED], 2),
    ],
)
def test_a_collection_is_loaded_until_it_stays_so(
    loads: list[Any], states: list[int], asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadgen.milvus.server.readiness.PAUSE", 0.0)
    stub = Stub(loads, states)
    load_collection(stub, "kept", 30.0)
    assert stub.asked == asked


@pytest.mark.parametrize(
    ("load", "why"), [(BAD, "recovering"), (GOOD, "it is released again"), (grpc.RpcError("gone"), "gone")]
)
def test_one_that_does_not_is_an_error_with_its_reason(load: Any, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgen.milvus.server.readiness.PAUSE", 0.0)
    with pytest.raises(ServerError, match=f"does not load 'kept': {why}"):
        load_collection(Stub([load], [RELEASED]), "kept", 0.0)
