"""What the program says helps someone who installed the wheel: no file of the project's clone is named."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import loadgen
from loadgen.calibrate.showing import NOTES
from loadgen.cli.init import texts
from loadgen.cli.main import main
from loadgen.milvus.store.reaching import GRANT
from loadgen.settings.model import Settings

ROOT = Path(__file__).parents[2]
PACKAGE = Path(loadgen.__file__).parent
DOCS = sorted((ROOT / "docs").rglob("*.md"))
TITLES = {path.read_text().partition("\n")[0].removeprefix("# ") for path in DOCS}
TARGETS = "|".join(sorted(set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))))
PAGES = "|".join(sorted({re.escape(path.name) for path in DOCS} | {"CONTRIBUTING.md", "CHANGELOG.md"}))
OF_A_CLONE = re.compile(
    rf"(?<![/\w-])(?:docs|charts|k8s|locustfiles|examples|dashboards|tests)/\w|\bmake (?:{TARGETS})\b"
    rf"|(?<![\w./])(?:{PAGES})\b|\bDockerfile\b|pip install '?\."
)
LINK = re.compile(r"\]\([^)]*\)")
"""Of the generated page: the site has what it links to."""


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module that are no docstrings, with their lines."""
    tree = ast.parse(path.read_text())
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.lineno, node.value


def test_no_text_of_the_package_names_a_file_of_the_clone() -> None:
    each = [
        (f"{path.relative_to(PACKAGE)}:{line}", text)
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in strings(path)
    ]
    each += [
        (str(path.relative_to(PACKAGE)), path.read_text())
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in (".j2", ".js", ".html", ".css")
    ]
    assert len(each) > 5_000
    assert {place: match[0] for place, text in each if (match := OF_A_CLONE.search(LINK.sub("", text)))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "see docs/guides/page.md",
        "by the chart charts/milvus-loadgen",
        "locust -f locustfiles/search.py",
        "run `make image`",
        "(fault-drills.md)",
        "pip install '.[rag]'",
    ],
)
def test_such_a_name_is_recognised(text: str) -> None:
    assert OF_A_CLONE.search(text)


@pytest.mark.parametrize("text", ["my-docs/guide.md", "to make images", "in docs", "pip install 'milvus-loadgen[rag]'"])
def test_other_texts_are_not(text: str) -> None:
    assert OF_A_CLONE.search(text) is None


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        (GRANT, ["Connecting to Milvus"]),
        (NOTES, ["Can the figures be trusted?"]),
        (Settings.model_fields["fault"].description, ["Fault drills"]),
        (texts.OWN_CALLS, ["Your own locustfile"]),
        (texts.OWN_DATA, ["Your own data"]),
        (texts.MODELS, ["The whole RAG path"]),
        (texts.CHART, ["Releases"]),
    ],
)
def test_a_page_is_named_by_its_title(text: str, titles: list[str]) -> None:
    for title in titles:
        assert title in text
        assert title in TITLES


COMMANDS = (
    "init", "run", "path", "doctor", "serve", "serve-llm", "settings", "report", "compare", "calibrate", "prepare",
    "wait", "beside", "follow", "fetch",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_says_what_it_is_for_and_what_each_flag_is(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:  # two of them return their code
        sys.exit(main([command, "--help"]))
    assert ended.value.code == 0
    usage, _, rest = capsys.readouterr().out.partition("\n\n")
    assert usage.startswith(f"usage: loadgen {command}")
    assert OF_A_CLONE.search(rest) is None
    assert len(rest.partition("\n\n")[0]) > 40
    flags = re.split(r"^  (?=-)", rest.partition("options:\n")[2].partition("\n\n")[0], flags=re.MULTILINE)[1:]
    for flag in flags:
        words = re.split(r"\s{2,}", flag.strip(), maxsplit=1)
        assert len(words) == 2, f"{flag} has no help"
        assert not words[1].startswith("["), f"{flag} has a default only"


def test_the_help_lists_all_commands_and_a_first_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert tuple(re.findall(r"^    ([a-z-]+)(?:  |$)", out, re.MULTILINE)) == COMMANDS
    assert "\n  loadgen run search --headless " in out
