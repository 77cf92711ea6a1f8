"""Clients of servers with OpenAI's API. A process and mode has one of each; threads and coroutines share it."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import openai
from llama_index.core.llms import ChatMessage, ChatResponse, ChatResponseAsyncGen, ChatResponseGen
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

from loadgen.clients.rag.tokens import note_usage
from loadgen.clients.rag.whole_answers import aread_parts, read_parts, reading_answer
from loadgen.clients.tracing import aadd_header, add_header
from loadgen.milvus.proxies import is_at_loopback

if TYPE_CHECKING:
    from loadgen.clients.rag.models import ModelSpec

UNLIMITED = httpx.Limits(max_connections=None, max_keepalive_connections=None)
"""The client would let operations beyond its thousand connections wait unseen, as if the server were slow."""
SECRET = frozenset(("api_key", "default_headers"))


class _Clients(Protocol):
    """What LlamaIndex's models at OpenAI's API have: their two clients, made at the first call."""

    def _get_client(self) -> openai.OpenAI: ...

    def _get_aclient(self) -> openai.AsyncOpenAI: ...


class RemoteModel(BaseModel):
    """A model behind HTTP, which keeps its connections and does not show its key. A mix-in of LlamaIndex's models."""

    def __repr_args__(self) -> Any:
        return [(name, value) for name, value in super().__repr_args__() if name not in SECRET]

    def connect(self: _Clients) -> None:
        """Make both clients, so that concurrent first calls do not make several."""
        self._get_client()
        self._get_aclient()

    def close(self: _Clients) -> None:
        """Close the blocking connections; idempotent."""
        self._get_client().close()

    async def aclose(self: _Clients) -> None:
        """Close all connections, on the loop that opened the async ones."""
        await self._get_aclient().close()
        self._get_client().close()


class RemoteEmbedding(RemoteModel, OpenAILikeEmbedding):
    """An embedding model behind HTTP."""

    def _get_query_embedding(self, query: str) -> list[float]:
        with reading_answer():
            return super()._get_query_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        with reading_answer():
            return await super()._aget_query_embedding(query)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        with reading_answer():
            return super()._get_text_embeddings(texts)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        with reading_answer():
            return await super()._aget_text_embeddings(texts)

    def __str__(self) -> str:
        """Its name."""
        return self.model_name


class RemoteLLM(RemoteModel, OpenAILike):
    """An LLM behind HTTP, which notes the usage that it reports."""

    def chat(self, messages: Sequence[ChatMessage], **given: Any) -> ChatResponse:
        """Ask, and wait for the whole answer."""
        with reading_answer():
            answer = super().chat(messages, **given)
        note_usage(answer.raw)
        return answer

    async def achat(self, messages: Sequence[ChatMessage], **given: Any) -> ChatResponse:
        """The same as a coroutine."""
        with reading_answer():
            answer = await super().achat(messages, **given)
        note_usage(answer.raw)
        return answer

    def stream_chat(self, messages: Sequence[ChatMessage], **given: Any) -> ChatResponseGen:
        """Ask, and return the parts of the answer as they arrive; usage is in the last one."""
        return read_parts(super().stream_chat(messages, **given))

    async def astream_chat(self, messages: Sequence[ChatMessage], **given: Any) -> ChatResponseAsyncGen:
        """The same as a coroutine."""
        return aread_parts(await super().astream_chat(messages, **given))

    def __str__(self) -> str:
        """Its name."""
        return self.model


def make_remote_embedding(model: str, spec: "ModelSpec") -> RemoteEmbedding:
    """An embedding model at the URL of the spec."""
    made = RemoteEmbedding(model_name=model, embed_batch_size=spec.batch_size, **_connection(spec))
    made.connect()
    return made


def make_remote_llm(model: str, spec: "ModelSpec") -> RemoteLLM:
    """A chat model at the URL of the spec."""
    limits = {"context_window": spec.context_window, "max_tokens": spec.max_tokens}
    made = RemoteLLM(
        model=model,
        is_chat_model=True,
        additional_kwargs={"stream_options": {"include_usage": True}},  # sent with streams only
        **limits,
        **_connection(spec),
    )
    made.connect()
    return made


def _connection(spec: "ModelSpec") -> dict[str, Any]:
    """Arguments that both clients take. No retries: each would hide a failure in a long answer."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request at INFO
    environment = not is_at_loopback(spec.url)  # no proxy of the environment can reach this machine's own ports
    hooks, async_hooks = ({"request": [one]} if spec.is_traced else None for one in (add_header, aadd_header))
    return {
        "api_base": spec.url,
        "api_key": spec.key,
        "timeout": spec.timeout,
        "max_retries": 0,
        "reuse_client": True,
        "http_client": openai.DefaultHttpxClient(trust_env=environment, limits=UNLIMITED, event_hooks=hooks),
        "async_http_client": openai.DefaultAsyncHttpxClient(
            trust_env=environment, limits=UNLIMITED, event_hooks=async_hooks
        ),
    }
