"""Exact neighbours kept in files: one for each set of data, queries, metric and top_k."""

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from loadgen.datasets.neighbours import TIE, GroundTruth

FORMAT = 2
"""Increase it with any change to the meaning of a file."""
PATTERN = "neighbours-*.npz"
BYTES_AT_MOST = 64_000_000
"""Total size of all files; the least recently used are deleted first. 1,000 queries with top_k 10 take 160 kB."""


def default_folder() -> Path:
    """The user's cache folder: XDG_CACHE_HOME, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "milvus-loadgen"


def cached_neighbours(folder: Path, made_of: list[object], make: Callable[[], GroundTruth]) -> tuple[GroundTruth, bool]:
    """The ground truth from the cache, or computed now and cached; True if it was cached.

    An unreadable file is recreated, and an unwritable folder caches nothing, both silently.
    """
    reported = json.dumps([FORMAT, TIE, *made_of])
    path = folder / f"neighbours-{hashlib.sha256(reported.encode()).hexdigest()[:16]}.npz"
    result = _read(path)
    if result is not None:
        return result, True
    ground_truth = make()
    with contextlib.suppress(OSError):
        _write(path, ground_truth)
        _limit(folder)
    return ground_truth, False


def _read(path: Path) -> GroundTruth | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            ground_truth = GroundTruth(
                int(kept["top_k"]), kept["owners"].astype(np.int64), kept["rows"].astype(np.int64)
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # marks it as most recently used
    return ground_truth if len(ground_truth.owners) == len(ground_truth.rows) else None


def _write(path: Path, ground_truth: GroundTruth) -> None:
    """Write by rename, so that no other process reads a partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".tmp", delete=False) as file:
        unfinished = Path(file.name)
        try:
            np.savez(
                file,
                top_k=ground_truth.top_k,
                owners=ground_truth.owners.astype("<u4"),
                rows=ground_truth.rows.astype("<u4"),
            )
            file.close()
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def _limit(folder: Path) -> None:
    """Delete the least recently used files until the rest is small enough."""
    files = sorted(folder.glob(PATTERN), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in files:
        total += path.stat().st_size
        if total > BYTES_AT_MOST and path != files[0]:
            path.unlink(missing_ok=True)
