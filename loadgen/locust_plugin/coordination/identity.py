"""What a process says of itself when it joins a master: its version, its locustfiles, and who forked it."""

import hashlib
import secrets
from collections.abc import Iterable
from pathlib import Path

from loadgen import __version__
from loadgen.control.messages import Hello

KEY = secrets.token_hex(8)
"""Of this process and of all that it forks: Locust's --processes forks after the locustfile is imported."""
forked_by_master = False
"""True in a worker that --processes forked from its master, which has the same key."""


def introduce(locustfiles: Iterable[str], *, is_worker: bool) -> Hello:
    """The greeting of this process; `locustfiles` are the paths that Locust has loaded."""
    return Hello(__version__, fingerprint(locustfiles), KEY if forked_by_master or not is_worker else "")


def fingerprint(locustfiles: Iterable[str]) -> str:
    """Of their texts, whatever the files are called and where they are: a worker may have fetched them."""
    texts = []
    for name in locustfiles:
        path = Path(name)
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        texts += [file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()]
    return hashlib.sha256("\0".join(sorted(texts)).encode()).hexdigest()[:16]
