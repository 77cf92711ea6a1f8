"""The page of a report: its first sheet, its values to look up, its dark colours, and the work for a long run."""

import re
from collections import Counter
from itertools import combinations
from typing import Any

import pytest

from loadgen.reports import html, svg
from loadgen.reports.cover import LINES_AT_MOST, WARNINGS, fit, make_cover
from loadgen.reports.html import to_html
from loadgen.reports.style import DARK, INK, NIGHT, PAPER, PLOT_STYLES, STAGE_COLOURS
from loadgen.reports.summary import summarize
from loadgen.reports.svg import Spot
from tests.unit.record_support import comparison, manifest, phase, record, timed, variant
from tests.unit.test_large_records import many_phases
from tests.unit.test_report import Page, full
from tests.unit.test_report_variants import luminance
from tests.unit.variant_support import five_variants

pytestmark = pytest.mark.usefixtures("unplaced")

VALUE = re.compile(
    r'<label style="left:([\d.]+)%;top:([\d.]+)%"[^>]*><input type="radio" name="([^"]+)"><span>(.*?)</span>'
)
COLOUR = re.compile(r"var\(--c-([0-9a-f]{6}), #([0-9a-f]{6})\)")


@pytest.fixture(scope="module")
def text() -> str:
    return to_html([summarize(full())])


@pytest.fixture(scope="module")
def eight() -> str:
    """Eight variants at two levels."""
    names = ["sync", "async", *(f"async connections={number}" for number in range(2, 8))]
    phases = [
        phase(name.split()[0], users, timed([10 + place] * 5), variant=name)
        for users in (1, 8)
        for place, name in enumerate((*names, *reversed(names)))
    ]
    result = tuple(comparison(users, variant=name) for users in (1, 8) for name in names[1:])
    known = tuple(variant(name, name.split()[0]) for name in names)
    return to_html([summarize(record(*phases, comparisons=result, manifest=manifest(variants=known)))])


def test_each_point_of_a_chart_says_its_value_in_words(text: str) -> None:
    values = VALUE.findall(text)
    of_chart = Counter(name for _, _, name, _ in values)
    assert of_chart["r0o1-throughput"] == 4, "two modes at two levels"
    assert of_chart["r0o1-ratio"] == 2 * 3
    assert of_chart["r0-timeline"] == 8
    said = [words for _, _, name, words in values if name == "r0o1-throughput"]
    assert said[0].startswith("sync, 1 user: 100.0 (")
    assert said[-1].startswith("async, 8 users: 800.0 (")
    assert said[-1].endswith(" operations/s")
    assert "async / sync at 8 users, operations/s: 1.30 (1.20 to 1.40)" in [words for *_, words in values]
    assert "sync, 8 users, p99: 10.01 ms" in [words for *_, words in values]


def test_a_value_is_where_its_point_is_drawn(text: str) -> None:
    places = [
        (float(left), float(top), words) for left, top, name, words in VALUE.findall(text) if name == "r0o1-throughput"
    ]
    one, eight = [[place for place in places if level in place[2]] for level in ("1 user", "8 users")]
    assert max(left for left, _, _ in one) < min(left for left, _, _ in eight), "more users are on the right"
    assert min(top for _, top, _ in one) > max(top for _, top, _ in eight), "more operations are above"
    picture = re.search(r'<svg[^>]*aria-labelledby="r0o1-throughput-title.*?</svg>', text, re.DOTALL)
    assert picture
    width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', picture[0])[0])
    marks = {
        (round(100 * float(x) / width, 1), round(100 * float(y) / height, 1))
        for x, y in re.findall(r'<use [^>]*?x="([\d.]+)" y="([\d.]+)"', picture[0])
    }
    assert {(left, top) for left, top, _ in places} <= marks


def test_the_text_of_a_value_stays_within_its_chart() -> None:
    assert [Spot(10, 10, "").sides, Spot(90, 10, "").sides, Spot(10, 90, "").sides, Spot(90, 90, "").sides] == [
        "", "left", "above", "left above",
    ]  # fmt: skip


def test_every_colour_of_every_chart_has_one_for_a_dark_page(text: str, eight: str) -> None:
    for page in (text, eight, to_html([summarize(five_variants())])):
        used = {name for name, _ in COLOUR.findall(page)}
        assert {f"#{name}" for name in used} <= set(DARK)
        assert [name for name, colour in COLOUR.findall(page) if name != colour] == []
        pictures = " ".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
        assert re.findall(r'(?:fill|stroke)(?::|=")\s*#[0-9a-f]{6}', pictures) == [], "a colour that stays as it is"
        for name in used:
            assert f"--c-{name}: {DARK[f'#{name}']};" in page


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_eight_looks_have_a_contrast_of_3_to_a_light_and_to_a_dark_page() -> None:
    for style in PLOT_STYLES:
        assert contrast(style.colour, PAPER) >= 3, style.words
        assert contrast(style.dark, NIGHT) >= 3, style.words
    assert contrast(INK, PAPER) >= 4.5
    assert contrast(DARK[INK], NIGHT) >= 4.5
    assert len({style.dark for style in PLOT_STYLES}) == len({style.colour for style in PLOT_STYLES}) == 8


def test_two_looks_differ_in_line_and_marker_or_clearly_in_lightness(eight: str) -> None:
    for one, other in combinations(PLOT_STYLES, 2):
        lightness = min(contrast(one.colour, other.colour), contrast(one.dark, other.dark))
        assert (one.line != other.line and one.marker != other.marker) or lightness >= 1.5, (one.words, other.words)
    picture = re.search(r'<svg[^>]*aria-labelledby="r0o0-throughput-title.*?</svg>', eight, re.DOTALL)
    assert picture
    dashes: dict[str, set[str]] = {}
    for style in re.findall(r'style="(fill: none; [^"]*stroke-width: 1.8[^"]*)"', picture[0]):
        colour, dash = re.search(r"--c-([0-9a-f]{6})", style), re.search(r"stroke-dasharray: ([\d.,]+)", style)
        if colour and dash:
            dashes.setdefault(colour[1], set()).add(dash[1])
    assert {f"#{name}" for name in dashes} == {style.colour for style in PLOT_STYLES[1:]}, "the first one is solid"
    assert len({min(every) for every in dashes.values()}) == 7, "as drawn, not only as asked for"


def test_stages_keep_their_colours_apart_on_a_dark_page() -> None:
    assert len({DARK[colour] for colour in STAGE_COLOURS}) == len(STAGE_COLOURS)


def test_the_first_page_has_question_verdict_one_chart_and_conditions(text: str) -> None:
    cover = re.search(r'<section class="cover".*?</dl>\n</section>', text, re.DOTALL)
    assert cover
    assert cover[0].count("<svg") == cover[0].count("<h1") == 1
    words = " ".join(Page(cover[0]).words)
    assert words.startswith("Sync or async? Run 20261122-193000-k3f9")
    for part in (
        "search: async gives 1.30 times the throughput of sync",
        "Server milvus 2.3.5",
        "Data 10,000 rows of 768 dimensions",
        "Index HNSW, M 16",
        "Load 1 and 8 users; 8 phases of 10 s",
        "Generator 1 process, Some CPU, 2 cores, 8.0 GiB",
        "Versions milvus-loadgen 0.1.0, locust 2.47.0",
    ):
        assert part in words
    assert text.count("<svg") == len(re.findall(r"<svg", text.replace(cover[0], ""))) + 1, "no chart is shown twice"


def test_a_first_page_has_as_much_as_fits_and_the_rest_follows() -> None:
    assert fit(("a" * 50, "b" * 50), 200) == fit(["a" * 50, "b" * 50], 100)
    assert fit(("a" * 50, "b" * 60), 100).more == ("b" * 60,)
    assert fit(("x",) * 9, 200).shown == ("x",) * LINES_AT_MOST
    long = fit(("a" * 300, "b"), 100)
    assert (len(long.shown), long.shown[0][-1], long.more) == (1, "…", ("a" * 300, "b")), "cut, and below in full"
    assert fit((), 10) == fit([], 5)


def test_no_warning_is_lost_between_the_first_page_and_the_next() -> None:
    waiting = many_phases(40, saturated=True, unfinished=8, longest_unfinished_seconds=5.0, workers_lost=1)
    summary = summarize(waiting)
    cover = make_cover(summary)
    assert sum(map(len, cover.warnings.shown)) <= WARNINGS
    assert cover.warnings.more
    words = " ".join(Page(to_html([summary])).words)
    assert [line for line in summary.explanation.warnings if " ".join(line.split()) not in words] == []
    assert f"{len(cover.warnings.more)} more below" in words


def test_a_chart_that_is_too_tall_for_the_first_page_stays_with_its_operation() -> None:
    page = to_html([summarize(five_variants((1, 2, 4, 8, 16, 32)))])
    cover = page[page.index('<section class="cover"') : page.index('<dl class="conditions"')]
    assert "search: each variant to sync" not in cover
    assert "search: operations per second against users" in cover
    assert page.count("<h3>search: each variant to sync") == 1


def test_a_report_of_four_times_as_many_phases_draws_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    draw = svg.draw_svg

    def count(figure: Any, *given: str) -> str:
        drawn.append(len(figure.points))
        return draw(figure, *given)

    monkeypatch.setattr(html, "draw_svg", count)
    sizes = [len(to_html([summarize(many_phases(number))])) for number in (500, 2_000)]
    half = len(drawn) // 2
    assert drawn[:half] == drawn[half:]
    assert max(drawn) <= 400
    assert sizes[1] < 1.02 * sizes[0]
