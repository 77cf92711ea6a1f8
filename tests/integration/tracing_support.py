"""A receiver of OTLP, and a proxy of Milvus that keeps the trace contexts that pass it."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from loadgen.milvus.server.replay import OPTIONS, passed_on

HANG = 599
"""Status of a receiver that reads a request and does not answer."""


@dataclass
class Receiver:
    """What arrived at an OTLP endpoint."""

    url: str = ""
    status: int = 200
    requests: int = 0
    headers: set[str] = field(default_factory=set)
    """Values of `authorization`."""
    spans: list[Any] = field(default_factory=list)
    """Protocol messages, each with the attributes of its resource as `.resource_of[span_id]`."""
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The latest metrics of each process by its instance id, by name."""

    def take(self, path: str, body: bytes) -> None:
        """Decode one request."""
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans += [span for scope in resource.scope_spans for span in scope.spans]
            return
        assert path == "/v1/metrics"
        for each in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            name = attributes_of(each.resource)["service.instance.id"]
            assert attributes_of(each.resource)["service.name"] == "milvus-loadgen"
            self.metrics[name] = {one.name: one for scope in each.scope_metrics for one in scope.metrics}

    @property
    def roots(self) -> list[Any]:
        """Spans of operations."""
        return [span for span in self.spans if not span.parent_span_id]

    def children_of(self, span: Any) -> list[Any]:
        """Spans of its stages, in order of time."""
        own = [one for one in self.spans if one.parent_span_id == span.span_id]
        return sorted(own, key=lambda one: one.start_time_unix_nano)

    def count(self, name: str, *labels: str) -> Counter[tuple[str, ...]]:
        """Values of a counter, or counts of a histogram, of all processes, by these labels."""
        total: Counter[tuple[str, ...]] = Counter()
        for metrics in self.metrics.values():
            if (metric := metrics.get(name)) is None:
                continue
            data = getattr(metric, metric.WhichOneof("data"))
            for point in data.data_points:
                result = attributes_of(point)
                is_histogram = metric.WhichOneof("data") == "histogram"
                value = point.count if is_histogram else getattr(point, point.WhichOneof("value"))
                total[tuple(result[label] for label in labels)] += int(value)
        return +total


def attributes_of(part: Any) -> dict[str, Any]:
    """Attributes by name."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in part.attributes}


@contextmanager
def otlp_receiver(status: int = 200) -> Iterator[Receiver]:
    """One on a free port of loopback."""
    result, over = Receiver(status=status), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            result.requests += 1
            result.headers.add(self.headers.get("authorization", ""))
            if result.status == HANG:
                over.wait(30)
                return
            if result.status == 200:
                result.take(self.path, body)
            self.send_response(result.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    result.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield result
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class Passed:
    """The trace contexts that have passed a proxy."""

    uri: str = ""
    contexts: list[tuple[str, str]] = field(default_factory=list)
    """Method and header."""

    def of(self, method: str) -> list[str]:
        """The headers of one method."""
        return [header for name, header in self.contexts if name == method]

    def with_header(self, header: str) -> list[str]:
        """The methods of the requests that had this one."""
        return [method for method, one in self.contexts if one == header]


class _Passing(grpc.GenericRpcHandler):
    """Forwards every call with its metadata."""

    def __init__(self, upstream: grpc.Channel, passed: Passed) -> None:
        self._upstream, self._passed = upstream, passed

    def service(self, call: Any) -> Any:
        method = call.method.rpartition("/")[2]
        self._passed.contexts += [(method, value) for key, value in call.invocation_metadata if key == "traceparent"]
        rpc = self._upstream.unary_unary(call.method)

        def forward(request: bytes, context: Any) -> bytes:
            try:
                answer: bytes = rpc(request, metadata=passed_on(context.invocation_metadata()))
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
                raise
            return answer

        return grpc.unary_unary_rpc_method_handler(forward)


@contextmanager
def context_proxy(upstream: str) -> Iterator[Passed]:
    """One before a server, on a free port of loopback."""
    passed = Passed()
    with grpc.insecure_channel(urlsplit(upstream).netloc) as channel:
        pool = futures.ThreadPoolExecutor(16)
        server = grpc.server(pool, handlers=[_Passing(channel, passed)], options=OPTIONS)
        passed.uri = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield passed
        finally:
            server.stop(None).wait()
