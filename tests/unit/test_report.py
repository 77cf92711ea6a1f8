"""A report shows what is in the record, needs nothing but its file, and can be read by everybody."""

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest

from loadgen.cli.main import main
from loadgen.measure.sample import Mode, Outcome
from loadgen.reports.data_formats import to_csv
from loadgen.reports.html import to_html
from loadgen.reports.style import PLOT_STYLES
from loadgen.reports.summary import summarize
from loadgen.reports.tables import outcome_table
from loadgen.results.record import RunRecord, write_record
from tests.unit.record_support import comparison, manifest, operation, phase, record, timed

BEGAN = datetime(2026, 11, 22, 19, 30, tzinfo=UTC)


def full(**given: object) -> RunRecord:
    """Two levels, two operations, failures, and a burst."""
    phases = []
    for number, (users, mode) in enumerate((u, m) for u in (1, 8) for m in ("sync", "async", "async", "sync")):
        search = timed([100 * users] * 10, 0.01, outcomes={Outcome.OK: 1000 * users, Outcome.TIMEOUT: 3})
        insert = timed([10 * users] * 10, 0.02, name="insert", recall=None)
        phases.append(phase(mode, users, search, insert, started_at=BEGAN + timedelta(seconds=15 * number)))
    result = tuple(comparison(users, operation=name) for users in (1, 8) for name in ("insert", "search"))
    burst = phase("async", 10, operation(outcomes={Outcome.OK: 10}), style="async", seconds=1.5)
    return record(*phases, burst, comparisons=result, **given)


class Page(HTMLParser):
    """What a reader and a browser meet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip() and self.tags[-1][0] != "style":
            self.words.append(" ".join(data.split()))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def text() -> str:
    return to_html([summarize(full())])


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_asks_for_nothing_from_anywhere(page: Page, text: str) -> None:
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "img", "object", "embed"} == set()
    links = [value for _, given in page.tags for name, value in given.items() if name in ("src", "href", "xlink:href")]
    assert [link for link in links if link and not link.startswith(("#", "data:,"))] == []
    policy = next(given["content"] for given in page.named("meta") if given.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert "url(http" not in text


def test_the_verdict_comes_before_every_figure(page: Page) -> None:
    names = [tag for tag, _ in page.tags]
    verdict = next(n for n, (_, given) in enumerate(page.tags) if given.get("aria-label") == "Verdict")
    assert verdict < names.index("svg") < names.index("table")
    headline = "search: async gives 1.30 times the throughput of sync at every level measured, 1 and 8 users"
    assert any(word.startswith(headline) for word in page.words)


def test_every_picture_has_a_name_a_description_and_ids_of_its_own(page: Page) -> None:
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))
    pictures = page.named("svg")
    assert len(pictures) == 9, "ratio, throughput, p99 and percentiles of two operations, and the timeline"
    for given in pictures:
        assert given["role"] == "img"
        assert set(str(given["aria-labelledby"]).split()) <= set(ids)
    used = {value[1:] for _, given in page.tags for name, value in given.items() if name == "xlink:href" and value}
    assert used <= set(ids), "a marker that is nowhere"


def test_what_may_be_wider_than_the_window_is_in_a_named_box_that_the_keyboard_reaches(page: Page) -> None:
    wide = [n for n, (tag, _) in enumerate(page.tags) if tag in ("svg", "table")]
    boxes = [page.tags[n - 2 if page.tags[n][0] == "svg" else n - 1] for n in wide]
    assert {(tag, given.get("class"), given.get("tabindex"), given.get("role")) for tag, given in boxes} == {
        ("div", "scroll", "0", "region")
    }
    titles = [str(given["aria-label"]) for (_, given), n in zip(boxes, wide, strict=True) if page.tags[n][0] == "svg"]
    assert [title for title in titles if title not in page.words] == []
    assert len(titles) == len(set(titles))


def test_both_modes_have_their_colour_and_their_line_in_every_picture(page: Page, text: str) -> None:
    pictures = [each for each in re.findall(r"<svg.*?</svg>", text, re.DOTALL) if "async to sync" not in each]
    for picture in pictures:
        for style in PLOT_STYLES[:2]:
            assert style.colour in picture
        assert "stroke-dasharray" in picture
    assert page.named("main")
    assert page.named("html") == [{"lang": "en"}]


def test_the_tables_have_the_figures(page: Page) -> None:
    text = " ".join(page.words)
    assert "8 users sync 800.0" in text
    assert "search 8 users async 16,006 16,000 0 6 0 0.9700" in text
    assert "Some CPU, 2 cores for this process" in text
    assert "async gather" in text
    assert "How each figure was measured" in text


def test_a_page_of_many_levels_stays_small() -> None:
    rng = (1, 2, 3, 4, 6, 8, 12, 16, 24)
    phases = [phase(mode, users, timed([50] * 10)) for users in rng for mode in ("sync", "async", "async", "sync")]
    result = tuple(comparison(users) for users in rng)
    assert len(to_html([summarize(record(*phases, comparisons=result))])) < 1_000_000


def test_what_a_record_says_is_text_and_never_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>$x$&"
    phases = [phase(mode, 8, timed([10] * 5, name=evil)) for mode in ("sync", "async")]
    hostile = record(
        *phases,
        comparisons=(comparison(8, operation=evil, reasons=(evil,), verdict="invalid"),),
        manifest=manifest(settings={evil: evil}, command_line=evil, cpu_model=evil, packages={evil: evil}),
    )
    text = to_html([summarize(hostile)])
    assert "<script" not in text
    assert evil in Page(text).words
    path = write_record(tmp_path, hostile)
    assert main(["report", str(path), "--format", "markdown", "--output", str(tmp_path / "x.md")]) == 0
    assert "<script" not in (tmp_path / "x.md").read_text().replace("\\<script", "")


def test_a_record_with_little_in_it_has_a_report_too() -> None:
    for poor in (record(), record(phase("async", 8, operation(outcomes={Outcome.FAILED: 3}, slices=None)))):
        assert "How each figure was measured" in to_html([summarize(poor)])


def test_several_records_are_on_one_page_without_shared_ids() -> None:
    phases = [phase(mode, 8, timed([10] * 5)) for mode in ("sync", "async")]
    one, other = (record(*phases, comparisons=(comparison(8),), **given) for given in ({}, {"run_id": "another"}))
    page = Page(to_html([summarize(one), summarize(other)]))
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))
    assert [word for word in page.words if word.startswith("Sync or async? Run ")] == [
        "Sync or async? Run 20261122-193000-k3f9",
        "Sync or async? Run another",
    ]


def test_html_goes_beside_the_record_and_everything_else_to_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_record(tmp_path, record(phase("sync"), phase("async")))
    assert main(["report", str(path)]) == 0
    assert capsys.readouterr().out == f"Report: {path.with_suffix('.html')}\n"
    assert path.with_suffix(".html").read_text().startswith("<!doctype html>")
    other = write_record(tmp_path, record(phase("sync"), run_id="20261122-200000-abcd"))
    assert main(["report", str(path), str(other)]) == 0
    assert capsys.readouterr().out == f"Report: {path.with_name(path.stem + '-and-1-more.html')}\n", (
        "no run's own report"
    )


def test_data_formats_have_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_record(tmp_path, full())
    assert main(["report", str(path), "--format", "json"]) == 0
    [reported] = json.loads(capsys.readouterr().out)
    assert reported["run_id"] == "20261122-193000-k3f9"
    [search] = [
        s for s in reported["series"] if (s["operation"], s["mode"], s["concurrency"]) == ("search", "async", 8)
    ]
    assert (search["throughput"], search["operations"], search["timeout"]) == (800.0, 16006, 6)
    assert search["throughput_low"] < 800 < search["throughput_high"]
    assert reported["comparisons"][0]["throughput_ratio"]["estimate"] == 1.3
    assert main(["report", str(path), str(path), "--format", "csv"]) == 0
    lines = list(csv.DictReader(StringIO(capsys.readouterr().out)))
    assert len(lines) == 16
    assert {line["mode"] for line in lines} == {mode.value for mode in Mode}
    assert float(lines[-1]["p99"]) == pytest.approx(0.01, rel=1e-3)


def test_the_mean_reciprocal_rank_is_in_the_table_and_the_data_where_it_is_known() -> None:
    ranked = timed([10] * 10, name="retrieve", recall=1.0, mrr=0.8125)
    plain, known = (
        summarize(record(phase("sync", 8, *each), comparisons=()))
        for each in ([timed([10] * 10)], [timed([10] * 10), ranked])
    )
    assert outcome_table(plain).head[-1] == "recall"
    table = outcome_table(known)
    assert table.head[-2:] == ("recall", "MRR")
    assert {row[0]: row[-2:] for row in table.rows} == {"retrieve": ("1.0000", "0.8125"), "search": ("0.9700", "-")}
    lines = list(csv.DictReader(StringIO(to_csv([known]))))
    assert {line["operation"]: line["mrr"] for line in lines} == {"retrieve": "0.8125", "search": ""}


def test_a_markdown_table_has_as_many_cells_in_each_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_record(tmp_path, full())
    assert main(["report", str(path), "--format", "markdown"]) == 0
    text = capsys.readouterr().out
    tables = [part.splitlines() for part in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]
    assert len(tables) == 10
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "| 8 users | async | 800.0 |" in text


@pytest.mark.parametrize(
    "given", [["none.json"], ["{record}", "--output", "/proc/none/x.html"], ["{record}", "--output", "{record}"]]
)
def test_what_cannot_be_read_or_written_is_told_in_one_line(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_record(tmp_path, record(phase("sync")))
    before = path.read_text()
    assert main(["report", *(part.format(record=path) for part in given)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("loadgen report: ")
    assert len(error.splitlines()) == 1
    assert path.read_text() == before
