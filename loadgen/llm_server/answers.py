"""The bodies of answers, in OpenAI's form."""

import json
from collections.abc import Sequence
from typing import Any

from loadgen.llm_server.vectors import Vector, encode

WORDS = ("the", "answer", "is", "that", "an", "index", "keeps", "near", "neighbours", "together")
DONE = b"data: [DONE]\n\n"


def word_at(chat: int, place: int) -> str:
    """The text of a token: one word; each but the first begins with a space."""
    word = WORDS[(chat + place) % len(WORDS)]
    return f" {word}" if place else word


def make_usage(prompt: int, completion: int) -> dict[str, int]:
    """Tokens in and out."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def make_chat(head: dict[str, Any], text: str, finish: str, usage: dict[str, int]) -> dict[str, Any]:
    """A whole answer; `head` has id, created and model."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish, "logprobs": None}
    return head | {"object": "chat.completion", "choices": [choice], "usage": usage}


def make_event(head: dict[str, Any], delta: dict[str, str], finish: str | None = None) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return pack_event(head | {"object": "chat.completion.chunk", "choices": [choice]})


def make_usage_event(head: dict[str, Any], usage: dict[str, int]) -> bytes:
    """The event before the last, where the client asks for it."""
    return pack_event(head | {"object": "chat.completion.chunk", "choices": [], "usage": usage})


def pack_event(content: dict[str, Any]) -> bytes:
    """A server-sent event."""
    return b"data: " + json.dumps(content, separators=(",", ":")).encode() + b"\n\n"


def make_embeddings(model: str, vectors: Sequence[Vector], tokens: int, *, as_base64: bool) -> dict[str, Any]:
    """Vectors, in the order of their texts."""
    values = [encode(vector) if as_base64 else vector.tolist() for vector in vectors]
    data = [{"object": "embedding", "index": place, "embedding": value} for place, value in enumerate(values)]
    return {
        "object": "list",
        "model": model,
        "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
