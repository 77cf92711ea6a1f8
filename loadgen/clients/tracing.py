"""The trace context of a sampled operation, sent with its requests."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from loadgen.clients.staging import METHODS
from loadgen.measure.sample import Trace

HEADER = "traceparent"
"""Name of the header of HTTP, and of the metadata of gRPC (https://www.w3.org/TR/trace-context)."""
TRACED = "_loadgen_traced"
"""Attribute of a stub whose calls send it."""
TRACE: ContextVar[Trace | None] = ContextVar("loadgen_trace", default=None)
"""That of the current operation of a thread or an asyncio task; None: it is not sampled. Tasks that an operation starts
inherit it."""


def trace_call(call: Callable[..., Any]) -> Callable[..., Any]:
    """A call of a stub, blocking or not, and its `future`, that send the trace context of a sampled operation."""

    def traced(*given: Any, **named: Any) -> Any:
        trace = TRACE.get()
        if trace is not None:
            metadata: Sequence[tuple[str, str]] = named.get("metadata") or ()
            named["metadata"] = (*metadata, (HEADER, trace.traceparent))
        return call(*given, **named)

    if (future := getattr(call, "future", None)) is not None:
        traced.future = trace_call(future)  # type: ignore[attr-defined]
    return traced


def trace_stub(client: Any) -> None:
    """Have the calls of one MilvusClient or AsyncMilvusClient send it, if it is connected and they do not yet.

    To be repeated for each sampled operation: after a lost connection pymilvus has another stub.
    """
    handler = client._handler  # noqa: SLF001 - pymilvus takes metadata for its own keys only
    stub = getattr(handler, "_stub", None) or getattr(handler, "_async_stub", None)
    mine = object()
    if stub is None or stub.__dict__.setdefault(TRACED, mine) is not mine:  # of two threads, one does it
        return
    for method in METHODS:
        setattr(stub, method, trace_call(getattr(stub, method)))


def add_header(request: Any) -> None:
    """Add it to a request of httpx."""
    trace = TRACE.get()
    if trace is not None:
        request.headers[HEADER] = trace.traceparent


async def aadd_header(request: Any) -> None:
    """The same of an async client."""
    add_header(request)
