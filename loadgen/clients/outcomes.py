"""Maps foreign exceptions to our outcomes, once, at the boundary."""

import asyncio
import re
from collections.abc import Mapping
from json import JSONDecodeError

import grpc
from pymilvus.exceptions import DataNotMatchException, MilvusException, ParamError

from loadgen.measure.sample import Outcome
from loadgen.text.masking import mask_secrets
from loadgen.text.plain_text import one_line

BY_STATUS = {
    grpc.StatusCode.DEADLINE_EXCEEDED: Outcome.TIMEOUT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Outcome.THROTTLED,
    grpc.StatusCode.UNAVAILABLE: Outcome.UNAVAILABLE,
    grpc.StatusCode.UNAUTHENTICATED: Outcome.REJECTED,
    grpc.StatusCode.PERMISSION_DENIED: Outcome.REJECTED,
    grpc.StatusCode.INVALID_ARGUMENT: Outcome.REJECTED,
    grpc.StatusCode.ALREADY_EXISTS: Outcome.REJECTED,
    grpc.StatusCode.NOT_FOUND: Outcome.REJECTED,
    grpc.StatusCode.UNIMPLEMENTED: Outcome.REJECTED,
}
MILVUS_CODES: Mapping[int, tuple[Outcome, str]] = {
    2: (Outcome.UNAVAILABLE, "service unavailable; pymilvus uses it for a refused connection as well"),
    3: (Outcome.THROTTLED, "memory limit exceeded"),
    4: (Outcome.THROTTLED, "too many requests"),
    7: (Outcome.THROTTLED, "disk limit exceeded"),
    8: (Outcome.THROTTLED, "rate limit"),
    9: (Outcome.THROTTLED, "quota exceeded"),
    10: (Outcome.REJECTED, "not implemented"),
    100: (Outcome.REJECTED, "no such collection"),
    101: (Outcome.UNAVAILABLE, "collection not loaded"),
    103: (Outcome.UNAVAILABLE, "collection not fully loaded"),
    1100: (Outcome.REJECTED, "invalid parameter"),
    1400: (Outcome.REJECTED, "not authenticated"),
    1401: (Outcome.REJECTED, "not permitted"),
}
"""Error codes of Milvus 2.3 and later (`pkg/util/merr` in its sources), and their meanings."""
BY_TYPE: tuple[tuple[type[BaseException], Outcome], ...] = (
    (ParamError, Outcome.REJECTED),
    (DataNotMatchException, Outcome.REJECTED),
    (TimeoutError, Outcome.TIMEOUT),
    (asyncio.CancelledError, Outcome.FAILED),
    (ConnectionError, Outcome.UNAVAILABLE),
    (JSONDecodeError, Outcome.FAILED),  # what the server answers is no JSON
    (ValueError, Outcome.REJECTED),
    (TypeError, Outcome.REJECTED),
    (NotImplementedError, Outcome.REJECTED),
)
OF_HTTP: Mapping[str, Outcome] = {
    "APITimeoutError": Outcome.TIMEOUT,
    "TimeoutException": Outcome.TIMEOUT,
    "ConnectError": Outcome.UNAVAILABLE,
    "APIResponseValidationError": Outcome.FAILED,
}
"""Exceptions of the clients of model servers, openai's and httpx's, which are optional, by the names of their types."""
_CUT = ("RemoteProtocolError", "ReadError", "IncompleteRead")
"""The server has closed a connection in the middle of its answer."""
TOO_MANY_REQUESTS, SERVER_ERRORS = 429, 500
OVERSIZED = re.compile(r"message (after decompression )?larger than max|results exceed the (limit size|maxOutputSize)")
"""The errors of gRPC (its C core and Go) and of a Milvus query node for a message beyond a limit.

The status is that of rate limiting, but a retry hits the same limit: the request is invalid.
"""
LONGEST_TEXT = 160


def outcome_of(error: BaseException) -> Outcome:
    """The outcome of an exception of pymilvus, grpc, LlamaIndex, a client of a model server or Python."""
    code = getattr(error, "code", None)
    code = code() if callable(code) else code
    if OVERSIZED.search(_words(error)):
        return Outcome.REJECTED
    if isinstance(code, grpc.StatusCode):
        return BY_STATUS.get(code, Outcome.FAILED)
    if (reported := _find_http_outcome(error)) is not None:
        return reported
    for kind, outcome in BY_TYPE:
        if isinstance(error, kind):
            return outcome
    if isinstance(error, MilvusException):
        return MILVUS_CODES.get(int(code) if isinstance(code, int) else -1, (Outcome.FAILED, ""))[0]
    return Outcome.FAILED


def is_cut(error: BaseException) -> bool:
    """Whether a model server has closed the connection in the middle of its answer."""
    return any(name in _CUT for one in (error, error.__cause__) for name in _names(one))


def _find_http_outcome(error: BaseException) -> Outcome | None:
    """The outcome of a status of HTTP, or of a connection to a model server; None for other exceptions."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        if status == TOO_MANY_REQUESTS:
            return Outcome.THROTTLED
        return Outcome.UNAVAILABLE if status >= SERVER_ERRORS else Outcome.REJECTED
    known = (OF_HTTP[name] for one in (error, error.__cause__) for name in _names(one) if name in OF_HTTP)
    return next(known, None)


def _names(error: BaseException | None) -> list[str]:
    """The names of the types of an exception of openai or httpx; of another one none."""
    kinds = type(error).__mro__ if error is not None else ()
    return [kind.__name__ for kind in kinds if kind.__module__.partition(".")[0] in ("openai", "httpx", "httpcore")]


def describe(error: BaseException) -> str:
    """One short line about an exception, safe to display.

    Long numbers, which differ each time, are masked; except the sizes of a message beyond a limit.
    """
    words = mask_secrets(_words(error))  # first: a number may be a part of a key, and a line or a limit may cut one
    text = re.sub(r"^\[\w+\] Retry (run out of|timeout:)[^,]*, (message=)?", "", words).split("\n", 1)[0]
    if not OVERSIZED.search(text):
        text = mask_numbers(text)
    return one_line(text, LONGEST_TEXT)


def mask_numbers(text: str) -> str:
    """The text with `*` for each number of six digits and more, so that texts of one kind are equal."""
    return re.sub(r"\b(0x[0-9a-f]+|[0-9a-f]{12,}|\d{6,})\b", "*", text)


def _words(error: BaseException) -> str:
    """The full text of an exception."""
    details = getattr(error, "details", None)
    return str(details() if callable(details) else getattr(error, "message", "") or error) or type(error).__name__
