"""Drill: the disk of the run record is full. What was kept stays whole, the tables come, and the run is no success."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import read_record
from tests.integration.drill_support import SHORT, drill
from tests.integration.server_support import wait_until

PLAN = ("--concurrency", "2", "--phase-seconds", "1.2", *SHORT)
NO_SPACE = "No space left on device"
LIKE_FULL = """
import errno

sync = os.fsync


def fsync(number):
    if Path("full").exists():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    sync(number)


os.fsync = fsync
"""
"""Where no file system may be mounted: from some moment on nothing gets onto the disk."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=False, capture_output=True
        )
    except OSError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> None:
    """Write until nothing fits any more."""
    with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(b"x" * 4096):
            pass
    assert shutil.disk_usage(disk).free == 0


def assert_kept(uri: str, folder: Path, record: Path, text: str, fill_up: Callable[[], object]) -> None:
    """A run whose disk is filled after its first phase."""
    flags = ("--host", uri, "--record", str(record), "--report", "markdown", *PLAN)
    with drill(folder, *flags, text=text) as run:
        run.wait_for("Phase 2 of 4")
        assert wait_until(lambda: len(list(record.glob("*.json"))) == 1, 60)
        fill_up()
        code = run.finish()
    assert code == 1, run.run.err
    assert run.last_line == f"Exit code 1: the run record cannot be written to {record}: {NO_SPACE}."
    assert "Traceback" not in run.run.out + run.run.err
    assert "Variants, level by level" in run.run.out, "what was measured is printed all the same"
    assert run.run.out.count("│ search") == 2, run.run.out
    [kept] = record.glob("*.json")
    assert len(read_record(kept).phases) == 1, "as it was before the disk was full"
    assert list(record.glob(".*")) == [], "no half of a file is left"
    assert len(run.run.reported["windows"]) == 4


def test_a_disk_that_fills_up_leaves_the_record_of_before(
    lite: EmbeddedServer, tmp_path: Path, small_disk: Path
) -> None:
    assert_kept(lite.uri, tmp_path, small_disk / "runs", "", lambda: fill(small_disk))


def test_a_record_that_cannot_be_synced_leaves_the_one_of_before(lite: EmbeddedServer, tmp_path: Path) -> None:
    assert_kept(lite.uri, tmp_path, tmp_path / "runs", LIKE_FULL, (tmp_path / "full").touch)


def test_a_disk_that_is_full_beforehand_is_reported_before_any_load(tmp_path: Path, small_disk: Path) -> None:
    folder = small_disk / "runs"
    folder.mkdir()
    fill(small_disk)
    with drill(tmp_path, "--host", "http://127.0.0.1:1", "--record", str(folder)) as run:
        code = run.finish()
    assert code == 2, run.run.err
    assert f"--record {folder}: cannot be written to ({NO_SPACE})" in run.run.err
    assert "Traceback" not in run.run.out + run.run.err
