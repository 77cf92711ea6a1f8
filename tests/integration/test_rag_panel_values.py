"""What the panels make of the RAG path's figures and of the proxies', where both are known."""

from pathlib import Path

import pytest

from dashboards import rag_queries
from tests.integration.monitoring_support import panel_queries, substitute
from tests.integration.panel_support import ALL, BOUNDS, WIDE, fill_in, kind_of, make_run, process
from tests.integration.promtool_support import OWN, Samples, assert_values, labelled


@pytest.fixture(scope="module")
def asked() -> Samples:
    """Answers of two variants by one process, ingests by another, and the simulated model that they use."""
    collected = Samples()
    make_run(collected, "asked", ("here", "there"), 30, 330)
    span = (50, 300)
    for variant, embed in (("sync", 0.02), (WIDE, 0.01)):
        ask = process("here") | kind_of(variant) | {"client": "rag", "operation": "ask"}
        for outcome, rate in (("ok", 6), ("timeout", 2)):
            collected.grow(labelled("loadgen_operations_total", **ask, outcome=outcome), rate, *span)
        collected.grow(labelled("loadgen_good_operations_total", **ask), 2, *span)
        for item, rate in (("tokens_in", 600), ("tokens_out", 120)):
            collected.grow(labelled("loadgen_items_total", **ask, item=item), rate, *span)
        means = {
            "embed": embed,
            "retrieve": 0.03,
            "first_token": 0.05,
            "generate": 0.1,
            "inter_token": 0.005,
            "search": 0.02,
        }
        for stage, seconds in means.items():
            number = 120 if stage == "inter_token" else 6
            collected.grow(labelled("loadgen_stage_seconds_count", **ask, stage=stage), number, *span)
            collected.grow(labelled("loadgen_stage_seconds_sum", **ask, stage=stage), number * seconds, *span)
            for bound in BOUNDS:
                rate = number if seconds <= float(bound) else 0
                collected.grow(labelled("loadgen_stage_seconds_bucket", **ask, stage=stage, le=bound), rate, *span)
        recall = {label: value for label, value in ask.items() if label != "operation"}
        collected.grow(labelled("loadgen_recall_ratio_count", **recall), 1, *span)
        collected.grow(labelled("loadgen_recall_ratio_sum", **recall), 0.75, *span)
    ingest = process("there") | kind_of("sync") | {"client": "rag", "operation": "ingest"}
    for item, rate in (("documents", 4), ("chunks", 20), ("tokens", 3_000)):
        collected.grow(labelled("loadgen_items_total", **ingest, item=item), rate, *span)
    for stage, seconds in (("read", 0.001), ("embed", 0.2)):
        collected.grow(labelled("loadgen_stage_seconds_count", **ingest, stage=stage), 1, *span)
        collected.grow(labelled("loadgen_stage_seconds_sum", **ingest, stage=stage), seconds, *span)
    model = {"namespace": "load", "job": "llm", "instance": "model", "kind": "chat"}
    collected.grow(labelled("llm_server_first_token_seconds_count", **model), 12, *span)
    collected.grow(labelled("llm_server_first_token_seconds_sum", **model), 12 * 0.04, *span)
    collected.grow(labelled("llm_server_requests_total", **model, outcome="ok"), 12, *span)
    return collected


BOTH = ("sync", WIDE)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (rag_queries.good(), {labelled("", variant=name, operation="ask"): 2 for name in BOTH}),
        (rag_queries.good_share(), {labelled("", variant=name, operation="ask"): 0.25 for name in BOTH}),
        (rag_queries.recall(), {labelled("", variant=name): 0.75 for name in BOTH}),
        (rag_queries.stage_quantile("1", "first_token"), {labelled("", variant=name): 0.05 for name in BOTH}),
        (rag_queries.stage_mean("inter_token"), {labelled("", variant=name): 0.005 for name in BOTH}),
        (
            rag_queries.items("tokens_in", "tokens_out"),
            {
                labelled("", variant=name, operation="ask", item=item): rate
                for name in BOTH
                for item, rate in (("tokens_in", 600), ("tokens_out", 120))
            },
        ),
        (rag_queries.items("tokens"), {labelled("", variant="sync", operation="ingest", item="tokens"): 3_000}),
        (rag_queries.server_mean("first_token"), {labelled("", kind="chat"): 0.04}),
        (rag_queries.server_requests(), {labelled("", kind="chat", outcome="ok"): 12}),
    ],
)
def test_figures_of_the_rag_path_are_those_that_were_counted(
    query: str, expected: dict[str, float], asked: Samples, tmp_path: Path
) -> None:
    assert_values(asked, fill_in(query, "asked"), 200, expected, tmp_path)


@pytest.mark.parametrize(("variant", "embed"), [("sync", 0.02), (WIDE, 0.01)])
def test_what_is_stacked_is_one_variants_stages_of_one_operation_and_adds_up_to_its_time(
    variant: str, embed: float, asked: Samples, tmp_path: Path
) -> None:
    """The search is within `retrieve`, and a token within `generate`."""
    means = {"embed": embed, "retrieve": 0.03, "first_token": 0.05, "generate": 0.1}
    query = substitute(rag_queries.stage_means("ask"), OWN | {"run": "asked", "variant": variant})
    assert_values(asked, query, 200, {labelled("", stage=stage): mean for stage, mean in means.items()}, tmp_path)
    query = substitute(rag_queries.stage_means("ingest"), OWN | {"run": "asked", "variant": variant})
    ingest = {"read": 0.001, "embed": 0.2} if variant == "sync" else {}
    assert_values(asked, query, 200, {labelled("", stage=stage): mean for stage, mean in ingest.items()}, tmp_path)


@pytest.fixture(scope="module")
def served() -> Samples:
    """Two proxies, each with 10 searches a second and what they cost: milliseconds, and bytes."""
    collected = Samples()
    means = {"req_in_queue": 2, "sq_wait_result": 30, "sq_reduce_result": 4, "sq_decode_result": 1}
    for proxy in ("one", "two"):
        of_proxy = {"namespace": "milvus", "job": "milvus", "instance": proxy, "node_id": proxy}
        for part, mean in means.items():
            kind = {"function_name": "SearchTask"} if part == "req_in_queue" else {"query_type": "search"}
            series = f"milvus_proxy_{part}_latency"
            collected.grow(labelled(f"{series}_count", **of_proxy, **kind), 10, 50, 300)
            collected.grow(labelled(f"{series}_sum", **of_proxy, **kind), 10 * mean, 50, 300)
        for status, rate in (("total", 12), ("success", 10), ("fail", 2)):
            limited = labelled("milvus_proxy_rate_limit_req_count", **of_proxy, msg_type="DQLSearch", status=status)
            collected.grow(limited, rate, 50, 300)
        collected.grow(labelled("milvus_proxy_slow_query_count", **of_proxy, msg_type="search"), 0.5, 50, 300)
        received = labelled("milvus_proxy_receive_bytes_count", **of_proxy, msg_type="search", collection_name="a")
        collected.grow(received, 30_000, 50, 300)
        collected.grow(labelled("milvus_proxy_send_bytes_count", **of_proxy), 360_000, 50, 300)
    return collected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Mean parts of a search A", {labelled("", query_type="search"): 0.03}),
        ("Mean parts of a search B", {labelled("", query_type="search"): 0.004}),
        ("Mean parts of a search C", {labelled("", query_type="search"): 0.001}),
        ("Mean time in the proxy's queue A", {labelled("", function_name="SearchTask"): 0.002}),
        ("Slow queries A", {labelled("", msg_type="search"): 1}),
        ("Rate-limited requests A", {labelled("", msg_type="DQLSearch"): 4}),
        ("Bytes A", {labelled("", msg_type="search"): 60_000}),
        ("Bytes B", {labelled("", job="milvus"): 720_000}),
    ],
)
def test_figures_of_the_proxies_are_means_per_request_and_sums_over_all_of_them(
    title: str, expected: dict[str, float], served: Samples, tmp_path: Path
) -> None:
    query = dict(panel_queries("milvus"))[f"milvus: {title}"]
    assert_values(served, fill_in(query, ALL), 200, expected, tmp_path)
