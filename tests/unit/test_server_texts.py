"""What a person reads when a server fails, and which sessions in its data are those of an earlier one."""

from pathlib import Path

import pytest

from loadgen.milvus.server.errors import describe_failure, pick_lines
from loadgen.milvus.server.sessions import is_stale


def test_the_last_lines_of_the_log_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("".join(f"line {number}\n\n" for number in range(9)))
    assert pick_lines(log) == [f"line {number}" for number in range(4, 9)]


def test_a_panic_is_shown_and_not_the_goroutines_below_it(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("start\npanic: no disk\n\ngoroutine 1 [running]:\n" + "deep\n" * 900)
    assert pick_lines(log)[:2] == ["panic: no disk", "goroutine 1 [running]:"]
    assert len(pick_lines(log)) == 5


def test_of_a_python_traceback_the_end_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("Traceback (most recent call last):\n" + "  File\n" * 20 + "OSError: no disk\n")
    assert pick_lines(log)[-1] == "OSError: no disk"


def test_a_long_line_is_cut(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("x" * 5_000)
    assert pick_lines(log) == ["x" * 297 + "..."]


def test_a_failure_names_the_log_even_if_there_is_none(tmp_path: Path) -> None:
    assert describe_failure("it ended", tmp_path / "none") == f"it ended; its log is {tmp_path / 'none'}"
    (tmp_path / "log").write_text("why\n")
    assert describe_failure("it ended", tmp_path / "log").splitlines() == [
        f"it ended; its log is {tmp_path / 'log'}, which ends:",
        "  why",
    ]


@pytest.mark.parametrize(
    ("value", "stale"),
    [
        (b'{"ServerID":1,"ServerName":"rootcoord","Address":"127.0.0.1:41681"}', True),
        (b'{"ServerID":1,"ServerName":"rootcoord","Address":"127.0.0.1:40001"}', False),
        (b'{"ServerName":"rootcoord"}', False),
        (b'{"Address":"nowhere"}', False),
        (b"2", False),
        (b"", False),
    ],
)
def test_a_session_of_another_server_is_stale_and_the_counter_is_none(value: bytes, stale: bool) -> None:
    assert is_stale(value, (40_001, 40_002)) is stale
