"""Every input of the tables in `tests/corpus` is refused: one message, exit code 2, no load, nothing written."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpus.commands import WAYS, find_commands
from tests.corpus.running import Done, ForkServer, Listener, listener, run
from tests.corpus.tables import Case, read_table

CASES = {way: read_table(way) for way in WAYS}
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
LOG_LINE = re.compile(r"^\[[^\]]+\] [^/]+/(INFO|ERROR)/[\w.]+: ")
HEAD = re.compile(r"(\d+) settings? (?:is|are) wrong; nothing was sent:$")
FAULT = re.compile(r"  --[^ :]")
SAMPLE = (
    ("variables", "LOADGEN_FRESH"),
    ("config_files", "tool = 3"),
    ("locustfiles", "syntax.py"),
    ("locustfiles", "nul.py"),
    ("locustfiles", "plugval.py"),
    ("locustfiles", "missing.py"),
    ("commands", "--tolerance"),
    ("commands", "99999"),
    ("records", "run_id"),
)
"""Cases that are given to true processes as well, by their table and a word in them."""


@pytest.fixture(scope="module")
def unpatched() -> Iterator[ForkServer]:
    with ForkServer() as server:
        yield server


@pytest.fixture(scope="module")
def patched() -> Iterator[ForkServer]:
    with ForkServer(patched=True) as server:
        yield server


@pytest.fixture(scope="module")
def nobody() -> Iterator[Listener]:
    """A server that is not to be asked."""
    with listener() as listening:
        yield listening


def find_lines(reported: str) -> list[str]:
    """The message: without the log's progress lines, and without times."""
    shown = [(LOG_LINE.match(line), line) for line in reported.splitlines() if line.strip()]
    return [line[result.end() :] if result else line for result, line in shown if not (result and result[1] == "INFO")]


def assert_refused(done: Done, reported: tuple[str, ...]) -> None:
    assert done.code == 2, done
    assert "Traceback" not in done.reported, done.reported
    assert CONTROLS.findall(done.reported) == []
    lines = find_lines(done.reported)
    if head := HEAD.search(lines[0]):
        faults = lines[1:]
        assert [line for line in faults if not FAULT.match(line)] == []
        assert len(set(faults)) == len(faults) == int(head[1]), "each fault once"
    else:
        assert len(lines) == 1, done.reported
    position = 0
    text = "\n".join(lines)
    for piece in reported:
        position = text.find(piece, position)
        assert position >= 0, f"{piece!r} is missing: {text}"
    assert done.written == ()


@pytest.mark.parametrize("case", [case for way in WAYS for case in CASES[way]], ids=str)
def test_a_bad_input_is_told_in_one_message_and_nothing_else_happens(
    case: Case, unpatched: ForkServer, patched: ForkServer, nobody: Listener, tmp_path: Path
) -> None:
    server = patched if case.given.get("read") == "early" else unpatched
    before = nobody.accepted
    for command in find_commands(case, tmp_path / "given", nobody.uri):
        assert_refused(server.run(command, tmp_path), case.message)
    assert nobody.accepted == before


def sample() -> list[Case]:
    return [next(case for case in CASES[way] if word in json.dumps(dict(case.given))) for way, word in SAMPLE]


@pytest.mark.parametrize("case", sample(), ids=str)
def test_a_true_process_says_the_same(
    case: Case, unpatched: ForkServer, patched: ForkServer, nobody: Listener, tmp_path: Path
) -> None:
    command = find_commands(case, tmp_path / "given", nobody.uri)[0]
    server = patched if case.given.get("read") == "early" else unpatched
    forked, true = server.run(command, tmp_path), run(command, tmp_path)
    assert (true.code, find_lines(true.reported)) == (forked.code, find_lines(forked.reported))
    assert_refused(true, case.message)


def test_the_process_that_forks_has_no_thread_that_its_children_would_lack(
    unpatched: ForkServer, patched: ForkServer
) -> None:
    assert (unpatched.threads, patched.threads) == (1, 1)
