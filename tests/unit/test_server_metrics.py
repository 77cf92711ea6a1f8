"""The server's own view of a phase: read from its metrics, compared, recorded, and put into words."""

import logging
import math
from collections.abc import Callable
from typing import Any

import pytest

from loadgen.measure.server_view import ServerView
from loadgen.milvus import server_metrics
from loadgen.milvus.server_metrics import MetricsSnapshot, ServerMetrics, compare, count
from loadgen.reports.markdown import to_markdown
from loadgen.reports.server_work import server_table
from loadgen.reports.summary import summarize
from loadgen.results.record import PhaseRecord, ServerRecord
from loadgen.results.server_work import find_server_work
from loadgen.results.verdict import explain
from loadgen.settings.addresses import find_url_flaw, split_addresses
from loadgen.settings.faults import SettingsError
from tests.unit.record_support import phase, record, timed

SCRAPED = """\
# HELP milvus_proxy_sq_latency latency of search or query successfully
# TYPE milvus_proxy_sq_latency histogram
milvus_proxy_sq_latency_bucket{node_id="1",query_type="search",le="1"} 3
milvus_proxy_sq_latency_sum{node_id="1",query_type="search"} 212
milvus_proxy_sq_latency_count{node_id="1",query_type="search"} 20
milvus_proxy_sq_latency_sum{node_id="1",query_type="hybrid_search"} 88
milvus_proxy_sq_latency_count{node_id="1",query_type="hybrid_search"} 10
milvus_proxy_sq_latency_sum{node_id="1",query_type="query"} 5000
milvus_proxy_sq_latency_count{node_id="1",query_type="query"} 7
milvus_proxy_req_in_queue_latency_sum{function_name="SearchTask",node_id="1"} 4
milvus_proxy_req_in_queue_latency_count{function_name="SearchTask",node_id="1"} 20
milvus_proxy_mutation_latency_sum{msg_type="insert",node_id="1"} 17
milvus_proxy_mutation_latency_count{msg_type="insert",node_id="1"} 1
milvus_proxy_mutation_latency_sum{msg_type="delete",node_id="1"} 99
milvus_proxy_mutation_latency_count{msg_type="delete",node_id="1"} 9
milvus_proxy_req_count{function_name="Search",node_id="1",status="fail"} 2
milvus_proxy_req_count{function_name="Search",node_id="1",status="total"} 22
milvus_proxy_req_count{function_name="DescribeCollection",node_id="1",status="fail"} 6
milvus_proxy_rate_limit_req_count{msg_type="DQLSearch",node_id="1",status="fail"} 3
milvus_proxy_rate_limit_req_count{msg_type="DQLSearch",node_id="1",status="success"} 30
milvus_proxy_sq_latency_of_something_else_sum{query_type="search"} 7777
process_cpu_seconds_total 12.5
process_resident_memory_bytes 2.68e+08
"""


def counted(text: str) -> dict[str, float]:
    result: dict[str, float] = {}
    for key, value in count(text):
        result[key] = result.get(key, 0.0) + value
    return result


def test_only_what_matters_is_counted() -> None:
    assert counted(SCRAPED) == {
        "search.sum": 300.0,
        "search.count": 30.0,
        "queue.sum": 4.0,
        "queue.count": 20.0,
        "insert.sum": 17.0,
        "insert.count": 1.0,
        "failed": 2.0,
        "rate_limited": 3.0,
        "process_cpu_seconds_total": 12.5,
        "process_resident_memory_bytes": 2.68e8,
    }
    assert counted("<html>no metrics\n</html>") == {}


def test_what_happened_between_two_looks_in_seconds() -> None:
    before = MetricsSnapshot(10.0, {"search.sum": 100.0, "search.count": 10.0, "failed": 2.0, server_metrics.CPU: 3.0})
    after = MetricsSnapshot(14.0, {
        "search.sum": 400.0, "search.count": 40.0, "wait.sum": 60.0, "wait.count": 30.0, "insert.sum": 0.0,
        "insert.count": 0.0, "failed": 5.0, "rate_limited": 4.0, server_metrics.CPU: 5.0, server_metrics.MEMORY: 7.0,
    })  # fmt: skip
    view = compare(before, after)
    assert (view.seconds, view.searches, view.inserts, view.failed, view.rate_limited) == (4.0, 30, 0, 3, 4)
    assert (view.search, view.wait, view.cores, view.memory) == pytest.approx((0.010, 0.002, 0.5, 7.0))
    assert all(math.isnan(one) for one in (view.insert, view.queue, view.reduce, view.decode, view.node_queue))


def test_of_a_restarted_server_times_are_unknown_and_nothing_is_negative() -> None:
    before = MetricsSnapshot(0.0, {"search.sum": 900.0, "search.count": 90.0, "failed": 9.0, server_metrics.CPU: 30.0})
    view = compare(
        before, MetricsSnapshot(2.0, {"search.sum": 50.0, "search.count": 5.0, "failed": 1.0, server_metrics.CPU: 1.0})
    )
    assert (view.searches, view.failed) == (0, 0)
    assert math.isnan(view.search)
    assert math.isnan(view.cores)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str | OSError]]:
    """What each address answers, one after the other."""
    texts: dict[str, list[str | OSError]] = {}

    def fetch(url: str) -> str:
        answer = texts[url].pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(server_metrics, "_fetch", fetch)
    return texts


def searched(number: int, milliseconds: int) -> str:
    labels = '{node_id="1",query_type="search"}'
    return f"milvus_proxy_sq_latency_sum{labels} {milliseconds}\nmilvus_proxy_sq_latency_count{labels} {number}\n"


def test_all_addresses_are_added_up_and_a_silent_one_costs_two_views_and_one_warning(
    answers: dict[str, list[str | OSError]], caplog: pytest.LogCaptureFixture
) -> None:
    answers["a"] = [searched(0, 0), searched(10, 50), searched(20, 100), searched(30, 150), searched(40, 200)]
    answers["b"] = [searched(5, 5), searched(15, 155), OSError("b: refused"), searched(30, 300), searched(50, 900)]
    metrics = ServerMetrics(("a", "b"))
    with caplog.at_level(logging.WARNING, logger="loadgen"):
        views = [metrics.take() for _ in range(5)]
    assert [view and (view.searches, round(view.search, 6)) for view in views] == [
        None, (20, 0.010), None, None, (30, round(0.65 / 30, 6)),
    ]  # fmt: skip
    assert [one.getMessage() for one in caplog.records] == [
        "The server's metrics cannot be read (b: refused); its own view is missing"
    ]
    assert ServerMetrics(()).take() is None


def test_all_addresses_without_metrics_of_milvus_are_refused_together(answers: dict[str, list[str | OSError]]) -> None:
    answers |= {"http://a": [searched(1, 1)], "http://b": [OSError("http://b: refused")], "http://c": ["up 1\n"]}
    with pytest.raises(SettingsError) as caught:
        ServerMetrics(tuple(answers)).check()
    assert [(one.setting, one.value, one.problem) for one in caught.value.faults] == [
        ("server_metrics", "http://b", "does not answer (refused)"),
        ("server_metrics", "http://c", "has no metrics of Milvus"),
    ]


@pytest.mark.parametrize(
    ("url", "flaw"),
    [
        ("http://127.0.0.1:9091/metrics", ""),
        ("https://milvus.example.com/metrics?x=1", ""),
        ("http://[::1]:9091", ""),
        ("milvus:9091", "is no http:// or https:// address"),
        ("file:///etc/passwd", "is no http:// or https:// address"),
        ("http://", "has no valid host and port"),
        ("http://user:pw@milvus:9091/metrics", "contains a user or a password"),
        ("http://mil vus", "contains a space or another character that has to be percent-encoded"),
    ],
)
def test_addresses_that_can_be_asked(url: str, flaw: str) -> None:
    assert find_url_flaw(url) == flaw
    assert split_addresses(f" {url} ,,http://b") == [url, "http://b"]


def seen(searches: int, search: float | None, **given: Any) -> ServerRecord:
    values: dict[str, Any] = dict.fromkeys(ServerRecord.model_fields) | {
        "seconds": 10.0, "inserts": 0, "failed_requests": 0, "rate_limited_requests": 0,
    }  # fmt: skip
    return ServerRecord(**values | {"searches": searches, "search_seconds": search} | given)


def ran(mode: str, view: ServerRecord | None) -> PhaseRecord:
    return phase(mode, 8, timed([50.0] * 4), server=view)


def test_rounds_are_weighted_by_their_searches() -> None:
    rounds = [ran("async", seen(100, 0.010, cores_used=1.0, memory_bytes=5.0)), ran("async", seen(300, 0.030))]
    work = find_server_work(rounds)
    assert work is not None
    assert (work.searches, work.seconds["search"], work.cores, work.memory_bytes) == (400, 0.025, 1.0, 5.0)
    assert work.seconds["search_wait"] is None
    assert find_server_work([*rounds, ran("async", None)]) is None, "not all of it is known"
    assert find_server_work([]) is None


@pytest.fixture
def reported() -> Callable[..., list[str]]:
    def find(*phases: PhaseRecord) -> list[str]:
        return [line for line in explain(record(*phases)).findings if "Milvus" in line]

    return find


def test_a_line_for_each_variant_says_how_much_of_a_search_is_the_servers(reported: Callable[..., list[str]]) -> None:
    parts = {"search_wait_seconds": 0.004, "search_queue_seconds": 0.0005}
    both = (ran("sync", seen(9, 0.005)), ran("async", seen(9, 0.0061, **parts, failed_requests=3)))
    lines = reported(*both)
    assert [line.partition(" on average, ")[2] for line in lines[:2]] == [
        "5 ms of them by Milvus's own clock.",
        "6.1 ms of them by Milvus's own clock (0.5 ms in its queue, 4 ms waiting for query nodes).",
    ]
    assert lines[2:] == ["Milvus counted 3 failed requests."]
    assert reported(ran("sync", None), ran("async", seen(0, None))) == []


def test_the_report_has_a_table_only_with_what_is_known() -> None:
    summary = summarize(record(ran("sync", seen(90, 0.005)), ran("async", seen(80, 0.006, search_wait_seconds=0.004))))
    table = server_table(summary)
    assert table.head[2:5] == ("searches", "search ms", "wait ms")
    assert [row[:5] for row in table.rows] == [
        ("8 users", "sync", "90", "5.00", "-"),
        ("8 users", "async", "80", "6.00", "4.00"),
    ]
    assert "| 8 users | async | 80 | 6.00 | 4.00 |" in to_markdown([summary])
    assert server_table(summarize(record(phase("sync"), phase("async")))).rows == ()


def test_a_view_is_unknown_by_default() -> None:
    view = ServerView(1.0)
    assert (view.searches, view.inserts, view.failed, view.rate_limited) == (0, 0, 0, 0)
    assert math.isnan(view.search)
