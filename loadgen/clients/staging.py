"""Stages of an operation of a vector store, by clock readings of the stub that sends its requests."""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import replace
from time import perf_counter
from typing import Any

from loadgen.measure.operation import Operation
from loadgen.measure.sample import NO_STAGES, StageTimes
from loadgen.measure.store_stages import ALL_STAGES, DECODE, PREPARE, QUEUE, RPC, STAGES

METHODS = ("Search", "HybridSearch", "Query", "Insert", "Upsert", "Delete")
"""The methods of a stub that operations call."""
TIMED = "_loadgen_timed"
"""Attribute of a stub whose calls are timed."""


class Marks:
    """When an operation sent its first request and received its last answer (perf_counter); 0: it has not.

    An operation may send several: LlamaIndex queries before it deletes and inserts in batches, and failed ones are
    sent again.
    """

    __slots__ = ("answered", "sent")

    def __init__(self) -> None:
        self.sent = self.answered = 0.0

    def split(self, scheduled: float, started: float, finished: float) -> StageTimes:
        """Seconds of each stage; their sum is the response time. None without an answer: nobody saw when it came."""
        if not self.answered:
            return NO_STAGES
        stages = {
            PREPARE: self.sent - started,
            RPC: self.answered - self.sent,
            DECODE: finished - self.answered,
        }
        if scheduled != started:
            stages[QUEUE] = started - scheduled
        return stages


MARKS: ContextVar[Marks | None] = ContextVar("loadgen_marks", default=None)
"""Those of the current operation of a thread or an asyncio task. Never reset: the next operation replaces them, and
nobody reads those of an earlier one again."""


class TimedFuture:
    """A future of a blocking stub that notes when its result was taken: pymilvus deletes with one."""

    __slots__ = ("_future", "_marks")

    def __init__(self, future: Any, marks: Marks) -> None:
        self._future, self._marks = future, marks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._future, name)

    def result(self, *given: Any, **named: Any) -> Any:
        """Wait for the answer. Raises what the call raises."""
        answer = self._future.result(*given, **named)
        self._marks.answered = perf_counter()
        return answer


def time_call(call: Callable[..., Any]) -> Callable[..., Any]:
    """A blocking call of a stub, and its `future`, that note the clock before and after themselves."""

    def timed(*given: Any, **named: Any) -> Any:
        marks = MARKS.get()
        if marks is None:
            return call(*given, **named)
        marks.answered = 0.0
        marks.sent = marks.sent or perf_counter()
        answer = call(*given, **named)
        marks.answered = perf_counter()
        return answer

    def begin(*given: Any, **named: Any) -> Any:
        marks = MARKS.get()
        if marks is None:
            return call.future(*given, **named)  # type: ignore[attr-defined]
        marks.answered = 0.0
        marks.sent = marks.sent or perf_counter()
        return TimedFuture(call.future(*given, **named), marks)  # type: ignore[attr-defined]

    timed.future = begin  # type: ignore[attr-defined]
    return timed


def time_async_call(call: Callable[..., Any]) -> Callable[..., Any]:
    """The same of grpc.aio; it is answered when the coroutine goes on, not when the answer arrives."""

    async def timed(*given: Any, **named: Any) -> Any:
        marks = MARKS.get()
        if marks is None:
            return await call(*given, **named)
        marks.answered = 0.0
        marks.sent = marks.sent or perf_counter()
        answer = await call(*given, **named)
        marks.answered = perf_counter()
        return answer

    return timed


def time_stub(client: Any) -> None:
    """Time the calls of one MilvusClient or AsyncMilvusClient, if it is connected and they are not timed yet.

    Cheap enough to be repeated before each operation: after a lost connection pymilvus has another stub.
    """
    handler = client._handler  # noqa: SLF001 - nothing public is between building a request and reading its answer
    stub = getattr(handler, "_stub", None)
    time_one = time_call
    if stub is None:
        stub, time_one = getattr(handler, "_async_stub", None), time_async_call
    if stub is None or TIMED in stub.__dict__:
        return
    setattr(stub, TIMED, True)
    for method in METHODS:
        setattr(stub, method, time_one(getattr(stub, method)))


def declare_stages(operations: Iterable[Operation], *, is_open: bool) -> tuple[Operation, ...]:
    """The operations with their stages declared."""
    stages = ALL_STAGES if is_open else STAGES
    return tuple(replace(one, stages=stages) for one in operations)
