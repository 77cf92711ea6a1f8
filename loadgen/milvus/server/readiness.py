"""Whether a server answers an RPC, without retries and log lines."""

import threading
import time
from collections.abc import Callable

from loadgen.milvus.proxies import ON_LOOPBACK
from loadgen.milvus.server.errors import ServerError

PAUSE = 0.05
RPC_DEADLINE = 2.0
LOAD_DEADLINE = 30.0
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
    """The collections of a server that is to be killed. Raises grpc.RpcError."""
    import grpc
    from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        listed = stub.ShowCollections(milvus_pb2.ShowCollectionsRequest(), timeout=RPC_DEADLINE)
    return tuple(listed.collection_names)


def load_collections(address: str, names: tuple[str, ...]) -> None:
    """Load these collections of a server that answers, as they were before it was killed. Raises ServerError."""
    import grpc
    from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        end, pause = time.perf_counter() + LOAD_DEADLINE, threading.Event()
        for name in names:
            request = milvus_pb2.LoadCollectionRequest(collection_name=name)
            while (status := stub.LoadCollection(request, timeout=LOAD_DEADLINE)).code or status.error_code:
                if time.perf_counter() > end:
                    raise ServerError(f"the restarted server does not load '{name}': {status.reason}")
                pause.wait(PAUSE)
