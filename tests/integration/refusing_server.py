"""A real server behind a gRPC relay that refuses chosen RPCs with a status of its own."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import grpc

from loadgen.milvus.server.replay import OPTIONS, passed_on

WORDS = "the relay says no"


@dataclass
class Refusing(grpc.GenericRpcHandler):
    """Hands every call on, but for those that `refuse` names; counts both kinds by method."""

    upstream: grpc.Channel
    refused: dict[str, tuple[grpc.StatusCode, float, bool]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    uri: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refuse(self, method: str, status: grpc.StatusCode, times: float = float("inf"), *, done: bool = False) -> None:
        """Answer a number of calls with the status; `done`: after the server has done what was asked for."""
        self.refused[method] = (status, times, done)

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method.rpartition("/")[2]
        call = self.upstream.unary_unary(handler_call_details.method)

        def answer(request: bytes, context: Any) -> bytes:
            def forward() -> bytes:
                try:
                    reply: bytes = call(request, metadata=passed_on(context.invocation_metadata()), timeout=60)
                except grpc.RpcError as error:
                    context.abort(error.code(), error.details())
                return reply

            with self.lock:
                self.calls[method] += 1
                status, times, done = self.refused.get(method, (None, 0, False))
                refusing = self.calls[method] <= times if times != float("inf") else status is not None
            if refusing:
                if done:
                    forward()
                context.abort(status, WORDS)
            return forward()

        return grpc.unary_unary_rpc_method_handler(answer)


@contextmanager
def refusing_server(upstream: str) -> Iterator[Refusing]:
    """A relay before this server; its `uri` is for clients."""
    options = (*OPTIONS, ("grpc.enable_http_proxy", 0))
    with grpc.insecure_channel(urlsplit(upstream).netloc, options=options) as channel:
        refusing = Refusing(channel)
        server = grpc.server(ThreadPoolExecutor(32), handlers=[refusing], options=OPTIONS)
        refusing.uri = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield refusing
        finally:
            server.stop(None).wait()
