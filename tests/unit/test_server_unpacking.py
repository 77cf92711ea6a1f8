"""The programs of the wheel are unpacked once, whole or not at all."""

import lzma
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loadgen.milvus.server.unpacking import is_complete, provide_programs

PROGRAMS = {"milvus": b"program " * 10_000, "libknowhere.so": b"library"}


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    folder = tmp_path / "packed"
    folder.mkdir()
    for name, content in PROGRAMS.items():
        (folder / f"{name}.lzma").write_bytes(lzma.compress(content))
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_programs_are_unpacked_executable_and_whole(packed: Path, tmp_path: Path) -> None:
    cache = tmp_path / "home" / "cache"
    assert provide_programs(packed, cache, tmp_path / "own") == cache
    assert read(cache) == PROGRAMS
    assert all(os.access(path, os.X_OK) for path in cache.iterdir())
    assert [path.name for path in cache.parent.iterdir()] == ["cache"]
    assert not (tmp_path / "own").exists()


def test_the_second_server_unpacks_nothing(packed: Path, tmp_path: Path) -> None:
    cache = provide_programs(packed, tmp_path / "cache", tmp_path / "own")
    (cache / "milvus").write_bytes(b"mark")
    assert provide_programs(packed, cache, tmp_path / "own") == cache
    assert (cache / "milvus").read_bytes() == b"mark"


def test_a_cache_that_lacks_a_program_is_made_anew(packed: Path, tmp_path: Path) -> None:
    cache = provide_programs(packed, tmp_path / "cache", tmp_path / "own")
    (cache / "milvus").unlink()
    assert not is_complete(cache, packed)
    assert provide_programs(packed, cache, tmp_path / "own") == cache
    assert read(cache) == PROGRAMS


def test_runs_that_unpack_at_once_all_find_the_whole_cache(packed: Path, tmp_path: Path) -> None:
    def provide(_: int) -> dict[str, bytes]:
        return read(provide_programs(packed, tmp_path / "home" / "cache", tmp_path / "own"))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(provide, range(8))) == [PROGRAMS] * 8
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["cache"]


def test_a_home_that_cannot_be_written_leaves_the_servers_own_folder(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    own = tmp_path / "own"
    assert provide_programs(packed, tmp_path / "home" / "cache", own) == own
    assert read(own) == PROGRAMS


def test_what_a_killed_run_left_half_unpacked_is_removed_and_what_another_unpacks_is_not(
    packed: Path, tmp_path: Path
) -> None:
    old, new = (tmp_path / "home" / f".cache-{name}" for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (time.time() - 7_200,) * 2)
    provide_programs(packed, tmp_path / "home" / "cache", tmp_path / "own")
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == [".cache-new", "cache"]
