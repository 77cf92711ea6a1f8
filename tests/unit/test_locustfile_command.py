"""`loadgen run` and `loadgen path`: locustfiles by name."""

import os
import sys
from pathlib import Path

import pytest

from loadgen.cli.locustfiles import find_locustfiles
from loadgen.cli.main import main

FOLDER = Path(__file__).parents[2] / "locustfiles"


class BecameError(Exception):
    """What the process would have become."""


@pytest.fixture
def exec_(monkeypatch: pytest.MonkeyPatch) -> None:
    def become(_program: str, arguments: list[str]) -> None:
        raise BecameError(*arguments)

    monkeypatch.setattr(os, "execv", become)


def test_all_locustfiles_are_found_by_their_names() -> None:
    assert dict(find_locustfiles()) == {path.stem: path for path in FOLDER.glob("*.py")}
    assert list(find_locustfiles()) == sorted(find_locustfiles())


@pytest.mark.parametrize("rest", [[], ["--help"], ["-t", "10s", "--headless", "-u", "2"], ["--host=http://x", "User"]])
@pytest.mark.usefixtures("exec_")
def test_a_run_becomes_locust_with_that_file_and_all_that_follows(rest: list[str]) -> None:
    with pytest.raises(BecameError) as became:
        main(["run", "search", *rest])
    assert became.value.args == (sys.executable, "-m", "locust", "-f", str(FOLDER / "search.py"), *rest)


@pytest.mark.parametrize("name", ["rag_query", "rag-query"])
def test_a_path_is_printed_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["path", name]) == 0
    assert capsys.readouterr() == (f"{FOLDER / 'rag_query.py'}\n", "")


@pytest.mark.parametrize("command", ["run", "path"])
@pytest.mark.parametrize(("flags", "code"), [([], 2), (["--help"], 0), (["-h"], 0)])
def test_without_a_name_all_are_listed_with_what_they_do(
    command: str, flags: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *flags]) == code
    out = capsys.readouterr().out
    listed = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert listed == sorted(path.stem for path in FOLDER.glob("*.py"))
    assert "  search      Searches, blocking and asyncio, side by side" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "serch"], "loadgen run: there is no locustfile 'serch': did you mean search?\n"),
        (["path", "quux"], "loadgen path: there is no locustfile 'quux': give one of burst, drill, freshness"),
        (["run", "--headless"], "loadgen run: there is no locustfile '--headless': give one of"),
        (["path", "search", "mixed"], "loadgen path: unrecognized arguments: mixed\n"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_ones(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(words)


def test_a_file_of_ones_own_is_for_locust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "mine.py"]) == 2
    assert capsys.readouterr().err.endswith("; a file of your own: locust -f mine.py\n")
