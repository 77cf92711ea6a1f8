"""What goes wrong with a collection though the settings are right."""

import grpc
from pymilvus.exceptions import MilvusException

DEEPEST = 20
"""Causes looked at: pymilvus raises exceptions from themselves, so that the chain may have no end."""
DENIALS = ("permission deny", "permission denied")
"""What servers of several versions say to a user who may not do something, in lower case."""


class StoreError(RuntimeError):
    """The collection could not be prepared or opened; the text says what and why."""


class GivenUpError(MilvusException):  # type: ignore[misc]
    """Nothing has succeeded for too long; the text has the server's last words.

    A MilvusException, as pymilvus wraps whatever else is raised between its retries.
    """


def server_words(error: BaseException) -> str:
    """What the server or gRPC said, without the client's wrapping."""
    _, details = status_of(error)
    if details.strip() and not isinstance(error, GivenUpError):
        return details.strip()
    text = str(getattr(error, "message", "") or error)
    return text.rpartition("retry times, message=")[2].strip().rstrip(".") or type(error).__name__


def status_of(error: BaseException) -> tuple[grpc.StatusCode | None, str]:
    """The gRPC status at the bottom of an exception, with its details; None where there is none."""
    cause: BaseException | None = error
    for _ in range(DEEPEST):
        if isinstance(cause, grpc.RpcError) and hasattr(cause, "code"):
            return cause.code(), str(cause.details() or "")
        if cause is not None:  # raised from itself, it has lost its cause and kept its context
            cause = cause.__context__ if cause.__cause__ is cause else cause.__cause__
    return None, ""


def is_denied(error: BaseException) -> bool:
    """Whether the server knows the user and does not allow what was asked for."""
    told = server_words(error).lower()
    return status_of(error)[0] is grpc.StatusCode.PERMISSION_DENIED or any(denial in told for denial in DENIALS)
