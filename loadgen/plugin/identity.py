"""What a process says of itself when it joins a master: its version, its locustfiles, and who forked it."""

import hashlib
import os
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

from loadgen import __version__
from loadgen.control.messages import Hello

KEY = secrets.token_hex(8)
"""Of this process and of all that it forks: Locust's --processes forks after the locustfile is imported."""
FORKED_FROM = os.getpid()
"""The process that made the key: another one has been forked from it."""


def introduce(locustfiles: Iterable[str], *, is_worker: bool) -> Hello:
    """The greeting of this process; `locustfiles` are the paths that Locust has loaded."""
    forked = os.getpid() != FORKED_FROM
    by_master = forked and not _asked_for_worker()
    return Hello(__version__, fingerprint(locustfiles), KEY if by_master or not is_worker else "")


def _asked_for_worker() -> bool:
    """True where the command was one of a worker: what it forks belongs to a master elsewhere."""
    return "--worker" in sys.argv or os.environ.get("LOCUST_MODE_WORKER", "").lower() in ("1", "true", "yes")


def fingerprint(locustfiles: Iterable[str]) -> str:
    """Of their texts, whatever the files are called and where they are: a worker may have fetched them."""
    texts = []
    for name in locustfiles:
        path = Path(name)
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        texts += [file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()]
    return hashlib.sha256("\0".join(sorted(texts)).encode()).hexdigest()[:16]
