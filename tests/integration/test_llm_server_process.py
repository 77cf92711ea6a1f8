"""The simulated LLM as a process: what it serves about itself, its end, its port, and whom it belongs to."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from loadgen.llm_server import Behaviour, LlmServer, LlmServerError, start_llm_server
from loadgen.llm_server.vectors import embed
from tests.integration.test_llm_server import FAST, QUESTION, Start, ask, client_of, outcome_of


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


def test_health_models_and_metrics_are_served(start: Start) -> None:
    server = start(errors="500:1", embedding_dim=16)
    with client_of(server) as client:
        assert [model.id for model in client.models.list()] == ["simulated", "simulated:16"]
        outcome_of(lambda: client.chat.completions.create(model="m", messages=QUESTION))
        client.embeddings.create(model="m", input="two words")
    assert ask(server, "GET", "/health")[:2] == (200, {"status": "ok"})
    status, text, headers = ask(server, "GET", "/metrics")
    assert (status, headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    lines = text.splitlines()
    assert 'llm_server_requests_total{kind="chat",outcome="500"} 1.0' in lines
    assert 'llm_server_requests_total{kind="embedding",outcome="ok"} 1.0' in lines
    assert 'llm_server_tokens_total{direction="in",kind="embedding"} 2.0' in lines
    assert 'llm_server_total_seconds_bucket{kind="embedding",le="+Inf"} 1.0' in lines
    assert 'llm_server_in_flight{kind="chat"} 0.0' in lines


def test_counts_begin_anew_on_request(start: Start) -> None:
    server = start()
    with client_of(server) as client:
        client.embeddings.create(model="m", input="x")
        assert server.counts(reset=True).embedding.outcomes == {"ok": 1}
        assert server.counts().embedding.requests == 0
        client.embeddings.create(model="m", input="x")
    assert server.counts().embedding.times["total"]["count"] == 1


def test_a_stopped_server_is_gone_even_with_open_streams(start: Start) -> None:
    server = start(first_token="1ms", inter_token="60s")
    with client_of(server) as client:
        stream = iter(client.chat.completions.create(model="m", messages=QUESTION, stream=True))
        next(stream)
        begun = time.perf_counter()
        server.stop()
        assert time.perf_counter() - begun < 5, "nobody waits for the stream"
        assert not server.running
        assert outcome_of(lambda: next(stream)) == "broken"
    server.stop()
    with pytest.raises(LlmServerError, match="does not answer"):
        server.counts()


def test_a_server_ends_with_the_process_that_started_it() -> None:
    code = (
        "import time\nfrom loadgen.llm_server import start_llm_server\n"
        "server = start_llm_server()\nprint(server.pid, flush=True)\ntime.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.perf_counter() + 10
    while is_running(pid) and time.perf_counter() < end:
        time.sleep(0.02)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 - a file of the kernel's
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def test_a_taken_port_is_an_error_with_its_remedy(start: Start) -> None:
    port = urlsplit(start().root).port or 0
    with pytest.raises(LlmServerError, match=f"port {port} is in use by another program; choose another, or 0"):
        start_llm_server(port=port)


def test_a_forked_child_leaves_the_server_alone(start: Start) -> None:
    server = start()
    child = os.fork()
    if not child:
        os._exit(int(server.running))
    assert os.waitpid(child, 0)[1] == 0
    assert server.running
    assert ask(server, "GET", "/health")[0] == 200
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "starting a server changes no handler"


def test_llamaindex_asks_it_and_embeds_with_it(start: Start) -> None:
    from llama_index.core.llms import ChatMessage
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding
    from llama_index.llms.openai_like import OpenAILike

    server = start(embedding_dim=32)
    settings: dict[str, Any] = {"api_base": server.url, "api_key": "any", "max_retries": 0}
    llm = OpenAILike(model="simulated", is_chat_model=True, context_window=8_192, **settings)
    embedding = OpenAILikeEmbedding(model_name="simulated:32", embed_batch_size=2, **settings)
    message = ChatMessage(role="user", content="What is a vector index?")
    assert len(str(llm.chat([message]).message.content).split()) == 5
    deltas = [part.delta for part in llm.stream_chat([message]) if part.delta]
    assert len(deltas) == 5
    texts = ["near words here", "near words there", "something else"]
    assert np.allclose(embedding.get_text_embedding_batch(texts), [embed(text, 32) for text in texts])
    assert np.allclose(embedding.get_query_embedding("a question"), embed("a question", 32))

    async def in_a_loop() -> tuple[str, int, list[float]]:
        whole = await llm.acomplete("What is a vector index?")
        stream = await llm.astream_complete("What is a vector index?")
        parts = [part.delta async for part in stream if part.delta]
        return whole.text, len(parts), await embedding.aget_query_embedding("a question")

    text, parts, vector = asyncio.run(in_a_loop())
    assert (len(text.split()), parts) == (5, 5)
    assert np.allclose(vector, embed("a question", 32))
    counts = server.counts()
    assert (counts.chat.outcomes, counts.embedding.outcomes) == ({"ok": 4}, {"ok": 4})
    assert counts.embedding.texts == 5
