"""Errors of a collection that are not caused by the settings."""

import grpc
from pymilvus.exceptions import MilvusException

DEEPEST = 20
"""Maximum causes to follow: pymilvus raises exceptions from themselves, so the chain may be endless."""
DENIALS = ("permission deny", "permission denied")
"""Messages of several server versions for a missing privilege, in lower case."""


class StoreError(RuntimeError):
    """The collection could not be prepared or opened; the text says what and why."""


class GivenUpError(MilvusException):  # type: ignore[misc]
    """Nothing has succeeded for too long; the text contains the server's last message.

    A MilvusException, because pymilvus wraps anything else raised between its retries.
    """


def server_words(error: BaseException) -> str:
    """The message of the server or gRPC, without the client's wrapping."""
    _, details = status_of(error)
    if details.strip() and not isinstance(error, GivenUpError):
        return details.strip()
    text = str(getattr(error, "message", "") or error)
    return text.rpartition("retry times, message=")[2].strip().rstrip(".") or type(error).__name__


def status_of(error: BaseException) -> tuple[grpc.StatusCode | None, str]:
    """The gRPC status at the bottom of an exception, with its details; None if there is none."""
    cause: BaseException | None = error
    for _ in range(DEEPEST):
        if isinstance(cause, grpc.RpcError) and hasattr(cause, "code"):
            return cause.code(), str(cause.details() or "")
        if cause is not None:  # raised from itself, it has lost its cause and kept its context
            cause = cause.__context__ if cause.__cause__ is cause else cause.__cause__
    return None, ""


def is_denied(error: BaseException) -> bool:
    """Whether the server knows the user but denies the request."""
    reported = server_words(error).lower()
    return status_of(error)[0] is grpc.StatusCode.PERMISSION_DENIED or any(denial in reported for denial in DENIALS)
