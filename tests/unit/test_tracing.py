"""Sampled operations: what is drawn, and what their requests send."""

import asyncio
from random import Random
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from loadgen.clients import find_layer
from loadgen.clients.base import Client
from loadgen.clients.pymilvus.store import PymilvusStore, SearchArguments
from loadgen.clients.rag.models import ModelSpec
from loadgen.clients.rag.remote import make_remote_embedding
from loadgen.clients.staging import METHODS
from loadgen.clients.tracing import TRACE, aadd_header, add_header, trace_stub
from loadgen.clients.wire.store import AsyncStore, SyncStore
from loadgen.measure.sample import Mode, Sample, Trace
from loadgen.measure.tracing import Tracer, make_tracer
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings
from loadgen.users.measured_call import SyncCall
from tests.unit.test_wire_answers import GOOD, connected

MODES = pytest.mark.parametrize("mode", list(Mode))
FIRST = Trace("0" * 31 + "1", "0" * 15 + "2")


@pytest.fixture(autouse=True)
def _no_trace() -> None:
    TRACE.set(None)


def every() -> Tracer:
    return Tracer(1.0, Random(1), Random(2))


# What is drawn


def test_the_seed_and_the_worker_decide_which_operations_are_sampled_and_ids_never_repeat() -> None:
    def draw(seed: int, worker: int) -> list[Trace | None]:
        tracer = make_tracer(0.1, seed, worker)
        assert tracer is not None
        return [tracer.start() for _ in range(5_000)]

    first, again, other = draw(1, 0), draw(1, 0), draw(1, 1)
    places = [[number for number, one in enumerate(some) if one] for some in (first, again, other)]
    assert places[0] == places[1] != places[2]
    assert 400 < len(places[0]) < 600
    ids = [one.trace_id for some in (first, again, other) for one in some if one]
    assert len(set(ids)) == len(ids)


def test_a_share_of_0_is_no_tracer_and_of_1_samples_all() -> None:
    assert make_tracer(0.0, 1, 0) is None
    tracer = make_tracer(1.0, 1, 0)
    assert tracer is not None
    assert all(tracer.start() for _ in range(1_000))


def test_a_trace_context_has_the_form_of_the_standard() -> None:
    assert FIRST.traceparent == f"00-{'0' * 31}1-{'0' * 15}2-01"
    made = every().start()
    assert made is not None
    assert [len(part) for part in made.traceparent.split("-")] == [2, 32, 16, 2]
    nested = every().nest(made)
    assert (nested.trace_id, nested.parent_id, nested.span_id != made.span_id) == (made.trace_id, made.span_id, True)


@pytest.mark.parametrize("share", ["-0.1", "1.1", "some"])
def test_another_share_is_refused(share: str) -> None:
    with pytest.raises(SettingsError, match="--trace-sample"):
        Settings.parse({"trace_sample": share})


# What requests send


class Stub:
    """Keeps the metadata of each call, as pymilvus's stubs are called."""

    def __init__(self, mode: Mode, heard: list[Any]) -> None:
        def call(*_: Any, metadata: Any = None) -> None:
            heard.append(metadata)

        async def acall(*_: Any, metadata: Any = None) -> None:
            call(metadata=metadata)

        for method in METHODS:
            setattr(self, method, acall if mode is Mode.ASYNC else call)


class FakeClient:
    """A client of pymilvus whose search is one request."""

    def __init__(self, mode: Mode, own: Any) -> None:
        self.mode, self.own, self.heard = mode, own, list[Any]()
        self.connect()

    def connect(self) -> None:
        stub = Stub(self.mode, self.heard)
        self._handler = SimpleNamespace(**{"_async_stub" if self.mode is Mode.ASYNC else "_stub": stub})

    def search(self, **_: Any) -> Any:
        handler = self._handler
        if self.mode is Mode.ASYNC:
            return self._search(handler._async_stub)
        handler._stub.Search("request", metadata=self.own)
        return [[{"id": "1"}]]

    async def _search(self, stub: Any) -> Any:
        await stub.Search("request", metadata=self.own)
        return [[{"id": "1"}]]


class Plain(Client):
    """A client without operations of its own."""

    operations = ()


def client_over(below: FakeClient, samples: list[Sample]) -> Any:
    make: Any = find_layer("pymilvus").clients[below.mode]
    return make(PymilvusStore(below, "c", "doc_id"), samples.append)


def search(client: Any) -> None:
    result = client.search(SearchArguments({}))
    if client.mode is Mode.ASYNC:
        asyncio.run(result)


@MODES
def test_only_requests_of_sampled_operations_have_the_header_beside_their_own(mode: Mode) -> None:
    below, samples = FakeClient(mode, [("dbname", "d")]), list[Sample]()
    client = client_over(below, samples)
    search(client)
    client.trace_operations(every())
    search(client)
    below.connect()
    search(client)
    client.trace_operations(Tracer(0.0, Random(1), Random(2)))
    search(client)
    one, two = samples[1].trace, samples[2].trace
    assert one is not None
    assert two is not None
    assert below.heard == [
        [("dbname", "d")],
        (("dbname", "d"), ("traceparent", one.traceparent)),
        (("dbname", "d"), ("traceparent", two.traceparent)),
        [("dbname", "d")],
    ]
    assert (samples[0].trace, samples[3].trace, TRACE.get()) == (None, None, None)


@MODES
def test_searches_of_the_rag_path_send_it(mode: Mode) -> None:
    below: dict[str, Any] = {"client": FakeClient(Mode.SYNC, None), "aclient": FakeClient(Mode.ASYNC, None)}
    make: Any = find_layer("rag").clients[mode]
    make(SimpleNamespace(store=SimpleNamespace(**below)), [].append).trace_operations(every())
    TRACE.set(FIRST)
    used, other = below.values() if mode is Mode.SYNC else reversed(below.values())
    for one in (used, other):
        result = one.search()
        if one.mode is Mode.ASYNC:
            asyncio.run(result)
    assert (used.heard, other.heard) == ([(("traceparent", FIRST.traceparent),)], [None])


def test_a_stub_is_wrapped_once_and_a_missing_one_is_left_alone() -> None:
    below = FakeClient(Mode.SYNC, None)
    for _ in range(3):
        trace_stub(below)
    TRACE.set(FIRST)
    below.search()
    assert below.heard == [(("traceparent", FIRST.traceparent),)]
    trace_stub(SimpleNamespace(_handler=SimpleNamespace(_async_stub=None)))


def test_without_a_tracer_no_stub_is_replaced() -> None:
    below = FakeClient(Mode.SYNC, None)
    before = dict(below._handler._stub.__dict__)
    client_over(below, []).trace_operations(None)
    assert below._handler._stub.__dict__ == before


@pytest.mark.parametrize(("share", "is_sent"), [(0.0, False), (0.5, True)])
@pytest.mark.parametrize("kind", [SyncStore, AsyncStore])
def test_wire_sends_it_if_the_run_samples(kind: type[Any], share: float, is_sent: bool) -> None:
    store, channel = connected(kind, [GOOD.SerializeToString()], trace_sample=share)
    TRACE.set(FIRST)
    result = store.search(b"request")
    if kind is AsyncStore:
        asyncio.run(_finish(result))
    ((_, _, given),) = channel.sent
    headers = [value for key, value in given["metadata"] if key == "traceparent"]
    assert headers == ([FIRST.traceparent] if is_sent else [])
    assert ("dbname", "") in list(given["metadata"])


async def _finish(result: Any) -> None:
    await result


def test_http_requests_to_models_have_it_too() -> None:
    heard: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(request.headers.get("traceparent"))
        return httpx.Response(200)

    transport = httpx.MockTransport(answer)

    async def ask() -> None:
        async with httpx.AsyncClient(transport=transport, event_hooks={"request": [aadd_header]}) as client:
            await client.get("http://m")

    with httpx.Client(transport=transport, event_hooks={"request": [add_header]}) as client:
        client.get("http://m")
        TRACE.set(FIRST)
        client.get("http://m")
    asyncio.run(ask())
    assert heard == [None, FIRST.traceparent, FIRST.traceparent]


@pytest.mark.parametrize("is_traced", [True, False])
def test_models_have_the_hooks_only_if_the_run_samples(is_traced: bool) -> None:
    model = make_remote_embedding("m", ModelSpec("openai:m", "http://127.0.0.1:9/v1", "k", is_traced=is_traced))
    hooks = [one._client.event_hooks["request"] for one in (model._get_client(), model._get_aclient())]
    assert hooks == ([[add_header], [aadd_header]] if is_traced else [[], []])


def test_operations_within_a_sampled_call_are_spans_below_it() -> None:
    samples: list[Sample] = []
    client = Plain(samples.append, variant="async")
    client.trace_operations(every())
    with SyncCall(client, "ask", 10) as call:
        assert TRACE.get() == call.trace
        client.end(client.begin("part"), 1)
        assert TRACE.get() == call.trace
        header = call.traceparent
    part, ask = samples
    assert part.trace is not None
    assert ask.trace is not None
    assert (part.trace.trace_id, part.trace.parent_id) == (ask.trace.trace_id, ask.trace.span_id)
    assert (header, TRACE.get()) == (ask.trace.traceparent, None)


def test_operations_within_a_call_that_is_not_sampled_are_not_either() -> None:
    samples: list[Sample] = []
    client = Plain(samples.append, variant="sync")
    client.trace_operations(Tracer(0.5, _Draws([0.9, 0.1]), Random(1)))
    with SyncCall(client, "ask", 10) as call:
        client.end(client.begin("part"), 1)
    assert ([one.trace for one in samples], call.traceparent) == ([None, None], "")
    client.tracer = every()
    client.forget(client.begin("given_up"))
    assert TRACE.get() is None


class _Draws(Random):
    """Draws what is given."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.values = values

    def random(self) -> float:
        return self.values.pop(0)
