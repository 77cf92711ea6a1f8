"""The guides name what there is."""

import ast
import re
from pathlib import Path

import pytest
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

import loadgen
from loadgen.cli.main import main
from loadgen.cli.serve_llm import list_fields
from loadgen.settings.model import Settings, as_text
from loadgen.settings.reference import SECTIONS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDES = sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "decisions")
COMMANDS = {
    "--aa",
    "--rag",
    "--runs",
    "--tolerance",
    "--changed",
    "--workers",
    "--minutes",
    "--keep",
    "--only",
    "--trace",
    "--format",
    "--heartbeat",
    "--output",
    "--returns",
    "--seconds",
    "--port",
    "--bind",
    "--index-url",
    "--set",
    "--logs",
}
COMMANDS |= {"--check", "--ignore-missing", "--repo", "--bundle", "--certificate-identity", "--certificate-oidc-issuer"}
"""Of the tools that check a release."""
COMMANDS |= {f"--{name}" for name, _, _ in list_fields()}
"""Of `loadgen calibrate`, `report`, `compare`, `prepare`, `wait` and `serve-llm`; one of pip's, and two of Helm's."""
NAMED_MEMBERS = re.compile(r"self\.(?:user\.)?([a-z_]+)(?:\.([a-z_]+))?")
OWN = {"searched"}
"""What the example itself keeps."""


def names(path: Path) -> str:
    return path.name


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def locusts() -> set[str]:
    parser = get_empty_argument_parser()
    setup_parser_arguments(parser)
    return {flag for action in parser._actions for flag in action.option_strings}


def test_the_reference_is_that_of_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--format", "markdown"]) == 0
    assert (DOCS / "reference" / "settings.md").read_text() == capsys.readouterr().out, "run `make docs`"


def test_the_list_of_settings_is_by_section_with_choices_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    lines = capsys.readouterr().out.splitlines()
    flags = [line.split()[0] for line in lines if line.startswith("--")]
    assert flags == [f"--{name.replace('_', '-')}" for name in Settings.model_fields]
    assert [line for line in lines[:-1] if line and line[0] not in "- "] == list(SECTIONS.values())
    place = lines.index("--metric COSINE|IP|L2 [COSINE]")
    assert lines[place + 1] == "    similarity metric"
    assert {"--deadline [30.0 s]", "--fresh", "--top-k [10]", "--host"} <= set(lines)


def test_the_reference_has_a_row_of_four_cells_for_every_setting() -> None:
    rows = re.findall(r"^\| `--([a-z-]+)` \|(.*)\|$", (DOCS / "reference" / "settings.md").read_text(), re.MULTILINE)
    assert [name.replace("-", "_") for name, _ in rows] == list(Settings.model_fields)
    assert {len(re.split(r"(?<!\\)\|", rest)) for _, rest in rows} == {3}
    for name, rest in rows:
        field = Settings.model_fields[name.replace("-", "_")]
        default = "off" if field.annotation is bool else f"`{as_text(field.default)}`" if as_text(field.default) else ""
        first, _, last = (cell.strip() for cell in re.split(r"(?<!\\)\|", rest))
        assert first.startswith(default), name
        assert last.replace("\\|", "|") == field.description
    assert set(SECTIONS) <= set(Settings.model_fields)
    cells = {name: rest.strip() for name, rest in rows}
    assert cells["top-k"] == "`10` | whole number from 1 to 16,384 | neighbours requested by a search"
    assert cells["metric"] == "`COSINE` | `COSINE`, `IP`, `L2` | similarity metric"


@pytest.mark.parametrize("guide", GUIDES, ids=names)
def test_every_flag_in_a_guide_exists(guide: Path) -> None:
    ours = {f"--{name.replace('_', '-')}" for name in Settings.model_fields}
    result = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", guide.read_text()))
    assert result - ours - locusts() - COMMANDS == set()


@pytest.mark.parametrize("guide", [*GUIDES, ROOT / "README.md"], ids=names)
def test_every_file_that_a_page_links_to_exists(guide: Path) -> None:
    linked = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", guide.read_text())
    assert [path for path in linked if not (guide.parent / path).exists()] == []


@pytest.mark.parametrize("guide", [*GUIDES, ROOT / "README.md"], ids=names)
def test_every_command_in_a_page_exists(guide: Path) -> None:
    text = guide.read_text()
    commands = set(re.findall(r"^loadgen ([a-z]+)|`loadgen ([a-z]+)", text, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {one or other for one, other in commands} <= {
        "serve", "settings", "doctor", "init", "run", "path", "report", "compare", "calibrate", "prepare", "wait",
        "follow", "fetch", "beside",
    }  # fmt: skip
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    for name in re.findall(r"locustfiles/(\w+\.py)", text):
        assert (ROOT / "locustfiles" / name).is_file()


def test_the_page_of_the_llm_server_has_its_flags_with_their_defaults_and_their_help() -> None:
    page = (DOCS / "guides" / "llm-server.md").read_text()
    rows = re.findall(r"^\| `--([a-z-]+)` \| (.*?) ?\| (.*) \|$", page, re.MULTILINE)
    assert [(name, default.strip("`"), said) for name, default, said in rows] == list_fields()


def test_every_locustfile_is_described_with_what_its_users_do() -> None:
    page = (DOCS / "guides" / "running.md").read_text()
    described = re.findall(r"^\| `(\w+\.py)` \| \S", page, re.MULTILINE)
    assert sorted(described) == sorted(path.name for path in (ROOT / "locustfiles").glob("*.py"))


def test_the_index_has_every_page() -> None:
    linked = set(re.findall(r"\]\(([a-z/-]+\.md)\)", (DOCS / "README.md").read_text()))
    assert linked == {str(guide.relative_to(DOCS)) for guide in GUIDES} - {"README.md"}
    assert "](docs/README.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("guide", [*GUIDES, ROOT / "README.md"], ids=names)
def test_every_locustfile_in_a_page_is_python_and_uses_what_users_have(guide: Path) -> None:
    for block in blocks(guide, "python"):
        ast.parse(block)
        assert re.search(r"^plug\(events", block, re.MULTILINE), "a locustfile that is whole"
        for name, member in NAMED_MEMBERS.findall(block):
            kinds = (loadgen.AsyncUser, loadgen.SyncUser)
            known = [
                hasattr(kind, name) or name in kind.__annotations__ | {"process_state": 0, "number": 0}
                for kind in kinds
            ]
            assert all(known) or name in OWN | {"client", "interrupt"}, name
            if name == "client":
                assert member in {"search", "insert", "delete", "find", "ask", "retrieve", ""}, member
        defaults = re.findall(r"^plug\(events, (.*)\)", block, re.MULTILINE)
        given = {name for text in defaults for name in re.findall(r"(\w+)=", text)}
        assert given <= set(Settings.model_fields)
