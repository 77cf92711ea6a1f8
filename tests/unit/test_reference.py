"""The generated reference is what the code says, and has what people look up."""

from pathlib import Path

import pytest

from docs.site.pages import ROOT
from docs.site.reference.blocks import BLOCK, BLOCKS, find_pages, render
from docs.site.reference.helm_values import list_values, read_comments
from docs.site.reference.metrics import list_metrics
from docs.site.reference.outcomes import list_outcomes
from docs.site.reference.record import list_record
from docs.site.reference.tables import kind_of, plain, table_of
from loadgen.measure.sample import Outcome
from loadgen.results.record.model import RunRecord

PAGES = find_pages(ROOT)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_has_what_the_code_says(path: Path) -> None:
    page = path.read_text()
    assert render(page) == page, "run `make reference`"


def test_each_block_is_on_one_page() -> None:
    result = [block[2] for path in PAGES for block in BLOCK.finditer(path.read_text())]
    assert sorted(result) == sorted(BLOCKS)


def test_a_series_has_its_kind_its_labels_and_its_unit() -> None:
    rows = {line.split("`")[1]: line for line in list_metrics() if line.startswith("| `")}
    assert rows["loadgen_dropped_total"] == (
        "| `loadgen_dropped_total` | counter | variant, mode, client | Arrivals of the open model that got no "
        "concurrency slot in time and were never sent | operations |"
    )
    assert rows["loadgen_stage_seconds"].split(" | ")[1:3] == ["histogram", "variant, mode, client, operation, stage"]
    assert len(rows) > 20


def test_every_outcome_has_its_meaning() -> None:
    rows = [line.strip("| ").split(" | ") for line in list_outcomes()][2:]
    assert [row[0].strip("`") for row in rows] == [one.value for one in Outcome]
    assert [row[1] == "failure" for row in rows] == [one.is_failure for one in Outcome]
    assert all(len(row[2]) > 5 for row in rows)


def test_the_record_has_a_section_for_each_object_and_a_row_for_each_field() -> None:
    lines = list(list_record())
    heads = [line for line in lines if line.startswith("## ")]
    assert heads[0] == "## RunRecord"
    assert len(heads) == len(set(heads)) > 20
    first = lines[: lines.index(heads[1])]
    assert {f"`{name}`" for name in RunRecord.model_fields} == {
        line.split(" | ")[0].removeprefix("| ") for line in first if line.startswith("| `")
    }


def test_a_key_of_the_chart_has_its_type_its_default_and_its_comment() -> None:
    lines = list(list_values())
    assert "| `metrics.port` | whole number | `9646` | The port in the pods. |" in lines
    (image,) = [line for line in lines if line.startswith("| `image.pullPolicy`")]
    types, default, meaning = image.split(" | ")[1:]
    assert (types, default) == ("`Always`, `IfNotPresent`, `Never`", '`"IfNotPresent"`')
    assert meaning == "Kubernetes' imagePullPolicy. |"


@pytest.mark.parametrize(
    ("text", "comments"),
    [
        ("# About a.\na: 1\n", {("a",): "About a."}),
        ("# Two\n# lines.\na:\n  b: 1 # Behind it.\n", {("a",): "Two lines.", ("a", "b"): "Behind it."}),
        ("# Not of a.\n\na: 1\n", {}),
        ("# Such as\n#   x: 1\n#   y: 2\na: {}\n", {("a",): "Such as<br>x: 1<br>y: 2"}),
        ("a:\n  # In a.\n  b: 1\n# Outside.\nc: 2\n", {("a", "b"): "In a.", ("c",): "Outside."}),
    ],
)
def test_the_comment_of_a_key_is_what_is_above_or_behind_it(text: str, comments: dict[tuple[str, ...], str]) -> None:
    assert read_comments(text) == comments


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer"}, "whole number"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or null"),
        ({"type": ["integer", "null"]}, "whole number or null"),
        ({"type": "array", "items": {"$ref": "#/$defs/Ratio"}}, "list of [Ratio](#ratio)"),
        ({"enum": ["job", "interactive"]}, "`job`, `interactive`"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object: text to number"),
        ({"type": "string", "format": "date-time"}, "time (ISO 8601)"),
        ({}, "any"),
    ],
)
def test_a_type_is_said_in_words(schema: dict[str, object], words: str) -> None:
    assert kind_of(schema) == words


def test_cells_keep_their_text() -> None:
    assert list(table_of(("a", "b"), [("x|y", plain("<run id> is\n  `<a>` *"))])) == [
        "| a | b |", "| --- | --- |", "| x\\|y | \\<run id> is `<a>` \\* |",
    ]  # fmt: skip
