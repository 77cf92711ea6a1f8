"""What happens to the n-th request of a kind, decided by the seed before the server does anything."""

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Literal

from loadgen.llm_server.behaviour import Behaviour
from loadgen.llm_server.error_mix import BROKEN

Kind = Literal["chat", "embedding"]
KINDS: tuple[Kind, ...] = ("chat", "embedding")


@dataclass(frozen=True, slots=True)
class ChatPlan:
    """The course of one chat. `error` is a status, `broken`, or empty."""

    number: int
    error: str
    offsets: tuple[float, ...]
    """When each token is due, in seconds from the start: an absolute schedule, so a late token delays no other."""
    limited: bool
    """The request's limit of tokens cut the answer short."""
    cut_after: int | None
    """Tokens after which the connection is cut."""


@dataclass(frozen=True, slots=True)
class EmbeddingPlan:
    """The course of one embedding request."""

    number: int
    error: str
    delay: float


def plan_chat(behaviour: Behaviour, number: int, most: int | None = None) -> ChatPlan:
    """The plan of chat `number`, counted from 0; `most` is the request's own limit of tokens."""
    random = _random(behaviour, "chat", number)
    error = behaviour.errors.pick(random.random())
    wanted = max(1, round(behaviour.tokens.draw(random)))
    due = behaviour.first_token.draw(random)
    offsets = [due]
    for _ in range(1, min(wanted, most or wanted)):
        due += behaviour.inter_token.draw(random)
        offsets.append(due)
    limited = most is not None and most < wanted
    half = len(offsets) // 2
    after = half if behaviour.broken_after is None else min(behaviour.broken_after, len(offsets) - 1)
    return ChatPlan(number, error, tuple(offsets), limited, after if error == BROKEN else None)


def plan_embedding(behaviour: Behaviour, number: int) -> EmbeddingPlan:
    """The plan of embedding request `number`, counted from 0."""
    random = _random(behaviour, "embedding", number)
    error = behaviour.embedding_errors.pick(random.random())
    return EmbeddingPlan(number, error, behaviour.embedding_delay.draw(random))


def count_errors(behaviour: Behaviour, kind: Kind, requests: int) -> Counter[str]:
    """How many of the first `requests` requests of a kind end in which error; empty: in none."""
    mix = behaviour.errors if kind == "chat" else behaviour.embedding_errors
    return Counter(mix.pick(_random(behaviour, kind, number).random()) for number in range(requests))


def _random(behaviour: Behaviour, kind: Kind, number: int) -> Random:
    return Random(f"{behaviour.seed} {kind} {number}")
