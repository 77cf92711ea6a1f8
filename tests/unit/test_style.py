"""The count of words to avoid finds what docs/style.md lists, wherever it is, and fails above its limit."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.style import __main__ as command
from tests.style.words import INSTEAD, LIMIT, ROOT, find_all, find_words, list_files


@pytest.mark.parametrize("word", INSTEAD)
@pytest.mark.parametrize("text", ["It was {} here.", '"""{}"""', "# {}, then", "<p>{}</p>", "{} = 1"])
def test_each_word_is_counted_in_prose_and_in_names(word: str, text: str) -> None:
    assert [(hit.word, hit.line) for hit in find_words("x.md", "\n" + text.format(word.upper()))] == [(word, 2)]


@pytest.mark.parametrize("text", ["foundation", "is_found", "type: ignore[import-not-found]", "withholds", "found_by"])
def test_other_words_and_names_of_others_are_not_counted(text: str) -> None:
    assert list(find_words("x.py", text)) == []


def test_a_hit_names_its_place_and_what_to_write_instead() -> None:
    [hit] = find_words("docs/page.md", "fine\nit is told now")
    assert str(hit) == "docs/page.md:2: 'told' (reported): it is told now"


def test_code_documents_charts_and_templates_are_read() -> None:
    names = list_files()
    wanted = {"README.md", "Makefile", "loadgen/cli/main.py", "loadgen/reports/page.html.j2", "tests/conftest.py"}
    wanted |= {"loadgen/locust_plugin/web/static/tab.js", "charts/milvus-loadgen/values.yaml", "CHANGELOG.md"}
    assert wanted <= set(names)
    assert len(names) > 800
    assert [name for name in names if name.endswith("style.md") or "test_style" in name] == []


def test_no_more_are_left_than_the_limit() -> None:
    assert LIMIT <= 60
    hits = find_all(ROOT, list_files())
    assert len(hits) <= LIMIT, "\n".join(map(str, hits))


@pytest.mark.parametrize(("number", "code"), [(LIMIT, 0), (LIMIT + 1, 1)])
def test_the_command_fails_above_the_limit(
    number: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "page.md").write_text("told\n" * number)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "list_files", lambda: list_files(tmp_path))
    assert command.main() == code
    out = capsys.readouterr().out
    assert f"{number} words to avoid in 1 files, {LIMIT} allowed (told {number})." in out
    assert out.count("page.md:") == (number if code else 0)


def test_make_check_runs_it_and_the_guide_lists_the_words() -> None:
    assert re.search(
        r"^check:.*\n(?:\t.*\n)*\t\$\(BIN\)/python -m tests\.style$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    (guide,) = (ROOT / "docs").rglob("style.md")
    rows = re.findall(r"^\| ([a-z' ]+) \| [^|]+ \|$", guide.read_text(), re.MULTILINE)
    assert set(INSTEAD) - {"that there are"} <= set(rows)
