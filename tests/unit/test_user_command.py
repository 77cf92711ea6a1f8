"""A command of the user's: its exit code, its last lines, and its end."""

import os

from loadgen.runtime.user_command import LINES, run_command


def test_the_exit_code_and_the_last_lines_are_the_commands_also_with_many_open_files() -> None:
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    try:
        done = run_command("for n in $(seq 30); do echo line $n; done; echo said >&2; cat; exit 3", 10)
    finally:
        for file in files:
            os.close(file)
    assert done.exit_code == 3
    assert done.lines == (*(f"line {number}" for number in range(32 - LINES, 31)), "said")
    assert run_command("exit 0", 10).exit_code == 0
    assert run_command("no-such-command-4711", 10).exit_code == 127


def test_a_command_that_takes_too_long_is_killed_with_its_children() -> None:
    done = run_command("echo begun; sleep 600 & sleep 600", 0.3)
    assert (done.exit_code, done.lines) == (None, ("begun",))
    ended = run_command("sleep 600", 600, is_over=lambda: True)
    assert ended.exit_code is None
