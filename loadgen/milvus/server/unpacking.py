"""The programs inside the `milvus` wheel: unpacked once per user, not once per server."""

import contextlib
import importlib.util
import lzma
import os
import platform
import shutil
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

SUFFIX = ".lzma"
ABANDONED = 3600.0
"""Seconds after which a half-unpacked folder is considered abandoned."""


def locate_packed() -> Path:
    """The folder in the installed wheel; `milvus` is located, not imported."""
    spec = importlib.util.find_spec("milvus")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'milvus'", name="milvus")
    return Path(spec.submodule_search_locations[0]) / "data" / "bin"


def is_unpacked() -> bool:
    """Whether a start will find the programs in the cache."""
    return is_complete(locate_cache(), locate_packed())


def locate_cache() -> Path:
    """Where the unpacked programs are kept: below XDG_CACHE_HOME or ~/.cache, by version and processor."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    return root / "milvus-loadgen" / f"milvus-{version('milvus')}-{platform.machine()}"


def is_complete(folder: Path, packed: Path) -> bool:
    """Every program that is packed in `packed` is in `folder`."""
    return all((folder / source.name.removesuffix(SUFFIX)).is_file() for source in packed.glob(f"*{SUFFIX}"))


def provide_programs(packed: Path, cache: Path, fallback: Path) -> Path:
    """The folder with the unpacked programs: `cache`, filled if necessary, or `fallback` if that cannot be written."""
    if is_complete(cache, packed):
        return cache
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        _fill(cache, packed)
    except OSError:
        if not is_complete(fallback, packed):
            fallback.mkdir(parents=True, exist_ok=True)
            unpack(packed, fallback)
        return fallback
    return cache


def _fill(cache: Path, packed: Path) -> None:
    """Unpack under a temporary name and rename, so the cache is never incomplete and concurrent calls are safe."""
    for left in cache.parent.glob(f".{cache.name}-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED:
                shutil.rmtree(left)
    fresh = Path(tempfile.mkdtemp(prefix=f".{cache.name}-", dir=cache.parent))
    try:
        unpack(packed, fresh)
        fresh.chmod(0o755)
        if cache.exists() and not is_complete(cache, packed):
            shutil.rmtree(cache, ignore_errors=True)
        try:
            fresh.rename(cache)
        except OSError:  # another run was faster
            if not is_complete(cache, packed):
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def unpack(packed: Path, target: Path) -> None:
    """Write every packed program into `target`, executable."""
    for source in sorted(packed.glob(f"*{SUFFIX}")):
        program = target / source.name.removesuffix(SUFFIX)
        with lzma.open(source) as reader, program.open("wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
        program.chmod(0o755)
