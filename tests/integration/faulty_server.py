"""A gRPC relay in front of a real server that delays, blocks, refuses or drops searches, and counts them."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from loadgen.milvus.server.replay import OPTIONS, passed_on

Refusal = tuple[grpc.StatusCode | int, str]
"""A status of gRPC, or a code that Milvus puts into its reply; and what is said with it."""


class FaultyServer(grpc.GenericRpcHandler):
    """Hands every call on to `upstream`; what is done to searches may change at any moment. `uri` is for clients."""

    def __init__(self, upstream: grpc.Channel) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._listening: Any = None
        self._port = 0
        self.asked = 0
        """Searches that have arrived."""
        self.asked_for: Counter[int] = Counter()
        """The same by the number of neighbours that they ask for."""
        self.answered = 0
        """Of those, the ones whose reply was handed back."""
        self.refuse: Callable[[int], Refusal | None] = lambda _number: None
        """Given the number of a search, from 1 on: what it is refused with."""
        self.forbidden: frozenset[str] = frozenset()
        """Other calls, such as `Delete`, that are refused."""
        self.delay = 0.0
        """Seconds that a search takes in addition."""
        self.passing = threading.Event()
        """Searches wait while it is cleared."""
        self.passing.set()
        self.revive()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def revive(self) -> None:
        """Listen, after `kill` on the same port as before."""
        server = grpc.server(ThreadPoolExecutor(64), handlers=[self], options=OPTIONS)
        self._port = server.add_insecure_port(f"127.0.0.1:{self._port}")
        server.start()
        self._listening = server

    def kill(self) -> None:
        """Close the port and every connection; calls in flight get no answer."""
        self._listening.stop(None).wait()

    def service(self, handler_call_details: Any) -> Any:
        call = self._upstream.unary_unary(handler_call_details.method)
        is_search = handler_call_details.method.endswith("/Search")

        def forward(request: bytes, context: Any) -> bytes:
            if handler_call_details.method.rpartition("/")[2] in self.forbidden:
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "not allowed")
            try:
                reply: bytes = call(request, metadata=passed_on(context.invocation_metadata()), timeout=60)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
            return reply

        def search(request: bytes, context: Any) -> bytes:
            with self._lock:
                self.asked += 1
                self.asked_for[_top_k(request)] += 1
                refusal = self.refuse(self.asked)
            self.passing.wait()
            time.sleep(self.delay)
            if refusal is not None and isinstance(refusal[0], grpc.StatusCode):
                context.abort(*refusal)
            reply = forward(request, context) if refusal is None else _as_reply(*refusal)
            if refusal is None and context.is_active():
                with self._lock:
                    self.answered += 1
            return reply

        return grpc.unary_unary_rpc_method_handler(search if is_search else forward)


def _top_k(request: bytes) -> int:
    """How many neighbours a search asks for."""
    result = {pair.key: pair.value for pair in milvus_pb2.SearchRequest.FromString(request).search_params}
    return int(result["topk"])


def _as_reply(code: Any, reason: str) -> bytes:
    """A reply in which Milvus refuses a search."""
    refused: bytes = milvus_pb2.SearchResults(status=common_pb2.Status(code=code, reason=reason)).SerializeToString()
    return refused


@contextmanager
def faulty_server(upstream: str) -> Iterator[FaultyServer]:
    """One before this server, until the end of the test."""
    options = (*OPTIONS, ("grpc.enable_http_proxy", 0))
    with grpc.insecure_channel(urlsplit(upstream).netloc, options=options) as channel:
        server = FaultyServer(channel)
        try:
            yield server
        finally:
            server.passing.set()
            server.kill()
