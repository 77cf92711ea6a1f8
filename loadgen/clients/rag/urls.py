"""Addresses of model servers."""

from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether only this machine reaches it."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
