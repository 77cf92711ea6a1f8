"""What goes wrong with a collection though the settings are right."""

import grpc


class StoreError(RuntimeError):
    """The collection could not be prepared or opened; the text says what and why."""


def server_words(error: BaseException) -> str:
    """What the server said, without the client's wrapping."""
    if isinstance(error, grpc.RpcError) and hasattr(error, "details"):
        return str(error.details()).strip()
    text = str(getattr(error, "message", "") or error)
    return text.rpartition("retry times, message=")[2].strip().rstrip(".") or type(error).__name__
