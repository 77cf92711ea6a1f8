"""What clients send, checked: what OpenAI's API would refuse is an error here too."""

from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from loadgen.llm_server.behaviour import LARGEST_DIM
from loadgen.llm_server.vectors import count_words

MOST_INPUTS = 2_048
SIMULATED = "simulated:"
Name = Annotated[str, Field(min_length=1, max_length=256)]
Limit = Annotated[int, Field(ge=1)]


class ApiError(Exception):
    """An answer that is an error, with OpenAI's fields; `outcome` is what it is counted as."""

    def __init__(self, status: int, message: str, outcome: str, *, param: str | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.outcome = outcome
        self.headers: dict[str, str] = {}
        kind = "invalid_request_error" if status in range(400, 429) else "rate_limit_error"
        kind = "server_error" if status in range(500, 600) else kind
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code or None}}


class _Request(BaseModel):
    """Fields that are not listed, such as `temperature`, are accepted and change nothing."""

    model_config = ConfigDict(strict=True, frozen=True)

    model: Name


class Message(BaseModel):
    """One message of a chat; of parts, only those of text have tokens."""

    model_config = ConfigDict(strict=True, frozen=True)

    role: Name
    content: str | list[dict[str, Any]] | None = None

    @property
    def texts(self) -> list[str]:
        """Its texts."""
        if isinstance(self.content, str):
            return [self.content]
        return [part["text"] for part in self.content or () if isinstance(part.get("text"), str)]


class StreamOptions(BaseModel):
    """How to stream."""

    model_config = ConfigDict(strict=True, frozen=True)

    include_usage: bool = False


class ChatRequest(_Request):
    """POST /v1/chat/completions."""

    messages: list[Message] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None

    @property
    def most_tokens(self) -> int | None:
        """The limit of the answer's tokens; the newer name wins."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def prompt_tokens(self) -> int:
        """Words of all messages."""
        return sum(count_words(message.texts) for message in self.messages)

    @property
    def wants_usage(self) -> bool:
        """Whether the end of a stream contains the usage."""
        return self.stream_options is not None and self.stream_options.include_usage


class EmbeddingRequest(_Request):
    """POST /v1/embeddings. Token numbers stand for words."""

    input: str | list[str] | list[int] | list[list[int]] = Field(min_length=1)
    dimensions: Annotated[int, Field(ge=1, le=LARGEST_DIM)] | None = None
    encoding_format: str = Field("float", pattern="^(float|base64)$")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.texts) > MOST_INPUTS:
            raise ValueError(f"input has {len(self.texts):,} texts; at most {MOST_INPUTS:,} are allowed")
        if not all(self.texts):
            raise ValueError("input contains an empty text")
        dim = self.model.removeprefix(SIMULATED)
        if dim != self.model and not (dim.isascii() and dim.isdecimal() and 1 <= int(dim[:9]) <= LARGEST_DIM):
            raise ValueError(f"model {self.model!r} has no dimension; write simulated:384")
        return self

    @property
    def texts(self) -> list[str]:
        """The texts to embed."""
        if isinstance(self.input, str):
            return [self.input]
        if isinstance(self.input[0], int):
            return [" ".join(map(str, self.input))]
        return [
            one if isinstance(one, str) else " ".join(map(str, one)) for one in self.input if not isinstance(one, int)
        ]

    def find_dim(self, default: int) -> int:
        """The dimension of the request, else that of the model's name (`simulated:384`), else the default."""
        named = self.model.removeprefix(SIMULATED)
        return self.dimensions or (int(named) if named != self.model else default)


Read = TypeVar("Read", bound=_Request)


def read_request(kind: type[Read], body: bytes) -> Read:
    """The request in a body. Raises ApiError (400)."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        raise ApiError(400, f"{place}: {message}" if place else message, "invalid", param=place or None) from None
