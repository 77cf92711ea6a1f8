"""What a simulated server does: its delays, answers, limits and errors, all seeded."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from loadgen.llm_server.distributions import Distribution, parse_delay, parse_tokens
from loadgen.llm_server.error_mix import ErrorMix, parse_errors

LARGEST_DIM = 32_768
MOST_AT_ONCE = 1_000_000


def _text(value: Distribution | ErrorMix) -> str:
    return value.text


def _read_delay(value: object) -> object:
    return parse_delay(value) if isinstance(value, str) else value


def _read_tokens(value: object) -> object:
    return parse_tokens(str(value)) if isinstance(value, str | int) else value


def _read_errors(value: object) -> object:
    return parse_errors(value) if isinstance(value, str) else value


Delay = Annotated[Distribution, BeforeValidator(_read_delay), PlainSerializer(_text)]
Tokens = Annotated[Distribution, BeforeValidator(_read_tokens), PlainSerializer(_text)]
Errors = Annotated[ErrorMix, BeforeValidator(_read_errors), PlainSerializer(_text)]


class BehaviourError(ValueError):
    """Settings of a server that cannot be: one line for each, with name, value and remedy."""


class Behaviour(BaseModel):
    """How a server answers. Distributions and errors are given as text: `Behaviour(first_token="normal:50ms,10ms")`.

    Everything random depends on `seed`, on the kind of request (chat or embedding) and on its number alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_token: Delay = Field(parse_delay("50ms"), description="time to the first token of a chat")
    inter_token: Delay = Field(parse_delay("5ms"), description="time from one token to the next")
    tokens: Tokens = Field(
        parse_tokens("20"), description="tokens of an answer, at least 1, unless the request limits them"
    )
    concurrency: int = Field(0, ge=0, le=MOST_AT_ONCE, description="chats answered concurrently; 0: any number")
    errors: Errors = Field(ErrorMix(), description="shares of the chats that fail, such as '429:0.01; broken:0.01'")
    broken_after: int | None = Field(
        None, ge=0, le=MOST_AT_ONCE, description="tokens before a connection is cut; default: half of the answer"
    )
    embedding_delay: Delay = Field(parse_delay("10ms"), description="time to answer an embedding request")
    embedding_dim: int = Field(
        384, ge=1, le=LARGEST_DIM, description="dimension, unless the request or model names one"
    )
    embedding_concurrency: int = Field(
        0, ge=0, le=MOST_AT_ONCE, description="embedding requests answered concurrently; 0: any number"
    )
    embedding_errors: Errors = Field(ErrorMix(), description="shares of the embedding requests that fail")
    when_full: Literal["queue", "reject"] = Field(
        "queue", description="above a concurrency limit: queue (wait for a slot) or reject (429)"
    )
    retry_after: int = Field(1, ge=0, le=3600, description="seconds in the header Retry-After of a 429")
    seed: int = Field(1, ge=0, lt=2**63, description="seed of delays, token counts and errors")

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """From texts by name, as flags or JSON hold them. Raises BehaviourError with all faults."""
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            raise BehaviourError("\n".join(_describe(fault) for fault in error.errors())) from None


def _describe(fault: Mapping[str, Any]) -> str:
    name = str(fault["loc"][0]).replace("_", "-")
    said = fault.get("ctx", {}).get("error")
    return f"{name} {fault['input']!r} {said}" if said else f"{name} {fault['input']!r}: {fault['msg']}"
