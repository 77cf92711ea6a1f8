"""A report on the RAG path: stages in the order in which they happen, times of tokens by load level and variant."""

import re

import numpy as np
import pytest

from loadgen.clients.rag.pipeline import STAGES as OF_INGEST
from loadgen.clients.rag.stages import OF_ASK
from loadgen.reports.charts import operation_charts
from loadgen.reports.html import to_html
from loadgen.reports.items import item_table
from loadgen.reports.markdown import to_markdown
from loadgen.reports.stage_order import in_order
from loadgen.reports.stages import HATCHES, stage_figure, stage_rows, stage_table
from loadgen.reports.style import STAGE_COLOURS
from loadgen.reports.summary import Summary, summarize
from loadgen.reports.token_times import token_table, token_tables
from loadgen.reports.work import goodput_table
from loadgen.results.record import OperationRecord
from tests.unit.rag_record_support import STREAMED, rag_record
from tests.unit.record_support import phase, record, timed
from tests.unit.test_report import Page

pytestmark = pytest.mark.usefixtures("unplaced")


@pytest.fixture(scope="module")
def summary() -> Summary:
    return summarize(rag_record())


@pytest.fixture(scope="module")
def text(summary: Summary) -> str:
    return to_html([summary])


def cells(text: str, caption: str) -> list[list[str]]:
    """The head and the rows of a table in Markdown."""
    lines = text.splitlines()
    start = lines.index(f"## {caption}") + 2
    end = lines.index("", start)
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[start:end]]
    return [rows[0], *rows[2:]]


def test_stages_stand_in_the_order_in_which_they_happen(summary: Summary) -> None:
    assert in_order(reversed(OF_ASK)) == list(OF_ASK)
    assert in_order(reversed(OF_INGEST)) == list(OF_INGEST)
    assert in_order(["zeal", "generate", "awe"]) == ["generate", "awe", "zeal"]
    for operation, stages in (("ask", OF_ASK), ("ingest", OF_INGEST)):
        figure, _ = stage_figure(stage_rows(summary, operation))
        (legend,) = figure.legends
        assert tuple(each.get_text() for each in legend.get_texts()) == stages
    table = stage_table("ask", stage_rows(summary, "ask"))
    assert [row[2] for row in table.rows if row[:2] == ("8 users", STREAMED)] == [*OF_ASK, "inter_token"]


def test_stages_are_told_apart_without_colour(summary: Summary) -> None:
    figure, _ = stage_figure(stage_rows(summary, "ask"))
    bars = list(figure.axes[0].containers)
    hatches = [container[0].get_hatch() or "" for container in bars]
    assert len(set(hatches)) == len(hatches) == len(OF_ASK)
    count = len(STAGE_COLOURS)
    looks = {(STAGE_COLOURS[n % count], HATCHES[(n + n // count) % len(HATCHES)]) for n in range(32)}
    assert len(looks) == 32, "as many stages as a run may have"


def test_the_time_to_first_token_is_told_by_load_and_variant(summary: Summary) -> None:
    result = cells(to_markdown([summary]), "ask: time to first token")
    assert result[0] == [
        "load", "variant", "answers", "times", "mean ms", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "p99.9 ms", "max ms",
    ]  # fmt: skip
    assert [row[:4] for row in result[1:]] == [
        [f"{users} users", name, kind, "200"]
        for users in (2, 8)
        for name, kind in (("sync", "whole"), ("async", "whole"), (STREAMED, "streamed"))
    ]
    times = [float(cell) for cell in result[3][4:]]
    assert times == pytest.approx([85, 50, 50, 400, 400, 400, 400], rel=0.002), "nine of ten after 50 ms"


def test_times_between_tokens_are_those_of_streamed_answers_alone(summary: Summary) -> None:
    table = token_table(summary, "ask", "inter_token")
    assert [row[:3] for row in table.rows] == [("2 users", STREAMED, "200"), ("8 users", STREAMED, "200")]
    assert [float(row[4]) for row in table.rows] == pytest.approx([5, 5], rel=0.002)
    assert [float(row[7]) for row in table.rows] == pytest.approx([60, 240], rel=0.002), "p99 has the stalls"


def test_each_time_of_a_token_has_a_picture_with_words_and_its_table(text: str) -> None:
    page = Page(text)
    titles = [word for word in page.words if word.startswith("ask: time ") and "against" in word]
    assert set(titles) == {"ask: time to first token against users", "ask: time between tokens against users"}
    described = dict(re.findall(r'<title id="r0o0-(\w+)-title">.*?</title><desc id="r0o0-\w+-text">(.*?)</desc>', text))
    assert "An answer that is not streamed arrives as a whole" in described["first_token"]
    assert "p99 shows single stalls" in described["inter_token"]
    assert page.words.count("The figures: ask: time to first token") == 1
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))


def test_goodput_is_told_with_its_objective_and_its_share_of_all_that_ended(summary: Summary, text: str) -> None:
    head, *rows = cells(to_markdown([summary]), "ask: goodput, first\\_token \\< 500 ms")
    assert head == ["load", "variant", "operations/s", "good/s", "95 %", "% of all", "good", "operations"]
    shown = [["2 users", STREAMED, "10.00", "7.500", "-", "60.0", "150", "250"]]
    assert [row for row in rows if row[:2] == ["2 users", STREAMED]] == shown
    assert len(rows) == 6
    described = re.findall(r'<desc id="r0o0-goodput-text">(.*?)</desc>', text)
    assert len(described) == 1
    assert described[0].startswith("Good: answered, and each of them within the objective (first_token &lt; 500 ms).")
    assert "ingest: goodput" not in text, "no condition is on it"


def test_an_interval_of_the_goodput_is_that_of_its_slices() -> None:
    def judged(good: int) -> OperationRecord:
        whole = timed([100] * 10)
        assert whole.slices is not None
        slices = whole.slices.model_copy(update={"good": (good,) * 10})
        return whole.model_copy(update={"good": 10 * good, "slices": slices})

    result = summarize(
        record(phase("sync", 8, judged(80)), phase("async", 8, judged(40)), phase("sync", 8, judged(80)))
    )
    sync, unlike = (next(row for row in result.rows if row.series.variant == name) for name in ("sync", "async"))
    for row, good in ((sync, 80), (unlike, 40)):
        assert row.good_estimate is not None
        assert row.goodput == pytest.approx(good)
        assert row.good_estimate.low < good < row.good_estimate.high
    assert [row[5] for row in goodput_table(result, "search").rows] == ["80.0", "40.0"]


def test_documents_chunks_and_tokens_have_columns_and_a_panel_each(summary: Summary, text: str) -> None:
    markdown = to_markdown([summary])
    head, *rows = cells(markdown, "ingest: what it processed")
    assert head[2:5] == ["chunks/s", "documents/s", "tokens/s"]
    assert rows[0][2:5] == ["120.0", "40.00", "20,000.0"]
    assert text.count("ingest: chunks, documents and tokens per second against users") > 1
    assert text.count("ask: tokens_in and tokens_out per second against users") > 1
    figure = next(one for one in operation_charts(summary, "ingest", "x") if one.key == "x-items").figure
    assert [axes.get_title() for axes in figure.axes] == head[2:5]
    assert [float(np.asarray(line.get_ydata())[0]) for axes in figure.axes for line in axes.lines[:1]] == [
        120,
        40,
        20_000,
    ]
    page = Page(text)
    assert page.words.count("The figures: ingest: what it processed") == 1


def test_a_picture_says_that_no_answer_was_streamed() -> None:
    text = to_html([summarize(rag_record(("sync", "async")))])
    assert "No answer was streamed (--stream), so this is the time of the whole answer of the model." in text
    assert "time between tokens" not in text


def test_a_run_without_answers_has_no_section_on_them() -> None:
    poor = summarize(record(phase("sync"), phase("async")))
    for table in (*token_tables(poor, "search"), goodput_table(poor, "search"), item_table(poor, "search")):
        assert table.rows == ()
    text = to_html([poor])
    assert "-first_token-" not in text
    assert "-goodput-" not in text
    assert "-items-" not in text


def test_bars_of_one_load_stand_together(summary: Summary) -> None:
    figure, _ = stage_figure(stage_rows(summary, "ask"))
    (axes,) = figure.axes
    places = [float(place) for place in axes.get_yticks()]
    assert places == pytest.approx([0, 1, 2, 3.4, 4.4, 5.4])
    assert [each.get_text() for each in axes.get_yticklabels()][2:4] == [
        "2 users, async stream=true",
        "8 users, sync",
    ]
