"""Whether a server answers an RPC, without retries and log lines."""

import threading
import time
from collections.abc import Callable
from typing import Any

from loadgen.milvus.proxies import ON_LOOPBACK
from loadgen.milvus.server.errors import ServerError

PAUSE = 0.05
RPC_DEADLINE = 2.0
LOAD_DEADLINE = 30.0
LOOKS = 5
"""Times that a collection has to be loaded, one after the other."""
OPTIONS = (
    *ON_LOOPBACK.items(),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
)


def wait_for_answer(address: str, alive: Callable[[], bool], seconds: float) -> bool:
    """Ask `address` (host:port) until an RPC answers (True), `alive` says no or `seconds` have passed (False)."""
    import grpc

    # One stub over a channel that retries quickly, not MilvusClient: that logs a traceback for each attempt.
    from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

    end = time.perf_counter() + seconds
    pause = threading.Event()  # time.sleep may be gevent's, which leaves a hub in each thread that calls it
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        while alive() and time.perf_counter() < end:
            try:
                listed = stub.ShowCollections(milvus_pb2.ShowCollectionsRequest(), timeout=RPC_DEADLINE)
                healthy = stub.CheckHealth(milvus_pb2.CheckHealthRequest(), timeout=RPC_DEADLINE).isHealthy
                if healthy and not (listed.status.code or listed.status.error_code):
                    return True
            except grpc.RpcError:
                pass
            pause.wait(PAUSE)
    return False


def list_collections(address: str) -> tuple[str, ...]:
    """The collections of a server that is to be killed. Raises grpc.RpcError, and ServerError if it refuses."""
    import grpc
    from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        listed = stub.ShowCollections(milvus_pb2.ShowCollectionsRequest(), timeout=RPC_DEADLINE)
    if listed.status.code or listed.status.error_code:
        raise ServerError(f"the server does not list its collections: {listed.status.reason}")
    return tuple(listed.collection_names)


def load_collections(address: str, names: tuple[str, ...]) -> None:
    """Load these collections of a server that answers, as they were before it was killed. Raises ServerError."""
    import grpc
    from pymilvus.grpc_gen import milvus_pb2_grpc

    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        for name in names:
            load_collection(stub, name, LOAD_DEADLINE)


def load_collection(stub: Any, name: str, seconds: float) -> None:
    """Load a collection until it stays so: a client that opens it meanwhile may undo it. Raises ServerError."""
    import grpc
    from pymilvus.grpc_gen import milvus_pb2

    end, pause = time.perf_counter() + seconds, threading.Event()
    request = milvus_pb2.LoadCollectionRequest(collection_name=name)
    while True:
        try:
            status = stub.LoadCollection(request, timeout=seconds)
            if not (status.code or status.error_code) and _stays_loaded(stub, name, pause):
                return
            why = status.reason or "it is released again"
        except grpc.RpcError as error:
            why = str(error)
        if time.perf_counter() > end:
            raise ServerError(f"the restarted server does not load '{name}': {why}")
        pause.wait(PAUSE)


def _stays_loaded(stub: Any, name: str, pause: threading.Event) -> bool:
    from pymilvus.grpc_gen import common_pb2, milvus_pb2

    request = milvus_pb2.GetLoadStateRequest(collection_name=name)
    for _ in range(LOOKS):
        pause.wait(PAUSE)
        if stub.GetLoadState(request, timeout=RPC_DEADLINE).state != common_pb2.LoadStateLoaded:
            return False
    return True
