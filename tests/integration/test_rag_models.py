"""Models on a server: what they send, counted by the server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from llama_index.core.llms import ChatMessage

from loadgen.clients.rag.models import ModelSpec, aclose_model, close_model, make_embedding, make_llm
from loadgen.llm_server import Behaviour, LlmServer, start_llm_server
from loadgen.llm_server.vectors import embed

TEXTS = [f"text number {number}" for number in range(25)]
FAST: dict[str, Any] = {"first_token": "2ms", "inter_token": "1ms", "tokens": 5, "embedding_delay": "1ms"}
ASK = [ChatMessage(content="Why is that?")]


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with start_llm_server(Behaviour.parse(FAST)) as started:
        yield started


@pytest.fixture
def failing() -> Iterator[LlmServer]:
    with start_llm_server(Behaviour.parse(FAST | {"errors": "429:1", "embedding_errors": "429:1"})) as started:
        yield started


def test_vectors_are_those_of_the_server_and_texts_are_sent_in_batches(server: LlmServer) -> None:
    embedding = make_embedding(ModelSpec("simulated:16", url=server.url, batch_size=10), "server")
    expected = [embed(text, 16).tolist() for text in TEXTS]

    async def ask() -> tuple[list[list[float]], list[float]]:
        result = await embedding.aget_text_embedding_batch(TEXTS), await embedding.aget_query_embedding("Why?")
        await aclose_model(embedding)
        return result

    assert embedding.get_text_embedding_batch(TEXTS) == expected
    assert embedding.get_query_embedding("Why?") == embed("Why?", 16).tolist()
    assert asyncio.run(ask()) == (expected, embed("Why?", 16).tolist())
    counted = server.counts().embedding
    assert (counted.requests, counted.outcomes["ok"]) == (8, 8)  # three batches and a question, in both modes


def test_a_loopback_server_is_asked_past_the_proxies_of_the_environment(
    server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    llm = make_llm(ModelSpec("simulated", url=server.url))
    assert len(llm.chat(ASK).message.content or "") > 0
    close_model(llm)


def test_an_llm_answers_whole_and_as_a_stream_in_both_modes(server: LlmServer) -> None:
    llm = make_llm(ModelSpec("simulated", url=server.url, max_tokens=4))

    async def ask() -> list[str]:
        whole = (await llm.achat(ASK)).message.content or ""
        stream = [part.delta or "" async for part in await llm.astream_chat(ASK)]
        await aclose_model(llm)
        return [whole, "".join(stream)]

    answers = [llm.chat(ASK).message.content or "", "".join(part.delta or "" for part in llm.stream_chat(ASK))]
    answers += asyncio.run(ask())
    assert [len(answer.split()) for answer in answers] == [4] * 4
    counted = server.counts().chat
    assert (counted.requests, counted.outcomes["ok"], counted.completion_tokens) == (4, 4, 16)


def test_a_refusal_is_an_error_at_once_and_sent_once(failing: LlmServer) -> None:
    llm = make_llm(ModelSpec("simulated", url=failing.url))
    embedding = make_embedding(ModelSpec("simulated:8", url=failing.url), "server")

    async def ask() -> None:
        with pytest.raises(openai.RateLimitError):
            await llm.achat(ASK)
        with pytest.raises(openai.RateLimitError):
            await embedding.aget_query_embedding("Why?")
        await aclose_model(llm)
        await aclose_model(embedding)

    with pytest.raises(openai.RateLimitError):
        llm.chat(ASK)
    with pytest.raises(openai.RateLimitError):
        embedding.get_query_embedding("Why?")
    asyncio.run(ask())
    counted = failing.counts()
    assert (counted.chat.outcomes["429"], counted.embedding.outcomes["429"]) == (2, 2)
    assert (counted.chat.requests, counted.embedding.requests) == (2, 2)
