"""A search for a rate in words, tables, reports and exit code."""

import io

import numpy as np
import pytest

from loadgen.reports.console_rates import print_rate_search
from loadgen.reports.data_formats import to_json
from loadgen.reports.html import to_html
from loadgen.reports.markdown import to_markdown
from loadgen.reports.rates import finding_table, rate_chart, step_table
from loadgen.reports.summary import summarize
from loadgen.results.record import RateFindingRecord, RateSearchRecord, RunRecord
from loadgen.results.verdict import explain, find_unfound
from loadgen.results.verdict.rates import show_arrivals
from tests.unit.rate_support import search
from tests.unit.record_support import phase, record


@pytest.fixture(scope="module")
def rate_search() -> RateSearchRecord:
    with pytest.MonkeyPatch.context() as patch:
        return search(patch).as_record()


def searched(rate_search: RateSearchRecord, incomplete: str | None = "") -> RunRecord:
    phases = (phase(name, None, model="constant", rate=rate) for name in ("sync", "async") for rate in (10.0, 200.0))
    return record(*phases, rate_search=rate_search, incomplete=incomplete)


def finding(outcome: str, reason: str = "", low: float | None = None) -> RateFindingRecord:
    values = {"variant": "async", "outcome": outcome, "rate": 3_900.0, "low": low, "high": low, "reason": reason}
    return RateFindingRecord.model_validate(values)


def test_the_headlines_name_rate_interval_and_what_failed(rate_search: RateSearchRecord) -> None:
    reported = explain(searched(rate_search))
    assert len(reported.headlines) == 2
    assert reported.headlines[0].startswith("sync: ")
    for line, one in zip(reported.headlines, rate_search.findings, strict=True):
        assert f"{show_arrivals(one.rate)} is the highest rate that meets search p99 < 50 ms" in line
        assert "(95 % interval " in line
        assert "Above it: search p99 < 50 ms: 80.063 ms." in line
    assert find_unfound(rate_search) == ()


@pytest.mark.parametrize(
    ("one", "reported"),
    [
        (finding("generator", "the load generator used 97% of its core"), "the generator ended at 3,900/s with 2 proc"),
        (finding("generator", "97%"), "; add processes (97%)"),
        (finding("generator", "all slots: raise --max-in-flight"), "; raise --max-in-flight (all slots"),
        (finding("at least"), "every step passed, up to 3,900/s"),
        (finding("at least", "97% of a core"), "3,900/s passed, and above it 97% of a core; the edge is unknown"),
        (
            finding("none", "search p99 < 50 ms: 80 ms"),
            "even the lowest rate that was tried, 3,900/s, fails: search p99",
        ),
        (finding("unfinished"), "no rate is claimed"),
    ],
)
def test_every_other_end_says_why_and_leaves_the_exit_code_1(
    rate_search: RateSearchRecord, one: RateFindingRecord, reported: str
) -> None:
    other = rate_search.model_copy(update={"findings": (one,)})
    (missed,) = find_unfound(other)
    assert reported in missed
    assert missed.startswith("no rate: async: ")
    assert reported in explain(searched(other)).headlines[0]


def test_a_rate_is_said_to_meet_the_conditions_on_its_own_variant_only(rate_search: RateSearchRecord) -> None:
    first, second = rate_search.conditions
    own = (first.model_copy(update={"variant": "sync"}), second)
    headlines = explain(searched(rate_search.model_copy(update={"conditions": own}))).headlines
    assert " that meets search p99 < 50 ms, search failures < 1 % (" in headlines[0]
    assert " that meets search failures < 1 % (" in headlines[1]


def test_nothing_is_claimed_while_the_search_goes_on(rate_search: RateSearchRecord) -> None:
    going = rate_search.model_copy(update={"findings": (finding("unfinished"),)})
    assert explain(searched(going, incomplete=None)).headlines == ("The search has no result yet.",)


def test_the_tables_have_every_step(rate_search: RateSearchRecord) -> None:
    steps = step_table(rate_search)
    assert len(steps.rows) == len(rate_search.steps)
    assert steps.rows[0][:3] == ("sync", "passed", "10/s")
    assert [row[0] for row in finding_table(rate_search).rows] == ["sync", "async"]
    assert finding_table(None).rows == step_table(None).rows == ()
    out = io.StringIO()
    print_rate_search(rate_search, out)
    text = out.getvalue()
    assert "The highest rate that meets search p99 < 50 ms, search failures < 1 %" in text
    assert text.count("20.02 ms") + text.count("80.06 ms") == len(rate_search.steps)


def test_reports_mark_the_edge(rate_search: RateSearchRecord) -> None:
    summary = summarize(searched(rate_search))
    chart = rate_chart(summary, "r0")
    assert chart is not None
    (axes,) = chart.figure.axes
    edges = {round(one.rate or 0, 6) for one in rate_search.findings}
    drawn = [np.asarray(line.get_xdata(), dtype=float).tolist() for line in axes.lines]
    assert edges <= {round(places[0], 6) for places in drawn if len(places) == 2}
    assert axes.get_title() == "search p99 < 50 ms"
    page = to_html([summary])
    assert "<h2>The highest rate</h2>" in page
    assert "Time against the rate of arrivals, up to the edge" in page
    assert "What is the highest rate?" in page
    assert "## The highest rate that meets the conditions" in to_markdown([summary])
    assert '"outcome": "found"' in to_json([summary])


def test_a_run_without_a_search_has_no_such_section() -> None:
    summary = summarize(record(phase("sync"), phase("async")))
    assert rate_chart(summary, "r0") is None
    assert "The highest rate" not in to_html([summary])
