"""The simulated LLM server over HTTP, asked by OpenAI's own client: its counts are what was sent."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from loadgen.llm_server import Behaviour, LlmServer, start_llm_server
from loadgen.llm_server.plan import count_errors, plan_chat
from loadgen.llm_server.vectors import embed

FAST: dict[str, Any] = {"first_token": "2ms", "inter_token": "1ms", "tokens": 5, "embedding_delay": "1ms"}
QUESTION: Any = [{"role": "user", "content": "What is a vector index?"}]
Start = Callable[..., LlmServer]


@pytest.fixture
def start() -> Iterator[Start]:
    """Servers with a behaviour, fast where it says nothing else."""
    made: list[LlmServer] = []

    def begin(**given: Any) -> LlmServer:
        made.append(start_llm_server(Behaviour.parse(FAST | given)))
        return made[-1]

    yield begin
    for server in made:
        server.stop()


def client_of(server: LlmServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key="any", max_retries=0, timeout=20)


def ask(server: LlmServer, method: str, path: str, body: bytes | None = None) -> tuple[int, Any, dict[str, str]]:
    """Status, body (from JSON where it is) and headers, over a plain connection."""
    connection = HTTPConnection(urlsplit(server.root).netloc, timeout=20)
    connection.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
    answer = connection.getresponse()
    content, headers = answer.read(), dict(answer.headers)
    connection.close()
    return answer.status, json.loads(content) if "json" in headers["Content-Type"] else content.decode(), headers


def outcome_of(send: Callable[[], object]) -> str:
    """How a call of OpenAI's client ends, in the server's words."""
    try:
        send()
    except openai.APIStatusError as error:
        return str(error.status_code)
    except openai.APITimeoutError:
        return "timeout"
    except (openai.APIConnectionError, httpx.RemoteProtocolError):  # the second while a stream is read
        return "broken"
    return "ok"


def test_a_whole_answer_has_its_tokens_and_usage(start: Start) -> None:
    server = start()
    with client_of(server) as client:
        reported = client.chat.completions.create(model="m", messages=QUESTION)
        short = client.chat.completions.create(model="m", messages=QUESTION, max_tokens=3)
    assert reported.usage is not None
    assert (reported.usage.prompt_tokens, reported.usage.completion_tokens, reported.usage.total_tokens) == (5, 5, 10)
    assert (reported.model, reported.choices[0].finish_reason) == ("m", "stop")
    assert len((reported.choices[0].message.content or "").split()) == 5
    assert short.choices[0].finish_reason == "length"
    assert len((short.choices[0].message.content or "").split()) == 3
    counts = server.counts().chat
    assert (counts.requests, counts.outcomes, counts.in_flight) == (2, {"ok": 2}, 0)
    assert (counts.prompt_tokens, counts.completion_tokens) == (10, 8)


def contents(chunks: list[ChatCompletionChunk]) -> list[str]:
    return [content for chunk in chunks for choice in chunk.choices if (content := choice.delta.content)]


def test_a_stream_has_a_chunk_for_each_token_and_usage_on_request(start: Start) -> None:
    server = start(tokens=20)
    with client_of(server) as client:
        plain = list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))
        options: Any = {"include_usage": True}
        counted = list(
            client.chat.completions.create(model="m", messages=QUESTION, stream=True, stream_options=options)
        )
    assert len(contents(plain)) == len(contents(counted)) == 20
    assert [chunk.usage for chunk in plain] == [None] * 21
    assert plain[0].choices[0].delta.role == "assistant"
    assert plain[-1].choices[0].finish_reason == "stop"
    assert counted[-1].usage is not None
    assert (counted[-1].choices, counted[-1].usage.prompt_tokens, counted[-1].usage.completion_tokens) == ([], 5, 20)
    assert server.counts().chat.outcomes == {"ok": 2}


def test_no_delay_is_shorter_than_asked(start: Start) -> None:
    server = start(first_token="50ms", inter_token="5ms", tokens=20, embedding_delay="30ms")
    with client_of(server) as client:
        begun = time.perf_counter()
        list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))
        streamed = time.perf_counter() - begun
        client.embeddings.create(model="m", input="x")
    counts = server.counts()
    times = counts.chat.times
    assert times["first_token"]["min"] >= 0.05
    assert times["inter_token"]["count"] == 19
    assert times["total"]["min"] >= 0.05 + 19 * 0.005
    assert times["late"]["min"] >= 0
    assert streamed >= 0.05 + 19 * 0.005
    assert counts.embedding.times["total"]["min"] >= 0.03


@pytest.mark.parametrize("model", ["simulated:48", "text-embedding-3-small"])
def test_embeddings_in_base64_and_as_floats_are_the_vectors_of_their_texts(start: Start, model: str) -> None:
    server = start(embedding_dim=48)
    texts = ["near words here", "near words there", "something else"]
    with client_of(server) as client:
        default = client.embeddings.create(model=model, input=texts)
        floats = client.embeddings.create(model=model, input=texts, encoding_format="float")
        narrow = client.embeddings.create(model=model, input="one", dimensions=8)
    assert [one.embedding for one in floats.data] == [embed(text, 48).tolist() for text in texts]
    assert [list(one.embedding) for one in default.data] == [one.embedding for one in floats.data]
    assert [one.index for one in default.data] == [0, 1, 2]
    assert (len(narrow.data[0].embedding), default.usage.prompt_tokens) == (8, 8)
    counts = server.counts().embedding
    assert (counts.outcomes, counts.texts, counts.prompt_tokens) == ({"ok": 3}, 7, 17)
    _, raw, _ = ask(server, "POST", "/v1/embeddings", b'{"model": "m", "input": "x", "encoding_format": "base64"}')
    assert isinstance(raw["data"][0]["embedding"], str)


def test_a_429_says_when_to_come_back(start: Start) -> None:
    server = start(errors="429:1", embedding_errors="429:1", retry_after=7)
    with client_of(server) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="m", messages=QUESTION)
        assert (caught.value.response.headers["retry-after"], caught.value.code) == ("7", "rate_limit_exceeded")
        with pytest.raises(openai.RateLimitError):
            client.embeddings.create(model="m", input="x")
    counts = server.counts()
    assert (counts.chat.outcomes, counts.embedding.outcomes) == ({"429": 1}, {"429": 1})


@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_those_of_the_seed_and_the_counts_are_what_the_client_saw(start: Start, stream: bool) -> None:
    server = start(errors="429:0.1; 500:0.1; 503:0.1; broken:0.2", seed=11)
    with client_of(server) as client:

        def send() -> object:
            answer: Any = client.chat.completions.create(model="m", messages=QUESTION, stream=stream)
            return list(answer) if stream else answer

        seen = Counter(outcome_of(send) for _ in range(60))
    planned = count_errors(server.behaviour, "chat", 60)
    assert seen == Counter({error or "ok": number for error, number in planned.items()})
    assert server.counts().chat.outcomes == dict(seen)
    assert set(seen) == {"ok", "429", "500", "503", "broken"}


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_broken_stream_is_cut_after_its_tokens(start: Start, after: int) -> None:
    server = start(errors="broken:1", broken_after=after)
    got: list[ChatCompletionChunk] = []
    with client_of(server) as client:

        def send() -> None:
            for chunk in client.chat.completions.create(model="m", messages=QUESTION, stream=True):
                got.append(chunk)  # noqa: PERF402 - what came before the cut is kept

        assert outcome_of(send) == "broken"
    assert len(contents(got)) == after
    assert (server.counts().chat.outcomes, server.counts().chat.completion_tokens) == ({"broken": 1}, after)


def test_an_embedding_may_break_too(start: Start) -> None:
    server = start(embedding_errors="broken:1")
    with client_of(server) as client:
        assert outcome_of(lambda: client.embeddings.create(model="m", input="x")) == "broken"
    assert server.counts().embedding.outcomes == {"broken": 1}


async def ask_concurrently(server: LlmServer, number: int) -> Counter[str]:
    async with openai.AsyncOpenAI(base_url=server.url, api_key="any", max_retries=0, timeout=20) as client:

        async def one(place: int) -> str:
            try:
                answer: Any = await client.chat.completions.create(model="m", messages=QUESTION, stream=place % 2 == 0)
                if place % 2 == 0:
                    assert len(contents([chunk async for chunk in answer])) == 5
            except openai.RateLimitError:
                return "over_limit"
            return "ok"

        return Counter(await asyncio.gather(*(one(place) for place in range(number))))


def test_above_the_limit_chats_wait_for_a_slot(start: Start) -> None:
    server = start(concurrency=2, first_token="40ms")
    begun = time.perf_counter()
    assert asyncio.run(ask_concurrently(server, 8)) == {"ok": 8}
    assert time.perf_counter() - begun >= 4 * 0.044, "two at a time"
    counts = server.counts().chat
    assert (counts.outcomes, counts.waiting, counts.in_flight) == ({"ok": 8}, 0, 0)
    assert counts.times["queue"]["max"] > 0
    assert counts.times["total"]["max"] >= counts.times["queue"]["max"] + 0.044


def test_above_the_limit_chats_are_refused_where_the_server_rejects(start: Start) -> None:
    server = start(concurrency=2, first_token="500ms", when_full="reject")
    seen = asyncio.run(ask_concurrently(server, 8))
    assert seen == {"ok": 2, "over_limit": 6}
    assert server.counts().chat.outcomes == dict(seen)


def test_many_streams_at_once_all_get_their_tokens(start: Start) -> None:
    server = start(tokens=5)
    assert asyncio.run(ask_concurrently(server, 200)) == {"ok": 200}
    assert server.counts().chat.completion_tokens == 1_000


def test_a_client_that_leaves_is_counted_and_frees_its_slot(start: Start) -> None:
    server = start(first_token="1ms", inter_token="60s", concurrency=1)
    with client_of(server) as client:
        stream = client.chat.completions.create(model="m", messages=QUESTION, stream=True)
        next(iter(stream))
        assert server.counts().chat.in_flight == 1
        stream.close()
        end = time.perf_counter() + 10
        while server.counts().chat.in_flight and time.perf_counter() < end:
            time.sleep(0.01)
        assert server.counts().chat.outcomes == {"disconnected": 1}
        quick = client.chat.completions.create(model="m", messages=QUESTION, max_tokens=1)
    assert quick.choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/chat/completions", b"no json", 400),
        ("POST", "/v1/chat/completions", b"", 400),
        ("POST", "/v1/chat/completions", b'{"model": "m"}', 400),
        ("POST", "/v1/embeddings", b'{"model": "m", "input": []}', 400),
        ("POST", "/v1/embeddings", b"\xff\xfe", 400),
        ("POST", "/v1/completions", b"{}", 404),
        ("GET", "/", None, 404),
        ("GET", "/v1/chat/completions", None, 405),
    ],
)
def test_a_bad_request_gets_openais_error(
    start: Start, method: str, path: str, body: bytes | None, status: int
) -> None:
    server = start()
    got, reported, _ = ask(server, method, path, body)
    assert (got, reported["error"]["type"]) == (status, "invalid_request_error")
    assert reported["error"]["message"]
    counts = server.counts()
    known = status == 400
    assert counts.chat.requests + counts.embedding.requests == int(known)
    assert {**counts.chat.outcomes, **counts.embedding.outcomes} == ({"invalid": 1} if known else {})


def test_bad_requests_leave_the_sequence_of_errors_alone(start: Start) -> None:
    server = start(errors="500:0.5", seed=4)
    wanted = [plan_chat(server.behaviour, number).error or "ok" for number in range(8)]
    seen = []
    with client_of(server) as client:
        for _ in range(8):
            ask(server, "POST", "/v1/chat/completions", b"{}")
            seen.append(outcome_of(lambda: client.chat.completions.create(model="m", messages=QUESTION)))
    assert seen == wanted
    assert len(set(wanted)) == 2
