"""Reports of any number of variants: a row for each, its ratio to the baseline, and a look that stays the same."""

import csv
import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from loadgen.cli.main import main
from loadgen.reports.html import to_html
from loadgen.reports.markdown import to_markdown
from loadgen.reports.style import PLOT_STYLES, PlotStyle, assign_plot_styles
from loadgen.reports.summary import summarize
from loadgen.results.comparison import Pair
from loadgen.results.record import RunRecord, read_record, write_record
from loadgen.results.verdict.phrases import name_pairs, show_estimate
from tests.unit.record_support import comparison, manifest, phase, record, timed, variant
from tests.unit.test_report import Page
from tests.unit.variant_support import FIELDS, LONG, NAMES, five_variants, mode_of, one_variant, ratio_of

pytestmark = pytest.mark.usefixtures("unplaced")

RATIOS = {
    "async": ("2.00 (1.80 to 2.20)", "0.50 (0.45 to 0.55)", "async"),
    FIELDS: ("1.50 (1.35 to 1.65)", "0.67 (0.60 to 0.73)", FIELDS),
    LONG: ("3.00 (2.70 to 3.30)", "0.33 (0.30 to 0.37)", LONG),
    "async#2": ("2.00 (1.80 to 2.20)", "0.50 (0.45 to 0.55)", "invalid"),
}
"""Of operations/s and of p99 to sync, and the verdict."""


@pytest.fixture(scope="module")
def five() -> str:
    return to_html([summarize(five_variants())])


def cells(line: str) -> list[str]:
    """Of a row of Markdown, without its escapes."""
    return [re.sub(r"\\(.)", r"\1", cell.strip()) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def rows_below(text: str, caption: str) -> Iterator[dict[str, str]]:
    """The rows of a table of Markdown by the names of its columns."""
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(f"## {caption}")) + 2
    head = cells(lines[at])
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            return
        yield dict(zip(head, cells(line), strict=True))


def test_markdown_has_a_row_for_each_variant_and_each_level() -> None:
    text = to_markdown([summarize(five_variants())])
    assert text.startswith("# Which variant? Run 20261122-193000-k3f9\n")
    figures = list(rows_below(text, "search: throughput and response times"))
    assert [(row["load"], row["variant"]) for row in figures] == [
        (level, name) for level in ("1 user", "8 users", "32 users") for name in NAMES
    ]
    assert [row["operations/s"] for row in figures[:5]] == ["40.00", "80.00", "60.00", "120.0", "80.00"]
    ratios = list(rows_below(text, "search: each variant to sync"))
    assert [(row["load"], row["variant"]) for row in ratios] == [
        (level, name) for level in ("1 user", "8 users", "32 users") for name in NAMES[1:]
    ]
    for row in ratios:
        result = (row["ratio (95 %)"], row["ratio of p99 (95 %)"], row["verdict"])
        assert result == RATIOS[row["variant"]]
        assert (row["baseline /s"], row["baseline p99 ms"], row["baseline recall"]) == ("40.00", "25.00", "0.9700")
        assert row["variant recall"] == ("0.9900" if row["variant"] == LONG else "0.9700")
    assert [row["variant"] for row in rows_below(text, "search: times of its stages")][:4] == [
        "sync", "sync", "async", "async",
    ]  # fmt: skip
    assert [row["variant"] for row in rows_below(text, "Phases and the state")][:10] == [*NAMES, *reversed(NAMES)]
    ends = {(row["load"], row["variant"]): row["timeout"] for row in rows_below(text, "How the operations ended")}
    assert (ends["8 users", "sync"], ends["8 users", "async"]) == ("2", "4")


def test_a_report_lists_the_variants_with_what_differs_and_the_baseline() -> None:
    listed = list(rows_below(to_markdown([summarize(five_variants())]), "Variants, in the order of a round"))
    assert [tuple(row.values()) for row in listed] == [
        ("sync", "sync", "llamaindex", "none", "yes", "blue, solid, circles"),
        ("async", "async", "llamaindex", "none", "", "vermilion, dashed, squares"),
        (FIELDS, "async", "llamaindex", "output-fields text, doc_id", "", "green, dash and dot, triangles"),
        (LONG, "async", "llamaindex", "connections 4, top-k 20", "", "purple, dotted, diamonds"),
        (
            "async#2",
            "async",
            "llamaindex",
            "none",
            "",
            "black (white on a dark page), long dashes, triangles upside down",
        ),
    ]


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ((variant("sync"), variant("async")), False),
        ((variant("async"),), False),
        ((variant("async"), variant("async#2", "async")), True),
        ((variant("sync"), variant("async", connections=4)), True),
        ((variant("sync"), variant("async").model_copy(update={"client": "wire"})), True),
        ((variant("mine", "sync"),), True),
    ],
)
def test_the_variants_are_listed_where_their_names_do_not_say_it_all(given: Any, listed: bool) -> None:
    run = record(
        *(phase(one.mode.value, variant=one.name) for one in given),
        manifest=manifest(variants=given, baseline=given[0].name),
    )
    assert ("Variants, in the order of a round" in to_markdown([summarize(run)])) is listed
    page = to_html([summarize(run)])
    assert ("<h2>What was compared</h2>" in page) is listed
    assert ('<p class="key">' in page) is not listed


def test_every_picture_of_the_page_has_every_variant_in_its_look(five: str) -> None:
    page = Page(five)
    words = " ".join(page.words)
    assert f"search: {LONG} gives 3.00 times the throughput of sync at every level measured" in words
    assert "search: each variant to sync, with 95 % intervals" in page.words
    for name in NAMES[1:]:
        assert f"{name} / sync" in words, "the legend of the picture of ratios"
    pictures = {
        title: picture
        for picture in re.findall(r"<svg.*?</svg>", five, re.DOTALL)
        for title in re.findall(r"<title[^>]*>(.*?)</title>", picture)
    }
    lines = [title for title in pictures if "where the time went" not in title and "each variant" not in title]
    assert len(lines) == 4, "throughput, p99, percentiles, timeline"
    for title in lines:
        for style, name in zip(PLOT_STYLES, NAMES, strict=False):
            assert style.colour in pictures[title], (title, name)
            assert f">{name}</text>" in pictures[title], (title, name)
    bars = " ".join(re.findall(r">([^<>]*)</text>", pictures["search: where the time went"]))
    for level in ("1 user", "8 users", "32 users"):
        for name in NAMES:
            assert f"{level}, {name}" in bars


def test_a_long_name_and_markup_in_a_name_stay_text() -> None:
    evil = 'async search-params="<b>$x^2$|`x`</b>"'
    phases = [phase("async", 8, timed([10] * 5), variant=name) for name in ("async", evil, evil, "async")]
    result = comparison(8, baseline="async", variant=evil)
    known = (variant("async"), variant(evil, "async", search_params={"<i>": "|"}))
    summary = summarize(record(*phases, comparisons=(result,), manifest=manifest(variants=known, baseline="async")))
    page = Page(to_html([summary]))
    assert {tag for tag, _ in page.tags} & {"b", "i"} == {"b"}, "of the methods alone"
    assert [given for given in page.named("b") if given] == []
    assert evil in page.words
    (row,) = rows_below(to_markdown([summary]), "search: async search-params")
    assert (row["variant"], row["verdict"]) == (evil, evil)


def test_a_report_of_one_variant_compares_nothing() -> None:
    summary = summarize(one_variant())
    text, page = to_markdown([summary]), Page(to_html([summary]))
    assert text.startswith(f"# How fast is {FIELDS.replace('_', chr(92) + '_')}? Run ")
    assert f"Only {FIELDS} was measured, so there is nothing to compare it with." in page.words
    (row,) = rows_below(text, "search: throughput and response times")
    assert (row["variant"], row["operations/s"]) == (FIELDS, "50.00")
    assert "each variant to" not in text
    assert len(page.named("svg")) == 3, "throughput, p99 and percentiles"


def shown(path: Path, form: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["report", str(path), "--format", form, "--output", "-"]) == 0
    return capsys.readouterr().out


def test_json_and_csv_have_variant_mode_and_client(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_record(tmp_path, five_variants())
    (run,) = json.loads(shown(path, "json", capsys))
    reported = {(one["variant"], one["concurrency"]): one for one in run["series"]}
    assert len(reported) == 15
    for name in NAMES:
        one = reported[name, 8]
        assert (one["mode"], one["client"], one["rounds"]) == (mode_of(name), "llamaindex", 2)
    assert (reported[LONG, 1]["throughput"], reported[LONG, 1]["recall"]) == (120.0, 0.99)
    assert reported["async", 1]["stages"]["rpc"]["p50"] == pytest.approx(0.75 / 80, rel=0.01)
    (result,) = [one for one in run["comparisons"] if (one["variant"], one["concurrency"]) == (LONG, 8)]
    assert (result["baseline"], result["verdict"], result["share_ahead"]) == ("sync", "variant", 0.99)
    assert result["throughput_ratio"] == ratio_of(LONG).model_dump()
    assert [one["name"] for one in run["manifest"]["variants"]] == list(NAMES)
    lines = list(csv.DictReader(StringIO(shown(path, "csv", capsys))))
    assert [(line["variant"], line["mode"], line["client"]) for line in lines[:5]] == [
        (name, mode_of(name), "llamaindex") for name in NAMES
    ]
    assert float(lines[3]["throughput"]) == 120.0


def test_two_records_are_compared_variant_by_variant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = five_variants((8,))
    slower = tuple(
        one.model_copy(update={"operations": (timed([50.0] * 10, 0.02, recall=0.99),)}) if one.variant == LONG else one
        for one in old.phases
    )
    new = old.model_copy(update={"run_id": "new", "phases": slower})
    paths = [str(write_record(tmp_path, one)) for one in (old, new)]
    assert main(["compare", *paths, "--format", "json"]) == 1
    reported = json.loads(capsys.readouterr().out)["findings"]
    assert list(dict.fromkeys(one["variant"] for one in reported)) == list(NAMES)
    assert {one["variant"] for one in reported if one["verdict"] == "regression"} == {LONG}
    assert {(one["mode"], one["client"]) for one in reported if one["variant"] == LONG} == {("async", "llamaindex")}
    assert main(["compare", *paths]) == 1
    text = capsys.readouterr().out
    assert f"search {LONG} at 8 users throughput 0.15 (" in text
    table = [line.split("│") for line in text.splitlines() if line.startswith("│")]
    names = "".join(row[2].strip() + " " for row in table)
    assert FIELDS in names, "none is cut"
    assert "twenty neighbours" in names


def as_schema_4(run: RunRecord) -> dict[str, Any]:
    """As a version before this one has written it: modes in the place of variants."""
    values: dict[str, Any] = run.model_dump(mode="json") | {"schema_version": 4}
    del values["planned_phases"], values["incomplete"], values["task_errors_outside"]
    for name in ("variants", "baseline", "shared_with"):
        del values["manifest"][name]
    values["manifest"]["settings"]["mode"] = "compare"
    for one in values["phases"]:
        del one["variant"], one["users_gone"], one["task_errors"], one["generator"]["watched_share"]
    for one in values["comparisons"]:
        del one["baseline"], one["variant"]
        one["async_share"] = one.pop("share_ahead")
        one["verdict"] = {"variant": "async", "baseline": "sync"}[one["verdict"]]
        for ratio in (one["throughput_ratio"], one["p50_ratio"], one["p99_ratio"]):
            ratio["sync_value"], ratio["async_value"] = ratio.pop("baseline_value"), ratio.pop("variant_value")
    return values


def test_a_record_of_schema_4_is_shown_as_one_of_two_variants(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    phases = [phase(mode, 8, timed([50] * 10)) for mode in ("sync", "async", "async", "sync")]
    result = comparison(8).model_copy(update={"throughput_ratio": ratio_of("async")})
    now = record(*phases, comparisons=(result,))
    path = write_record(tmp_path, now)
    path.write_text(json.dumps(as_schema_4(now)))
    read = read_record(path)
    assert (read.variant_names, read.manifest.baseline) == (["sync", "async"], "sync")
    text = shown(path, "markdown", capsys)
    assert text.startswith("# Sync or async? Run ")
    (row,) = rows_below(text, "search: async to sync, each ratio")
    assert (row["baseline /s"], row["variant /s"], row["ratio (95 %)"]) == ("40.00", "80.00", "2.00 (1.80 to 2.20)")
    assert row["verdict"] == "async"
    (run,) = json.loads(shown(path, "json", capsys))
    assert [(one["variant"], one["mode"], one["client"]) for one in run["series"]] == [
        ("sync", "sync", "llamaindex"),
        ("async", "async", "llamaindex"),
    ]
    assert "Sync is solid with circles, async dashed with squares." in shown(path, "html", capsys)


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["sync", "async"], [0, 1]),
        (["async"], [1]),
        (["async", "sync"], [1, 0]),
        (["async", "a", "b"], [1, 2, 3]),
        (["a", "sync", "b"], [2, 0, 3]),
        ([*"abcdefgh"], [2, 3, 4, 5, 6, 7, 0, 1]),
        (["async", *"abcdefg"], [1, 2, 3, 4, 5, 6, 7, 0]),
        ([*"abcdefghi"], [2, 3, 4, 5, 6, 7, 0, 1, 2]),
    ],
)
def test_sync_and_async_always_look_the_same_and_eight_variants_differ(names: list[str], places: list[int]) -> None:
    assert assign_plot_styles(names) == dict(zip(names, places, strict=True))


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_looks_differ_in_colour_line_and_marker() -> None:
    for part in ("colour", "line", "marker", "words"):
        assert len({getattr(style, part) for style in PLOT_STYLES}) == len(PLOT_STYLES) == 8
    assert (PLOT_STYLES[0].colour, PLOT_STYLES[1].colour) == ("#0072b2", "#d55e00"), "of the plain modes, as ever"
    assert isinstance(PLOT_STYLES[7], PlotStyle)


def test_one_formatter_shows_every_ratio() -> None:
    ratio = ratio_of("async")
    assert show_estimate(ratio) == "2.00 (1.80 to 2.20)"
    assert show_estimate(ratio, narrow=True) == "2.00 (1.80-2.20)"
    assert show_estimate(ratio.model_copy(update={"low": None})) == "2.00"
    assert show_estimate(ratio.model_copy(update={"estimate": None})) == show_estimate(None) == "-"
    assert name_pairs([Pair("sync", "async")] * 2) == "async to sync"
    assert name_pairs([Pair("a", "b"), Pair("a", "c")]) == "each variant to a"
    assert name_pairs([Pair("a", "b"), Pair("c", "b")]) == "each variant to the baseline"
