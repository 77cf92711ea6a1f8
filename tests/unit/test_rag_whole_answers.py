"""What counts as an answer of a model server, and what does not, whatever its status."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from llama_index.core.llms import ChatMessage

from loadgen.clients.outcomes import outcome_of
from loadgen.clients.rag.models import ModelSpec
from loadgen.clients.rag.remote import RemoteLLM, make_remote_embedding, make_remote_llm
from loadgen.clients.rag.whole_answers import CUT, EMPTY, NO_ANSWER, BrokenAnswerError
from loadgen.measure.sample import Outcome

SPEC = ModelSpec("openai:m", "http://127.0.0.1:1/v1", "none")
ASK = [ChatMessage(content="Why?")]
HTML = "<html><body>Welcome</body></html>"
OTHER_JSON = '{"hello": 1}'


def event(delta: str | None, finish: str | None = None, **more: Any) -> str:
    choices = [] if delta is None else [{"index": 0, "delta": {"content": delta}, "finish_reason": finish}]
    return f"data: {json.dumps({'id': '1', 'object': 'chat.completion.chunk', 'choices': choices} | more)}\n\n"


USAGE = event(None, usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
STARTED = event("It") + event(" is.")
WHOLE = STARTED + event("", "stop") + USAGE + "data: [DONE]\n\n"


@pytest.fixture
def answer_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Has every request answered with status 200 and this text."""

    def answer(text: str, kind: str) -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, text=text, headers={"content-type": kind}))
        monkeypatch.setattr(openai, "DefaultHttpxClient", lambda **_: httpx.Client(transport=transport))
        monkeypatch.setattr(openai, "DefaultAsyncHttpxClient", lambda **_: httpx.AsyncClient(transport=transport))

    return answer


def stream(llm: RemoteLLM) -> str:
    return "".join(part.delta or "" for part in llm.stream_chat(ASK))


def astream(llm: RemoteLLM) -> str:
    async def read() -> str:
        return "".join([part.delta or "" async for part in await llm.astream_chat(ASK)])

    return asyncio.run(read())


def chat(llm: RemoteLLM) -> str:
    return llm.chat(ASK).message.content or ""


def achat(llm: RemoteLLM) -> str:
    return asyncio.run(llm.achat(ASK)).message.content or ""


@pytest.mark.parametrize("read", [stream, astream])
def test_a_whole_stream_is_an_answer(read: Callable[[RemoteLLM], str], answer_with: Callable[[str, str], None]) -> None:
    answer_with(WHOLE, "text/event-stream")
    assert read(make_remote_llm("m", SPEC)) == "It is."


@pytest.mark.parametrize("read", [stream, astream])
@pytest.mark.parametrize(
    ("text", "kind", "reported"),
    [
        (HTML, "text/html", EMPTY),
        (OTHER_JSON, "application/json", EMPTY),
        ("", "text/event-stream", EMPTY),
        ("data: [DONE]\n\n", "text/event-stream", EMPTY),
        (STARTED, "text/event-stream", CUT),
        (STARTED + USAGE, "text/event-stream", CUT),
        ('data: {"hello": 1}\n\n', "text/event-stream", NO_ANSWER),
        ("data: <html>\n\n", "text/event-stream", NO_ANSWER),
    ],
)
def test_a_stream_that_is_none_or_stops_in_the_middle_fails(
    read: Callable[[RemoteLLM], str], text: str, kind: str, reported: str, answer_with: Callable[[str, str], None]
) -> None:
    answer_with(text, kind)
    with pytest.raises(BrokenAnswerError, match=f"^{reported}") as raised:
        read(make_remote_llm("m", SPEC))
    assert outcome_of(raised.value) is Outcome.FAILED


@pytest.mark.parametrize("read", [chat, achat])
@pytest.mark.parametrize(
    ("text", "kind"), [(HTML, "text/html"), (OTHER_JSON, "application/json"), ("{", "application/json")]
)
def test_a_whole_answer_of_another_form_fails_and_is_not_the_fault_of_the_request(
    read: Callable[[RemoteLLM], str], text: str, kind: str, answer_with: Callable[[str, str], None]
) -> None:
    answer_with(text, kind)
    with pytest.raises(BrokenAnswerError, match=f"^{NO_ANSWER}") as raised:
        read(make_remote_llm("m", SPEC))
    assert outcome_of(raised.value) is Outcome.FAILED


@pytest.mark.parametrize("text", [HTML, OTHER_JSON])
@pytest.mark.parametrize("is_async", [False, True])
def test_so_do_vectors(text: str, is_async: bool, answer_with: Callable[[str, str], None]) -> None:
    answer_with(text, "application/json" if text == OTHER_JSON else "text/html")
    model = make_remote_embedding("m", SPEC)
    with pytest.raises(BrokenAnswerError, match=f"^{NO_ANSWER}"):
        asyncio.run(model.aget_query_embedding("Why?")) if is_async else model.get_query_embedding("Why?")
    with pytest.raises(BrokenAnswerError, match=f"^{NO_ANSWER}"):
        asyncio.run(model.aget_text_embedding_batch(["Why?"])) if is_async else model.get_text_embedding_batch(["Why?"])
