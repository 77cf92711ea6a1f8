"""`loadgen run` and `loadgen path`: locustfiles by name."""

import os
import runpy
import sys
from pathlib import Path

import pytest

from loadgen.cli import locust_process
from loadgen.cli.locustfiles import PROCESS, find_locustfiles
from loadgen.cli.main import main
from loadgen.runtime.patching import is_locust_command
from loadgen.settings.model import Settings

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
    assert became.value.args == (sys.executable, "-m", PROCESS, "search", str(FOLDER / "search.py"), *rest)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What the process of a run changes of itself is as before after the test."""
    for name in ("argv", "exit", "excepthook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setenv("LOCUST_LOCUSTFILE", "another.py")
    return monkeypatch


def test_the_process_is_locust_by_the_name_that_was_typed(process: pytest.MonkeyPatch) -> None:
    assert not is_locust_command()
    reported: list[object] = []

    def run(module: str) -> None:
        reported.extend((module, is_locust_command(), os.environ["LOCUST_LOCUSTFILE"]))

    process.setattr(runpy, "run_module", run)
    process.setattr(sys, "argv", [locust_process.__file__, "rag-query", "/x/rag_query.py", "-t", "10s"])
    locust_process.main()
    assert reported == ["locust", True, "/x/rag_query.py"]
    assert sys.argv == ["loadgen run rag-query", "-t", "10s"]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_its_help_has_the_name_that_was_typed_and_every_flag_of_both(
    flag: str, process: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process.setattr(sys, "argv", [locust_process.__file__, "search", str(FOLDER / "search.py"), flag])
    locust_process.main()
    out = capsys.readouterr().out
    assert out.startswith("Searches, blocking and asyncio, side by side")
    assert "\nUsage: loadgen run search [options] [UserClass ...]\n" in out
    assert "Usage: locust" not in out
    assert "__main__" not in out
    flags = [f"--{name.replace('_', '-')}" for name in Settings.model_fields]
    assert [name for name in (*flags, "--headless", "--processes") if f"  {name}" not in out.replace(",", " ")] == []


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
