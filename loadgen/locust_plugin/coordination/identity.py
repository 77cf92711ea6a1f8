"""The identity that a process reports to its master: version, locustfiles, and which process forked it."""

import hashlib
import secrets
from collections.abc import Iterable
from pathlib import Path

from loadgen import __version__
from loadgen.control.messages import Hello

KEY = secrets.token_hex(8)
"""Shared by this process and its forks: Locust's --processes forks after the locustfile is imported."""
forked_by_master = False
"""True in a worker forked by --processes, which shares its master's key."""


def introduce(locustfiles: Iterable[str], *, is_worker: bool) -> Hello:
    """The greeting of this process; `locustfiles` are the paths that Locust has loaded."""
    return Hello(__version__, fingerprint(locustfiles), KEY if forked_by_master or not is_worker else "")


def fingerprint(locustfiles: Iterable[str]) -> str:
    """Hash of their contents, regardless of path: a worker may have fetched them."""
    texts = []
    for name in locustfiles:
        path = Path(name)
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        texts += [file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()]
    return hashlib.sha256("\0".join(sorted(texts)).encode()).hexdigest()[:16]
