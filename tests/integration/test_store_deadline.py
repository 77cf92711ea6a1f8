"""The deadline of a service config, which gRPC by itself ends a second or two too soon."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

import grpc
import pytest

from loadgen.measure.sample import Mode
from loadgen.milvus.store import store_arguments
from loadgen.milvus.store.shortfall import PROBE_SECONDS, find_shortfall
from loadgen.settings.model import Settings


class Patient(grpc.GenericRpcHandler):
    """Answers inserts immediately, and everything else after the test."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def service(self, handler_call_details: Any) -> Any:
        is_quick = handler_call_details.method.endswith("/Insert")

        def answer(_request: bytes, _context: Any) -> bytes:
            if not is_quick:
                self.over.wait(30)
            return b"done"

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def address() -> Iterator[str]:
    handler = Patient()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[handler], options=[("grpc.so_reuseport", 0)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    handler.over.set()
    server.stop(None).wait()


def channel_to(address: str, deadline: float) -> Any:
    """A channel with the options that a store's has."""
    settings = Settings.parse({"host": f"http://{address}", "deadline": deadline})
    return grpc.insecure_channel(address, options=list(store_arguments(settings, Mode.SYNC)["grpc_options"].items()))


@pytest.mark.parametrize("deadline", [0.3, 1.0, 2.5])
def test_an_operation_ends_at_its_deadline_and_not_before(address: str, deadline: float) -> None:
    with channel_to(address, deadline) as channel:
        search = channel.unary_unary("/milvus.proto.milvus.MilvusService/Search")
        for _ in range(2):
            begun = perf_counter()
            with pytest.raises(grpc.RpcError) as caught:
                search(b"")
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert deadline - 0.2 < perf_counter() - begun < deadline + 5


def test_a_short_deadline_leaves_time_for_an_answer(address: str) -> None:
    with channel_to(address, 0.9) as channel:
        insert = channel.unary_unary("/milvus.proto.milvus.MilvusService/Insert")
        assert [insert(b"") for _ in range(3)] == [b"done"] * 3


def test_it_is_measured_once_and_is_what_a_channel_lacks() -> None:
    shortfall = find_shortfall()
    begun = perf_counter()
    assert find_shortfall() == shortfall
    assert perf_counter() - begun < 0.2
    assert 0 <= shortfall <= PROBE_SECONDS
    options = store_arguments(Settings.parse({"deadline": 1.0}), Mode.SYNC)["grpc_options"]
    operations = json.loads(options["grpc.service_config"])["methodConfig"][0]
    assert float(operations["timeout"].rstrip("s")) == pytest.approx(1.0 + shortfall, abs=1e-5)
