"""A model that does not answer is explained before the load, without its key."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from loadgen.clients.rag.models import ModelError, ModelSpec, aclose_model, close_model, make_embedding, make_llm
from loadgen.clients.rag.probing import (
    aprobe_embedding,
    aprobe_llm,
    explain_failure,
    probe_embedding,
    probe_llm,
)
from loadgen.llm_server import Behaviour, start_llm_server

KEY = "sk-very-secret"


class Answering(BaseHTTPRequestHandler):
    """Answers each POST with what its path says: status, kind of content and content."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar = {
        "html": (200, "text/html", "<html>a page</html>"),
        "text": (200, "application/json", "no json"),
        "empty": (200, "application/json", "{}"),
        "list": (200, "application/json", "[]"),
        "401": (401, "application/json", f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}'),
        "403": (403, "application/json", '{"error": {"message": "no access"}}'),
        "404": (404, "application/json", '{"error": {"message": "The model x does not exist"}}'),
        "429": (429, "application/json", '{"error": {"message": "quota"}}'),
        "500": (500, "text/plain", "out of\nmemory"),
    }

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, kind, content = self.answers[self.path.split("/")[1]]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def said_of_both(spec: ModelSpec) -> set[str]:
    """What is said of the spec as a model of each kind, in each mode."""
    said: list[ModelError] = []
    embedding, llm = make_embedding(spec, "server"), make_llm(spec)
    for probe in (lambda: probe_embedding(spec, embedding), lambda: probe_llm(spec, llm)):
        with pytest.raises(ModelError) as caught:
            probe()
        said.append(caught.value)

    async def ask() -> None:
        for waiting in (aprobe_embedding(spec, embedding), aprobe_llm(spec, llm)):
            with pytest.raises(ModelError) as caught:
                await waiting
            said.append(caught.value)
        for model in (embedding, llm):
            await aclose_model(model)
            await aclose_model(model)

    asyncio.run(ask())
    return {str(error) for error in said}


@pytest.mark.parametrize(
    ("path", "said", "hint"),
    [
        ("html", "does not answer as OpenAI's API does (", "Check the URL; most end in /v1."),
        ("text", "does not answer as OpenAI's API does (", "Check the URL; most end in /v1."),
        ("empty", "does not answer as OpenAI's API does (", "Check the URL; most end in /v1."),
        ("list", "does not answer as OpenAI's API does (", "Check the URL; most end in /v1."),
        ("401", "refuses the key (", "Check the key, and what it permits."),
        ("403", "refuses the key (", "Check the key, and what it permits."),
        ("404", "knows no such model or path (", "Check the model's name. Check the URL; most end in /v1."),
        ("429", "limits the rate (", "Wait, or raise the limit."),
        ("500", "refuses the request (", "Look at its log."),
    ],
)
def test_each_wrong_answer_is_explained(root: str, path: str, said: str, hint: str) -> None:
    for text in said_of_both(ModelSpec("openai:x", url=f"{root}/{path}/v1", key=KEY)):
        assert text.startswith(f"openai:x at {root}/{path}/v1 {said}")
        assert text.endswith(hint)
        assert KEY not in text
        assert "\n" not in text


def test_a_server_that_is_not_there_is_explained(free_port: int) -> None:
    (said,) = {
        text.partition(" (")[0] for text in said_of_both(ModelSpec("openai:x", url=f"http://127.0.0.1:{free_port}"))
    }
    assert said == f"openai:x at http://127.0.0.1:{free_port} cannot be reached"


def test_a_server_that_does_not_answer_is_explained() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        (said,) = said_of_both(ModelSpec("openai:x", url=url, timeout=0.2))
    assert (
        said == f"openai:x at {url} did not answer within 0.2 s. Allow it more time (--deadline), or look at its log."
    )


def test_models_that_answer_are_measured() -> None:
    with start_llm_server(Behaviour(first_token="1ms", embedding_delay="1ms", tokens=1)) as server:
        spec, chat = ModelSpec("simulated:12", url=server.url), ModelSpec("simulated", url=server.url)
        embedding, llm = make_embedding(spec, "server"), make_llm(chat)
        probe_llm(chat, llm)
        assert probe_embedding(spec, embedding) == 12

        async def ask() -> int:
            await aprobe_llm(chat, llm)
            dim = await aprobe_embedding(spec, embedding)
            await aclose_model(llm)
            await aclose_model(embedding)
            return dim

        assert asyncio.run(ask()) == 12
        assert (server.counts().chat.outcomes["ok"], server.counts().embedding.outcomes["ok"]) == (2, 2)


def test_a_local_model_is_measured_and_its_failure_explained() -> None:
    spec = ModelSpec("local")
    embedding = make_embedding(spec, "batched")
    assert probe_embedding(spec, embedding) == asyncio.run(aprobe_embedding(spec, embedding)) == 256
    close_model(embedding)
    with pytest.raises(ModelError, match=r"^local fails \(the embedding model is closed\)\. Check the model\.$"):
        probe_embedding(spec, embedding)
    assert explain_failure(spec, MemoryError()) == "local fails (MemoryError). Check the model."
