"""What the panels make of runs whose figures are known, several of them in the data."""

from pathlib import Path

import pytest

from dashboards import queries, rag_queries
from tests.integration.monitoring_support import panel_queries, substitute
from tests.integration.promtool_support import LENGTH, OWN, STEP, Samples, assert_values, labelled

KIND = {"client": "llamaindex", "operation": "search"}
WIDE = 'async search-params="ef=64"'
"""A variant whose name has quotes."""
BOUNDS = ("0.02", "0.025", "0.04", "0.05", "0.08", "0.1", "+Inf")
ALL = ".*"


def process(instance: str) -> dict[str, str]:
    return {"namespace": "load", "job": "demo", "instance": instance}


def fill_in(query: str, run: str, baseline: str = "sync") -> str:
    """As Grafana sends it, with one run chosen or `All`, a baseline, and everything else at `All`."""
    return substitute(query, OWN | {"run": run, "baseline": baseline})


def kind_of(variant: str) -> dict[str, str]:
    return {"variant": variant, "mode": variant.partition(" ")[0]}


def make_phase(
    samples: Samples, workers: tuple[str, ...], lead: str, variant: str, span: tuple[int, int], **load: float
) -> None:
    """`rate` answers a second in each worker, each of them at `seconds`, which is a bound of the histogram."""
    for one in workers:
        labels = process(one) | KIND | kind_of(variant)
        samples.grow(labelled("loadgen_operations_total", **labels, outcome="ok"), load["rate"], *span)
        for bound in BOUNDS:
            rate = load["rate"] if load["seconds"] <= float(bound) else 0
            samples.grow(labelled("loadgen_response_seconds_bucket", **labels, le=bound), rate, *span)
    samples.grow(
        labelled("loadgen_active_seconds_total", **process(lead), **kind_of(variant), client="llamaindex"), 1, *span
    )


def make_run(samples: Samples, run_id: str, instances: tuple[str, ...], since: int, until: int) -> None:
    for one in instances:
        samples.gauge(labelled("loadgen_run_info", **process(one), run_id=run_id), since, until)


@pytest.fixture(scope="module")
def samples() -> Samples:
    """Run `first` and later `third` in one process; beside them `second`, with a master and two workers.

    The third one has another variant, with the least time of all.
    """
    collected = Samples()
    make_run(collected, "first", ("here",), 30, 330)
    make_phase(collected, ("here",), "here", "sync", (50, 150), rate=100, seconds=0.1)
    make_phase(collected, ("here",), "here", "async", (150, 250), rate=200, seconds=0.05)
    make_run(collected, "third", ("here",), 335, 600)
    make_phase(collected, ("here",), "here", "sync", (350, 450), rate=100, seconds=0.1)
    make_phase(collected, ("here",), "here", "async", (450, 550), rate=400, seconds=0.025)
    make_phase(collected, ("here",), "here", WIDE, (550, 595), rate=800, seconds=0.02)
    workers = ("one", "two")
    make_run(collected, "second", (*workers, "master"), 100, 500)
    make_phase(collected, workers, "master", "sync", (150, 300), rate=50, seconds=0.1)
    make_phase(collected, workers, "master", "async", (300, 450), rate=50, seconds=0.1)
    return collected


@pytest.mark.parametrize(
    ("run", "throughputs"),
    [
        ("first", {"sync": 100, "async": 200}),
        ("second", {"sync": 100, "async": 100}),
        ("third", {"sync": 100, "async": 400, WIDE: 800}),
        (ALL, {"sync": 100, "async": 75_000 / 350, WIDE: 800}),
    ],
)
def test_a_variants_throughput_is_of_the_time_of_all_chosen_runs_and_of_no_other(
    run: str, throughputs: dict[str, float], samples: Samples, tmp_path: Path
) -> None:
    query = fill_in(queries.mean_throughput(), run)
    expected = {labelled("", variant=name): round(value, 3) for name, value in throughputs.items()}
    assert_values(samples, query, LENGTH, expected, tmp_path)


@pytest.mark.parametrize(
    ("run", "baseline", "ratios"),
    [
        ("first", "sync", {"async": 2}),
        ("second", "sync", {"async": 1}),
        ("third", "sync", {"async": 4, WIDE: 8}),
        ("third", WIDE, {"sync": 0.125, "async": 0.5}),
        (ALL, "async", {"sync": 35 / 75, WIDE: 280 / 75}),
        ("first", WIDE, {}),
    ],
)
def test_every_other_variant_is_compared_with_the_chosen_baseline(
    run: str, baseline: str, ratios: dict[str, float], samples: Samples, tmp_path: Path
) -> None:
    expected = {labelled("", variant=name): round(value, 3) for name, value in ratios.items()}
    assert_values(samples, fill_in(queries.throughput_ratio(), run, baseline), LENGTH, expected, tmp_path)


def test_a_chosen_variant_is_compared_with_a_baseline_that_is_not_among_the_chosen(
    samples: Samples, tmp_path: Path
) -> None:
    chosen = OWN | {"run": "third", "baseline": "sync", "variant": WIDE}
    query = substitute(queries.throughput_ratio(), chosen)
    assert_values(samples, query, LENGTH, {labelled("", variant=WIDE): 8}, tmp_path)


@pytest.mark.parametrize(
    ("run", "baseline", "ratios"),
    [
        ("first", "sync", {"async": 0.5}),
        ("second", "sync", {"async": 1}),
        ("third", "sync", {"async": 0.25, WIDE: 0.2}),
        ("third", "async", {"sync": 4, WIDE: 0.8}),
    ],
)
def test_a_ratio_of_response_times_is_that_of_the_chosen_run_also_where_its_process_had_others(
    run: str, baseline: str, ratios: dict[str, float], samples: Samples, tmp_path: Path
) -> None:
    query = fill_in(queries.quantile_ratio("1"), run, baseline)
    assert_values(
        samples, query, LENGTH, {labelled("", variant=name): value for name, value in ratios.items()}, tmp_path
    )


def test_baselines_are_offered_with_that_of_the_run_before_the_others_also_after_the_run(tmp_path: Path) -> None:
    collected = Samples()
    for run, since, named in (("first", 30, "sync"), ("second", 335, WIDE)):
        for name in ("sync", "async", WIDE):
            labels = kind_of(name) | {"run_id": run, "baseline": str(name == named).lower()}
            collected.gauge(labelled("loadgen_variant_info", **process("here"), **labels), since, since + 200)
    for run, named in (("first", "sync"), ("second", WIDE)):
        expected = {labelled("", variant=name): 1 + (name == named) for name in ("sync", "async", WIDE)}
        assert_values(collected, fill_in(queries.baselines(), run), LENGTH, expected, tmp_path)


@pytest.fixture(scope="module")
def levels() -> Samples:
    """Phases of a variant at two concurrencies with nothing between them, and one that is shorter than a window."""
    collected = Samples()
    make_run(collected, "levels", ("one", "master"), 0, 400)
    plan = (("1", "8", (50, 150), 100, 0.1), ("2", "64", (150, 250), 400, 0.025), ("3", "512", (250, 265), 900, 0.05))
    for number, concurrency, span, rate, seconds in plan:
        labels = {"run_id": "levels", "phase": number, "concurrency": concurrency} | kind_of("sync")
        for instance in ("one", "master"):
            samples = labelled("loadgen_phase_info", **process(instance), **labels)
            collected.gauge(samples, span[0], span[1] - STEP)
        make_phase(collected, ("one",), "master", "sync", span, rate=rate, seconds=seconds)
    return collected


@pytest.mark.parametrize(("concurrency", "rate", "seconds"), [("8", 100, 0.1), ("64", 400, 0.025)])
def test_a_line_by_concurrency_is_of_its_own_phase_alone(
    concurrency: str, rate: float, seconds: float, levels: Samples, tmp_path: Path
) -> None:
    labels = labelled("", variant="sync", concurrency=concurrency)
    throughput, quantile = queries.throughput_by_concurrency(), queries.quantile_by_concurrency("1")
    for after in (20, 25, 60, 95):
        at = after + {"8": 50, "64": 150}[concurrency]
        assert_values(levels, fill_in(throughput, ALL), at, {labels: rate}, tmp_path)
        assert_values(levels, fill_in(quantile, ALL), at, {labels: seconds}, tmp_path)


@pytest.mark.parametrize("at", [50, 65, 150, 165, 250, 260, 265, 300])
def test_by_concurrency_nothing_is_drawn_while_a_window_reaches_back_over_a_phases_begin(
    at: int, levels: Samples, tmp_path: Path
) -> None:
    for query in (queries.throughput_by_concurrency(), queries.quantile_by_concurrency("0.95")):
        assert_values(levels, fill_in(query, ALL), at, {}, tmp_path)


def test_the_mean_of_a_stage_is_its_seconds_by_its_number(tmp_path: Path) -> None:
    collected = Samples()
    make_run(collected, "first", ("here",), 30, 330)
    for variant, seconds in (("sync", 0.5), (WIDE, 0.25)):
        labels = process("here") | KIND | kind_of(variant) | {"operation": "ask", "stage": "generate"}
        collected.grow(labelled("loadgen_stage_seconds_count", **labels), 4, 50, 300)
        collected.grow(labelled("loadgen_stage_seconds_sum", **labels), 4 * seconds, 50, 300)
    expected = {
        labelled("", variant=variant, operation="ask", stage="generate"): mean
        for variant, mean in (("sync", 0.5), (WIDE, 0.25))
    }
    assert_values(collected, fill_in(queries.mean_stage(), "first"), 200, expected, tmp_path)


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
