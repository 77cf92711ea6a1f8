"""What README and docs show of the output is what this version prints of committed records, or its own words."""

import re
from pathlib import Path

import pytest

from loadgen.results.record import read_record
from tests.benchmarks.examples import (
    BLOCK,
    FIGURES,
    HOUSE,
    MESSAGE,
    PAGES,
    README,
    RECORDS,
    TABLE,
    render,
    show,
    show_verdict,
)
from tests.benchmarks.kept import FOLDER
from tests.benchmarks.messages import MESSAGES

FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(
    r"<!-- (?:(?:output|tables|levels|verdict|findings|setup) of the record [a-z]+|message: [a-z ]+|grammar) -->"
)
GENERATED = re.compile(r"<!-- (?:generated|from the records): .*?<!-- end -->", re.DOTALL)
ROWS = re.compile(r"^(.*)\n((?:\|.*\n)+)", re.MULTILINE)
FIGURE = re.compile(r"[\d.,]+( ?%| [kM]?B| ms| s|-[\d.]+)?(;.*)?")
OTHERS = tuple(
    HOUSE / name
    for name in (
        "k8s/README.md",
        "k8s/operators/README.md",
        "examples/README.md",
        "charts/milvus-loadgen/README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    )
)
"""Pages of the site that are not in docs/."""
PROGRAMS = {
    "locust", "loadgen", "make", "pip", "export", "printf", "docker", "--variants", "#", "sha256sum", "gh", "cosign",
    "helm", "kubectl", "kind", "job=$(kubectl", "for", "until", "done",
}  # fmt: skip
"""What the lines of a block for a shell begin with: commands to type, never output."""
HANDWRITTEN = {"guides/find-rate.md", "versions.md"}
"""Exit codes, and versions, which test_release.py compares; no figures of a run."""


def names(path: Path) -> str:
    return str(path.relative_to(HOUSE))


@pytest.mark.parametrize("path", PAGES, ids=names)
def test_the_examples_of_a_page_are_what_the_records_show(path: Path) -> None:
    page = path.read_text()
    assert render(page) == page, "run `python -m tests.benchmarks.examples`"


def test_every_record_and_every_message_is_shown_on_a_page() -> None:
    text = "\n".join(path.read_text() for path in PAGES)
    shown = {match[3] for match in BLOCK.finditer(text)}
    assert shown | {"one-process", "two-processes"} == {path.stem for path in RECORDS.glob("*.json")}
    assert {match[3] for match in MESSAGE.finditer(text)} == set(MESSAGES)
    assert {match[2] for match in FIGURES.finditer(text)} == {path.stem for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("path", [*PAGES, *OTHERS], ids=names)
def test_no_output_is_written_by_hand(path: Path) -> None:
    page = path.read_text()
    assert re.findall(r"^ *>.*", FENCE.sub("", page), re.MULTILINE) == [], "a quotation would not be rendered"
    for match in FENCE.finditer(page):
        before = page[: match.start()].rstrip("\n").rpartition("\n")[2].strip()
        lines = [line for line in match[3].replace("\\\n", " ").splitlines() if line.strip()]
        if match[2] == "bash":
            assert {line.split()[0] for line in lines} <= PROGRAMS, match[3]
        else:
            assert MARK.fullmatch(before) if match[2] == "text" else match[2], match[0]
    for before, table in ROWS.findall(GENERATED.sub("", page)):
        cells = [cell.strip() for row in table.splitlines()[1:] for cell in row.strip("|").split("|")[1:]]
        if not FIGURES.match(f"{before}\n") and sum(bool(FIGURE.fullmatch(cell)) for cell in cells) > len(cells) / 3:
            assert names(path).removeprefix("docs/") in HANDWRITTEN, table


@pytest.mark.parametrize("path", PAGES, ids=names)
def test_a_sentence_of_the_output_is_quoted_without_its_figures(path: Path) -> None:
    """In running text nothing would render them."""
    quoted = re.findall(r"(?<![*\w])\*(?![*\s])([^*]+)\*(?![*\w])", FENCE.sub("", GENERATED.sub("", path.read_text())))
    assert [text for text in quoted if re.search(r"\d (ms|s|%)|\d/s", text)] == []


def test_a_changed_record_changes_the_page() -> None:
    page = (HOUSE / "docs" / "tutorials" / "first-run.md").read_text()
    swapped = page.replace("output of the record demo", "output of the record equal")
    assert render(swapped) != swapped


def test_an_example_ends_with_verdict_and_files_and_has_every_table() -> None:
    run = read_record(RECORDS / "demo.json")
    lines = show(run)
    verdict = show_verdict(run)
    assert lines[-2:] == [f"Run record: runs/{run.run_id}.json", f"Report: runs/{run.run_id}.html"]
    assert lines[-2 - len(verdict) : -2] == verdict
    assert sum(line.startswith("┏") for line in lines) == 2
    assert len([line for line in lines if line.startswith("│")]) == 2 * 6
    assert any(line.startswith("search: ") for line in verdict)
    assert max(len(line) for line in lines if not line.startswith(TABLE)) <= 128


def test_the_records_of_the_examples_are_those_of_make_demo() -> None:
    demo, burst = (read_record(RECORDS / f"{name}.json") for name in ("demo", "burst"))
    makefile = (README.parent / "Makefile").read_text()
    assert "DEMO_SEARCH ?= --concurrency 1,8,32 --rounds 1 --phase-seconds 5 --warmup-seconds 1" in makefile
    settings = demo.manifest.settings
    assert [settings[name] for name in ("concurrency", "rounds", "phase_seconds", "warmup_seconds")] == [
        [1, 8, 32], 1, 5.0, 1.0,
    ]  # fmt: skip
    assert "DEMO_BURST ?= --burst 10,100" in makefile
    assert burst.manifest.settings["burst"] == [10, 100]
    assert {demo.incomplete, burst.incomplete} == {""}


def test_the_words_about_the_result_have_no_figure_of_its_record() -> None:
    """They would be wrong after the next `make records`."""
    page = (HOUSE / "docs" / "explanation" / "what-we-measured.md").read_text()
    words = BLOCK.sub("", page).partition("## Why the tutorial")[0]
    assert re.findall(r"\d+\.\d\d|\d+/s\b|\d \(\d", words) == []
