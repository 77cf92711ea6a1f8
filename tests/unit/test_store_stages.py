"""Stages of the operations of a vector store: measured by the stubs, declared, required and put into words."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from loadgen.clients import base, find_layer, staging
from loadgen.clients.pymilvus.store import PymilvusStore, SearchArguments
from loadgen.clients.staging import MARKS, METHODS, Marks, time_async_call, time_call
from loadgen.clients.wire.store import AsyncStore, SyncStore
from loadgen.measure.sample import Mode, Outcome, Sample
from tests.unit.test_wire_answers import GOOD, LIMITED, connected

PREPARING, ANSWERING, DECODING = 3.0, 5.0, 7.0
MODES = pytest.mark.parametrize("mode", list(Mode))


class Clock:
    """A clock that only moves when `advance` is called."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (base, staging):
        monkeypatch.setattr(module, "perf_counter", made)
    MARKS.set(None)
    return made


class Stub:
    """Answers each call after a while; `errors` are raised first."""

    def __init__(self, clock: Clock, *, is_async: bool, errors: int = 0) -> None:
        self.errors = errors

        def call(*_: Any, **__: Any) -> str:
            clock.now += ANSWERING
            if self.errors:
                self.errors -= 1
                raise ConnectionError
            return "answer"

        async def acall(*_: Any, **__: Any) -> str:
            return call()

        for method in METHODS:
            setattr(self, method, acall if is_async else call)


class FakeClient:
    """Works before and after the call of its stub, as pymilvus does; also a store of LlamaIndex."""

    def __init__(self, clock: Clock, mode: Mode) -> None:
        self.clock, self.is_async = clock, mode is Mode.ASYNC
        self.client = self.aclient = self
        self._handler = SimpleNamespace(**{self.slot: Stub(clock, is_async=self.is_async)})

    @property
    def slot(self) -> str:
        return "_async_stub" if self.is_async else "_stub"

    @property
    def stub(self) -> Any:
        return getattr(self._handler, self.slot)

    def reconnect(self) -> None:
        setattr(self._handler, self.slot, Stub(self.clock, is_async=self.is_async))

    def _work(self, *methods: str) -> Any:
        def done(_: Any) -> Any:
            self.clock.now += DECODING
            return result

        result = {"ids": ["1"]} if methods[-1] != "Search" else [[{"id": "1"}]]
        self.clock.now += PREPARING
        calls = [getattr(self.stub, method) for method in methods]
        return _after(calls, done) if self.is_async else done([call("request") for call in calls])

    def search(self, *_: Any, **__: Any) -> Any:
        return self._work("Search")

    def insert(self, *_: Any, **__: Any) -> Any:
        return self._work("Insert")

    def delete(self, *_: Any, **__: Any) -> Any:
        return self._work("Query", "Delete")

    adelete = delete

    def query(self, *_: Any, **__: Any) -> Any:
        self._work("Search")
        return SimpleNamespace(ids=["1"])

    async def aquery(self, *_: Any, **__: Any) -> Any:
        await self._work("Search")
        return SimpleNamespace(ids=["1"])

    def add(self, *_: Any, **__: Any) -> Any:
        return self._work("Insert")["ids"]

    async def async_add(self, *_: Any, **__: Any) -> Any:
        return (await self._work("Insert"))["ids"]


async def _after(calls: list[Callable[..., Any]], then: Callable[[Any], Any]) -> Any:
    return then([await call("request") for call in calls])


class Played:
    """One client of a layer over the fake, and its samples."""

    def __init__(self, clock: Clock, layer: str, mode: Mode, *, is_split: bool = True) -> None:
        self.below = FakeClient(clock, mode)
        store: Any = self.below if layer == "llamaindex" else PymilvusStore(self.below, "c", "doc_id")
        self.samples: list[Sample] = []
        make: Any = find_layer(layer).clients[mode]
        self.client = make(store, self.samples.append)
        if is_split:
            self.client.split_operations()

    def run(self, operation: str, argument: Any = None) -> Sample:
        given = SearchArguments({}) if operation == "search" else argument
        answer = getattr(self.client, operation)(given)
        if self.below.is_async:
            asyncio.run(answer)
        return self.samples[-1]


@MODES
@pytest.mark.parametrize("layer", ["llamaindex", "pymilvus"])
def test_each_operation_is_split_at_its_requests(clock: Clock, layer: str, mode: Mode) -> None:
    played = Played(clock, layer, mode)
    known = {"prepare": PREPARING, "rpc": ANSWERING, "decode": DECODING}
    assert played.run("search").stages == known
    assert played.run("insert", [{}]).stages == known
    assert played.run("delete", "doc").stages == known | {"rpc": 2 * ANSWERING}, "of a query and a delete"
    assert [sum(one.stages.values()) for one in played.samples] == [one.response_seconds for one in played.samples]  # type: ignore[arg-type]


@MODES
def test_an_arrival_that_waited_has_a_queue(clock: Clock, mode: Mode) -> None:
    played = Played(clock, "pymilvus", mode)
    played.client.due = clock.now - 2.0
    sample = played.run("search")
    assert sample.stages == {"queue": 2.0, "prepare": PREPARING, "rpc": ANSWERING, "decode": DECODING}
    assert sum(sample.stages.values()) == sample.response_seconds  # type: ignore[arg-type]


@MODES
def test_another_connection_is_timed_as_well(clock: Clock, mode: Mode) -> None:
    played = Played(clock, "pymilvus", mode)
    played.run("search")
    played.below.reconnect()
    assert played.run("search").stages["rpc"] == ANSWERING


@MODES
def test_a_failed_operation_has_no_stages(clock: Clock, mode: Mode) -> None:
    played = Played(clock, "pymilvus", mode)
    played.below.stub.errors = 1
    failed = played.run("search")
    assert (failed.outcome, dict(failed.stages)) == (Outcome.UNAVAILABLE, {})
    assert played.run("search").stages["rpc"] == ANSWERING


@MODES
def test_without_the_setting_nothing_is_replaced(clock: Clock, mode: Mode) -> None:
    played = Played(clock, "llamaindex", mode, is_split=False)
    before = {method: getattr(played.below.stub, method) for method in METHODS}
    assert dict(played.run("search").stages) == {}
    assert {method: getattr(played.below.stub, method) for method in METHODS} == before


class SlowReplies(list[bytes]):
    """Each of which takes a while."""

    clock: Clock

    def pop(self, *place: Any) -> bytes:
        self.clock.now += ANSWERING
        return super().pop(*place)


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("kind", [SyncStore, AsyncStore])
def test_wire_times_its_own_requests_from_the_first_to_the_last_answer(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: type[Any], retries: int
) -> None:
    monkeypatch.setattr("pymilvus.decorators.time.sleep", lambda _: None)
    replies = [LIMITED.SerializeToString()] * retries + [GOOD.SerializeToString()]
    store, channel = connected(kind, replies, retries=retries, stages=True)
    channel.replies = slow = SlowReplies(channel.replies)
    slow.clock = clock
    samples: list[Sample] = []
    make: Any = find_layer("wire").clients[store.mode]
    client = make(store, samples.append)
    client.split_operations()
    result = client.search(SimpleNamespace(encode=lambda _: b"request"))
    if store.mode is Mode.ASYNC:
        asyncio.run(result)
    (sample,) = samples
    assert sample.outcome is Outcome.EMPTY
    assert sample.stages == {"prepare": 0.0, "rpc": (retries + 1) * ANSWERING, "decode": 0.0}


def test_operations_that_overlap_have_their_own_marks(clock: Clock) -> None:
    gates = [asyncio.Event(), asyncio.Event()]

    async def answer(number: int) -> None:
        await gates[number].wait()

    timed_answer = time_async_call(answer)

    async def operate(number: int) -> Marks:
        MARKS.set(marks := Marks())
        await timed_answer(number)
        return marks

    async def overlap() -> list[Marks]:
        tasks = []
        for number in (0, 1):
            tasks.append(asyncio.create_task(operate(number)))
            await asyncio.sleep(0)
            clock.now += 1
        for number in (1, 0):
            gates[number].set()
            await tasks[number]
            clock.now += 1
        return [await task for task in tasks]

    first, second = asyncio.run(overlap())
    assert (first.sent, first.answered) == (100.0, 103.0)
    assert (second.sent, second.answered) == (101.0, 102.0)


def test_a_call_outside_of_operations_is_passed_on(clock: Clock) -> None:
    def call(request: str, timeout: float) -> tuple[str, float]:
        return request, timeout

    call.future = lambda request: f"future {request}"  # type: ignore[attr-defined]
    timed_call: Any = time_call(call)
    assert timed_call("request", timeout=clock.now) == ("request", 100.0)
    assert timed_call.future("request") == "future request"


def test_a_future_is_answered_when_its_result_is_there(clock: Clock) -> None:
    def result(timeout: float) -> str:
        clock.now += timeout
        return "answer"

    timed_call: Any = time_call(SimpleNamespace(future=lambda _: SimpleNamespace(result=result, done=lambda: True)))  # type: ignore[arg-type]
    MARKS.set(marks := Marks())
    future = timed_call.future("request")
    assert future.done()
    assert (marks.sent, marks.answered) == (100.0, 0.0)
    assert future.result(ANSWERING) == "answer"
    assert (marks.sent, marks.answered) == (100.0, 100.0 + ANSWERING)
