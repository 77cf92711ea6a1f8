"""Every answer has its stages, in both modes and however it arrives; a failed one has those that ended."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from llama_index_instrumentation import get_dispatcher

from loadgen.clients.rag.stages import (
    INTER_TOKEN,
    OF_ASK,
    OF_RETRIEVE,
    TIMER,
    QuestionTimer,
    StageSpans,
    time_async_search,
    time_search,
    unwatch_spans,
    watch_spans,
)
from loadgen.measure.sample import Mode, Outcome, Sample
from tests.unit.rag_engine_support import QUESTION, Scripted, make_clients, make_engine

REQUEST = httpx.Request("POST", "http://127.0.0.1:1/v1/chat/completions")
STREAMED = {*OF_ASK, INTER_TOKEN}
both_modes = pytest.mark.parametrize("mode", Mode)


def ask(mode: Mode, engine: Any, operation: str = "ask") -> tuple[Any, Sample]:
    """The answer, and the only sample."""
    blocking, awaited, samples = make_clients(engine)
    client = blocking if mode is Mode.SYNC else awaited
    call: Callable[[str], Any] = getattr(client, operation)
    answer = call(QUESTION) if mode is Mode.SYNC else asyncio.run(call(QUESTION))
    (sample,) = samples
    return answer, sample


def once_of(sample: Sample) -> dict[str, float]:
    """Its stages without the repeated ones."""
    return {stage: seconds for stage, seconds in sample.stages.items() if isinstance(seconds, float)}


@both_modes
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_has_all_stages_and_they_are_parts_of_its_time(mode: Mode, stream: bool) -> None:
    answer, sample = ask(mode, make_engine(Scripted(), stream=stream))
    assert str(answer.response_txt if stream else answer.response) == "red and round"
    assert (sample.operation, sample.outcome, sample.rows) == ("ask", Outcome.OK, 3)
    once = once_of(sample)
    assert set(once) == set(OF_ASK)
    assert all(seconds >= 0 for seconds in once.values())
    assert min(once["embed"], once["retrieve"], once["first_token"]) > 0
    assert sum(once.values()) <= sample.finished - sample.started


@both_modes
def test_a_streamed_answer_has_every_time_between_two_tokens(mode: Mode) -> None:
    _, sample = ask(mode, make_engine(Scripted(words=("red", " and", " round", " and", " sweet")), stream=True))
    between = sample.stages[INTER_TOKEN]
    assert isinstance(between, tuple)
    assert len(between) == 4
    assert all(seconds >= 0 for seconds in between)
    assert sum(between) <= once_of(sample)["generate"]


@both_modes
def test_an_answer_at_once_or_of_one_token_has_no_time_between_tokens(mode: Mode) -> None:
    for engine in (make_engine(Scripted()), make_engine(Scripted(words=("red",)), stream=True)):
        _, sample = ask(mode, engine)
        assert set(sample.stages) == set(OF_ASK)


@both_modes
def test_a_retrieval_has_two_stages_and_the_chunks_as_rows(mode: Mode) -> None:
    nodes, sample = ask(mode, make_engine(Scripted()), "retrieve")
    assert (sample.operation, sample.outcome, sample.rows) == ("retrieve", Outcome.OK, 3)
    assert len(nodes) == 3
    assert set(sample.stages) == set(OF_RETRIEVE)


def test_both_modes_retrieve_the_same_chunks() -> None:
    engine = make_engine(Scripted())
    result = [[node.node.node_id for node in ask(mode, engine, "retrieve")[0]] for mode in Mode]
    assert result[0] == result[1]
    assert len(set(result[0])) == 3


@both_modes
@pytest.mark.parametrize("stream", [False, True])
def test_nothing_retrieved_is_empty_and_the_model_is_not_asked(mode: Mode, stream: bool) -> None:
    engine = make_engine(Scripted(error=RuntimeError("asked")), stream=stream, chunks=0)
    _, sample = ask(mode, engine)
    assert (sample.outcome, sample.rows, sample.error) == (Outcome.EMPTY, 0, None)
    assert set(sample.stages) == set(OF_RETRIEVE)


def status_error(status: int) -> openai.APIStatusError:
    return openai.APIStatusError("refused", response=httpx.Response(status, request=REQUEST), body=None)


ERRORS = [
    (status_error(429), Outcome.THROTTLED),
    (status_error(500), Outcome.UNAVAILABLE),
    (status_error(503), Outcome.UNAVAILABLE),
    (status_error(401), Outcome.REJECTED),
    (openai.APITimeoutError(REQUEST), Outcome.TIMEOUT),
    (httpx.ReadTimeout("slow"), Outcome.TIMEOUT),
    (httpx.RemoteProtocolError("peer closed connection"), Outcome.FAILED),
    (RuntimeError("?"), Outcome.FAILED),
]


@both_modes
@pytest.mark.parametrize(("error", "outcome"), ERRORS)
def test_an_error_of_the_language_model_is_an_outcome_with_the_stages_before_it(
    mode: Mode, error: Exception, outcome: Outcome
) -> None:
    answer, sample = ask(mode, make_engine(Scripted(error=error)))
    assert answer is None
    assert (sample.outcome, sample.error, sample.rows) == (outcome, error, 0)
    assert set(sample.stages) == set(OF_RETRIEVE)


@both_modes
def test_a_broken_stream_fails_and_has_its_first_token(mode: Mode) -> None:
    error = httpx.RemoteProtocolError("peer closed connection without sending complete message body")
    answer, sample = ask(mode, make_engine(Scripted(error=error), stream=True))
    assert answer is None
    assert (sample.outcome, sample.error) == (Outcome.FAILED, error)
    assert set(sample.stages) == {*OF_RETRIEVE, "first_token", INTER_TOKEN}


@both_modes
def test_an_error_of_the_embedding_is_an_outcome(mode: Mode) -> None:
    _, sample = ask(mode, make_engine(Scripted(), error=status_error(429)))
    assert sample.outcome is Outcome.THROTTLED
    assert sample.stages == {}, "a stage that raised has no time"


@both_modes
def test_a_streamed_answer_without_a_token_has_all_stages_as_one_at_once_has(mode: Mode) -> None:
    _, sample = ask(mode, make_engine(Scripted(words=("",)), stream=True))
    assert sample.outcome is Outcome.OK
    assert set(sample.stages) == set(OF_ASK)
    assert once_of(sample)["generate"] < 0.1


@both_modes
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_after_the_deadline_is_a_timeout(mode: Mode, stream: bool) -> None:
    answer, sample = ask(mode, make_engine(Scripted(), stream=stream, deadline=1e-9))
    assert answer is None
    assert sample.outcome is Outcome.TIMEOUT


def test_answers_that_overlap_on_a_loop_have_their_own_stages() -> None:
    _, client, samples = make_clients(make_engine(Scripted(), stream=True))

    async def ask_all() -> None:
        await asyncio.gather(*(client.ask(f"{QUESTION} {number}") for number in range(20)))

    asyncio.run(ask_all())
    assert [set(sample.stages) for sample in samples] == [STREAMED] * 20
    assert all(sum(once_of(one).values()) <= one.finished - one.started for one in samples)


def test_answers_that_overlap_on_threads_have_their_own_stages() -> None:
    client, _, samples = make_clients(make_engine(Scripted(), stream=True))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(client.ask, [f"{QUESTION} {number}" for number in range(20)]))
    assert [set(sample.stages) for sample in samples] == [STREAMED] * 20
    assert all(sum(once_of(one).values()) <= one.finished - one.started for one in samples)


def test_code_outside_of_a_measured_call_is_not_watched() -> None:
    engine = make_engine(Scripted())
    ask(Mode.SYNC, engine)
    assert TIMER.get() is None
    engine.retriever.retrieve(QUESTION)
    assert TIMER.get() is None


def test_the_handler_is_registered_once_and_keeps_no_spans() -> None:
    engine = make_engine(Scripted())
    watch_spans()
    ask(Mode.SYNC, engine)
    own = [one for one in get_dispatcher().span_handlers if isinstance(one, StageSpans)]
    assert len(own) == 1
    assert (own[0].open_spans, own[0].completed_spans, own[0].dropped_spans) == ({}, [], [])


def test_spans_that_never_began_leave_no_stage() -> None:
    timer = QuestionTimer()
    timer.leave("VectorIndexRetriever.retrieve-1", "retrieve")
    timer.note_token()
    assert "retrieve" not in timer.finish(answered=False)
    assert "first_token" not in timer.finish(answered=False)


class Searching:
    """A client of Milvus with both kinds of search; it fails on demand."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def search(self, collection: str, *, limit: int) -> tuple[str, int]:
        if self.error is not None:
            raise self.error
        return collection, limit

    async def asearch(self, collection: str, *, limit: int) -> tuple[str, int]:
        return self.search(collection, limit=limit)


@both_modes
def test_each_search_of_a_question_is_a_time_and_one_that_fails_is_none(mode: Mode) -> None:
    client = Searching()
    call: Callable[[], Any]
    if mode is Mode.SYNC:
        timed = time_search(client.search)
        call = lambda: timed("c", limit=3)  # noqa: E731
    else:
        awaited = time_async_search(client.asearch)
        call = lambda: asyncio.run(awaited("c", limit=3))  # noqa: E731
    assert call() == ("c", 3), "outside of a question"
    context = TIMER.set(timer := QuestionTimer())
    try:
        assert [call(), call()] == [("c", 3)] * 2
        client.error = RuntimeError("no answer")
        with pytest.raises(RuntimeError, match="no answer"):
            call()
    finally:
        TIMER.reset(context)
    searches = timer.finish(answered=False)["search"]
    assert isinstance(searches, tuple)
    assert len(searches) == 2
    assert min(searches) >= 0


def test_spans_are_reported_no_longer_and_again() -> None:
    engine = make_engine(Scripted())
    unwatch_spans()
    try:
        _, sample = ask(Mode.SYNC, engine, "retrieve")
        assert sample.stages == {}
    finally:
        watch_spans()
    assert set(ask(Mode.SYNC, engine, "retrieve")[1].stages) == set(OF_RETRIEVE)
