"""A gRPC server that keeps the metadata of every call and does nothing else: somebody else's host."""

import base64
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc


@dataclass
class Heard:
    """What arrived at a server, in order."""

    uri: str = ""
    methods: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    """Decoded `authorization` of the calls that had one."""


class _Recorder(grpc.GenericRpcHandler):
    """Refuses every call after it has read its metadata."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._lock = threading.Lock()

    def service(self, call: Any) -> Any:
        with self._lock:
            self._heard.methods.append(call.method)
            values = [value for key, value in call.invocation_metadata if key == "authorization"]
            self._heard.tokens += [base64.b64decode(value).decode() for value in values]
        return grpc.unary_unary_rpc_method_handler(_refuse)


def _refuse(_request: bytes, context: Any) -> None:
    """Repeat the caller's token, as sent and in clear."""
    sent = next((value for key, value in context.invocation_metadata() if key == "authorization"), "")
    clear = base64.b64decode(sent).decode()
    context.abort(grpc.StatusCode.UNIMPLEMENTED, f"nothing here for {clear} ({sent})")


@contextmanager
def recording_server() -> Iterator[Heard]:
    """One on a free port of loopback."""
    heard = Heard()
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[_Recorder(heard)], options=[("grpc.so_reuseport", 0)])
    port = server.add_insecure_port("127.0.0.1:0")
    heard.uri = f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield heard
    finally:
        server.stop(None).wait()
