"""Tokens of a question are those that the model reports, or are counted; those of an ingest are counted."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.llms.openai_like import OpenAILike

from loadgen.clients.rag.client import OPERATIONS, count_answer
from loadgen.clients.rag.data import DocumentSource
from loadgen.clients.rag.documents import token_counter
from loadgen.clients.rag.models import ModelSpec
from loadgen.clients.rag.remote import make_remote_llm
from loadgen.clients.rag.stages import TIMER, QuestionTimer
from loadgen.clients.rag.tokens import KEPT_AT_MOST, TokenCounts, note_usage
from loadgen.measure.sample import Mode, Sample
from loadgen.settings.model import Settings
from tests.unit.rag_engine_support import QUESTION, Scripted, make_clients, make_engine
from tests.unit.test_rag_ingesting import SOURCES, Target, both_modes, run


def ask(mode: Mode, *, stream: bool = False, chunks: int = 5, error: Exception | None = None) -> Sample:
    llm = Scripted(words=("red", " and", " round"), error=error)
    blocking, awaited, samples = make_clients(make_engine(llm, stream=stream, chunks=chunks))
    if mode is Mode.SYNC:
        blocking.ask(QUESTION)
    else:
        asyncio.run(awaited.ask(QUESTION))
    (sample,) = samples
    return sample


@both_modes
@pytest.mark.parametrize("stream", [False, True])
def test_tokens_that_no_model_reports_are_counted_without_the_prompt(mode: Mode, stream: bool) -> None:
    count = token_counter()
    chunks = [f"apples {'are red ' * number}" for number in range(5)]
    sums = {count(QUESTION) + sum(count(chunks[n]) for n in range(5) if n not in without) for without in PAIRS}
    sample = ask(mode, stream=stream)
    assert sample.items["tokens_in"] in sums
    assert sample.items["tokens_out"] == 3, "tokens of a whole answer, parts of a stream"


def test_a_stream_without_text_has_no_tokens_although_it_has_its_stages() -> None:
    timer = QuestionTimer()
    timer.finish(answered=True)
    answer = SimpleNamespace(source_nodes=[], response_txt="")
    counts = TokenCounts(lambda text: len(text.split()))
    assert count_answer(counts, "Why is that?", answer, timer) == {"tokens_in": 3, "tokens_out": 0}
    timer.note_token()
    answer.response_txt = "two parts"
    assert count_answer(counts, "Why is that?", answer, timer) == {"tokens_in": 3, "tokens_out": 2}


PAIRS = [(one, other) for one in range(5) for other in range(one)]
"""Of five chunks, three are retrieved."""


@both_modes
def test_neither_failed_nor_empty_answers_have_tokens(mode: Mode) -> None:
    assert ask(mode, error=OSError("broken")).items == {}
    assert ask(mode, chunks=0).items == {}


@both_modes
def test_an_ingest_counts_documents_chunks_and_tokens_each_text_once(mode: Mode) -> None:
    into = Target()
    done, sample = run(mode, into)
    count = token_counter()
    tokens = sum(count(node.text) for node in into.store.client)
    assert sample.items == {"documents": len(SOURCES), "chunks": done, "tokens": tokens}


def test_what_is_known_is_not_counted_again() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text.split())

    tokens = TokenCounts(count)
    assert [tokens.count_known("a", ["one two", "three"]) for _ in range(3)] == [3, 3, 3]
    assert tokens.count_known("a", ["one two and", "three"]) == 4, "the same name with another text"
    assert counted == ["one two", "three", "one two and", "three"]
    tokens._known = dict.fromkeys(((str(number), 1, 1) for number in range(KEPT_AT_MOST)), 1)
    tokens.count_known("b", ["x"])
    assert len(tokens._known) == 1


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (SimpleNamespace(prompt_tokens=7, completion_tokens=3), (14, 6)),
        (SimpleNamespace(prompt_tokens=7, completion_tokens=None), None),
        (SimpleNamespace(prompt_tokens=-7, completion_tokens=3), None),
        (None, None),
    ],
)
def test_usage_of_all_answers_to_a_question_is_added(usage: Any, expected: tuple[int, int] | None) -> None:
    token = TIMER.set(timer := QuestionTimer())
    for _ in range(2):
        note_usage(SimpleNamespace(usage=usage))
    note_usage(None)
    TIMER.reset(token)
    note_usage(SimpleNamespace(usage=usage))
    assert timer.usage == expected


def parts() -> list[ChatResponse]:
    """Only the last one has a usage that counts, as some servers report it in each."""
    usages = [SimpleNamespace(prompt_tokens=9, completion_tokens=number) for number in (1, 2, 3)]
    choices = [SimpleNamespace(finish_reason="stop")]
    raws = [SimpleNamespace(usage=one, choices=choices) for one in usages]
    return [ChatResponse(message=ChatMessage(content="x"), raw=raw) for raw in raws]


@both_modes
@pytest.mark.parametrize("stream", [False, True])
def test_a_remote_model_tells_the_usage_of_its_answer(
    mode: Mode, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def awaited(parts_of: AsyncIterator[ChatResponse]) -> list[ChatResponse]:
        return [one async for one in parts_of]

    async def achat(*_: Any, **__: Any) -> ChatResponse:
        return parts()[-1]

    async def astream(*_: Any, **__: Any) -> AsyncIterator[ChatResponse]:
        async def generate() -> AsyncIterator[ChatResponse]:
            for one in parts():
                yield one

        return generate()

    def blocking_stream(*_: Any, **__: Any) -> Iterator[ChatResponse]:
        return iter(parts())

    monkeypatch.setattr(OpenAILike, "chat", lambda *_, **__: parts()[-1])
    monkeypatch.setattr(OpenAILike, "stream_chat", blocking_stream)
    monkeypatch.setattr(OpenAILike, "achat", achat)
    monkeypatch.setattr(OpenAILike, "astream_chat", astream)
    llm = make_remote_llm("m", ModelSpec("openai:m", "http://127.0.0.1:1/v1", "none"))
    messages: Sequence[ChatMessage] = [ChatMessage(content="x")]
    token = TIMER.set(timer := QuestionTimer())

    async def work() -> int:
        return len(await awaited(await llm.astream_chat(messages))) if stream else bool(await llm.achat(messages))

    if mode is Mode.SYNC:
        number = len(list(llm.stream_chat(messages))) if stream else bool(llm.chat(messages))
    else:
        number = asyncio.run(work())
    TIMER.reset(token)
    assert (number, timer.usage) == (3 if stream else 1, (9, 3))


def test_streams_are_asked_for_their_usage_and_other_answers_are_not() -> None:
    llm = make_remote_llm("m", ModelSpec("openai:m", "http://127.0.0.1:1/v1", "none"))
    assert llm._get_model_kwargs(stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in llm._get_model_kwargs()


def test_the_items_are_declared() -> None:
    assert {one.name: one.items for one in OPERATIONS} == {
        "ask": ("tokens_in", "tokens_out"),
        "retrieve": (),
        "ingest": ("documents", "chunks", "tokens"),
    }


@pytest.mark.parametrize(
    ("objective", "stream", "operations", "reported"),
    [
        ("inter_token < 50 ms", (False, False), ("ask",), 1),
        ("inter_token < 50 ms", (False, True), ("ask",), 0),
        ("inter_token < 50 ms", (False, False), ("ingest",), 0),
        ("first_token < 50 ms", (False, False), ("ask",), 0),
        ("inter_token", (False, False), ("ask",), 0),
    ],
)
def test_times_between_tokens_need_a_stream(
    objective: str, stream: Sequence[bool], operations: Any, reported: int
) -> None:
    every = [Settings(client="rag", objective=objective, stream=one) for one in stream]
    faults = [one for one in DocumentSource().find_faults(every, operations) if one.setting == "objective"]
    assert [str(one) for one in faults] == [
        '--objective "inter_token < 50 ms": is of inter_token, and no answer is streamed. Add --stream.'
    ][:reported]


@pytest.mark.parametrize(
    ("require", "stream", "reported"),
    [
        ("ask async inter_token p99 < 50 ms", False, 1),
        ("ask async inter_token p99 < 50 ms", True, 0),
        ("ask first_token p99 < 50 ms", False, 0),
        ("", False, 0),
    ],
)
def test_a_required_time_between_tokens_needs_one_too(require: str, stream: bool, reported: int) -> None:
    faults = DocumentSource().find_faults([Settings(client="rag", require=(require,), stream=stream)], ("ask",))
    assert [str(one) for one in faults if one.setting == "require"] == [
        f'--require "{require}": is of inter_token, and no answer is streamed. Add --stream.'
    ][:reported]
