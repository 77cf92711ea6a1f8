"""A real Prometheus scrapes real runs with two workers: every panel and rule has data, and the numbers are right."""

import json
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

from dashboards.queries import baselines, mean_throughput
from loadgen.milvus.server import EmbeddedServer
from tests.corpus.milvus_series import EMBEDDED, is_known, labels_of, milvus_series
from tests.integration.locust_command import ROOT, SEARCHED, SMALL
from tests.integration.monitoring_runs import MEASURED, Scraped, find_wrong, scrape
from tests.integration.monitoring_support import (
    DASHBOARDS,
    Prometheus,
    fill_in,
    find_unknown,
    monitoring,
    panel_queries,
    variable_queries,
)

TWO = "async connections=2"
VARIANTS = {"sync": "sync", "async": "async", TWO: "async"}
"""The mode of each variant of the comparison."""
OF_ALL = ("generator", "milvus", "variants")
"""The dashboards of runs of every kind."""
SCRAPED = 0.3
"""Share by which a rate may be off: a process that has no core for seconds is scraped late, or not at all."""
PHASES = ("--concurrency", "4", "--rounds", "1", "--phase-seconds", "7", "--warmup-seconds", "1")


@pytest.fixture(scope="module")
def prometheus(milvus: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    assert milvus.metrics_uri
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with monitoring(tmp_path_factory.mktemp("monitoring"), port, milvus.metrics_uri) as result:
        yield result


@pytest.fixture(scope="module")
def compared(prometheus: Prometheus, milvus: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Scraped:
    """Searches, inserts and deletes of three variants."""
    folder = tmp_path_factory.mktemp("compared")
    file = folder / "measured.py"
    file.write_text((ROOT / "locustfiles" / "mixed.py").read_text() + MEASURED)
    flags = ("--host", milvus.uri, "--collection", "monitoring_mixed", "--variants", "; ".join(VARIANTS), *PHASES)
    return scrape(prometheus, folder, 0, *flags, *SMALL, files=str(file))


@pytest.fixture(scope="module")
def steady(compared: Scraped, milvus: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Scraped:
    """Searches in one mode, as the second run in the data."""
    prometheus = compared.prometheus
    flags = (
        "--host",
        milvus.uri,
        "--collection",
        SEARCHED,
        "--mode",
        "async",
        "-u",
        "4",
        "-r",
        "4",
        "-t",
        "8s",
        *SMALL,
    )
    return scrape(prometheus, tmp_path_factory.mktemp("steady"), 0, *flags, files="search.py")


def test_every_query_of_every_panel_has_data_and_names_nothing_that_is_not_there(compared: Scraped) -> None:
    assert {path.stem for path in DASHBOARDS} == {*OF_ALL, "rag"}
    wrong = find_wrong(compared, *OF_ALL)
    newer = {name for name in milvus_series() if not is_known(name, EMBEDDED)}
    assert {place: reported.partition(":")[0] for place, reported in wrong.items()} == {
        place: "unknown" for place, query in panel_queries("milvus") if any(name in query for name in newer)
    }, "what the embedded version lacks, and nothing else"


def test_the_list_of_milvus_series_has_what_the_embedded_server_has(compared: Scraped) -> None:
    scraped = {"namespace", "job", "pod", "role", "instance", "le", "__name__"}
    for name in milvus_series():
        parts = ("_count", "") if name.endswith("_latency") else ("",)
        seen: set[str] = set().union(*(compared.prometheus.labels(name + part, *compared.span) for part in parts))
        assert seen - scraped == set(labels_of(name, EMBEDDED)), name


def test_every_variable_finds_its_values(compared: Scraped) -> None:
    result = {}
    for place, selector, label in variable_queries():
        filled = fill_in(selector, 60)
        answer = compared.prometheus.get("series", **{"match[]": filled, "start": compared.start, "end": compared.end})
        result[place.partition("$")[2]] = {one.get(label) for one in answer}
    assert compared.record["run_id"] in result["run"]
    assert result["operation"] == {"search", "insert", "delete", "ask"}
    assert result["variant"] == set(VARIANTS)
    query = fill_in(baselines(), compared.end - compared.start, run=compared.record["run_id"])
    offered = compared.prometheus.values(query, compared.end)
    assert offered == {("sync",): 2, ("async",): 1, (TWO,): 1}, "the run's own baseline before the others"
    assert result["namespace"] == result["milvus_namespace"] == {"local"}
    assert result["milvus"] == {"milvus"}


def test_every_recording_rule_has_data_and_every_alert_names_what_is_there(compared: Scraped) -> None:
    wrong = {}
    rules = [rule for group in compared.prometheus.get("rules")["groups"] for rule in group["rules"]]
    for rule in rules:
        if unknown := find_unknown(compared.prometheus, rule["query"], compared.span):
            wrong[rule["name"]] = unknown
        elif rule["type"] == "recording" and not compared.prometheus.points(rule["name"], *compared.span):
            wrong[rule["name"]] = ["no data"]
    assert wrong == {}
    assert {rule["health"] for rule in rules} == {"ok"}
    assert [rule["name"] for rule in rules if rule["type"] == "alerting"] == [
        "LoadgenSaturated",
        "LoadgenDroppedArrivals",
        "LoadgenErrors",
    ]


def test_a_wrong_name_in_a_query_is_found(compared: Scraped) -> None:
    right = 'sum by (variant) (rate(loadgen_operations_total{namespace=~".*"}[8s]))'
    assert find_unknown(compared.prometheus, right, compared.span) == []
    for wrong, reported in (
        (right.replace("_operations_", "_requests_"), ['loadgen_requests_total{namespace=~".*"}', "variant"]),
        (right.replace("namespace", "name_space"), ["loadgen_operations_total: name_space"]),
        (right.replace("variant", "variants"), ["variants"]),
    ):
        assert find_unknown(compared.prometheus, wrong, compared.span) == reported


def test_operations_add_up_over_the_workers_to_locusts_own_table(compared: Scraped, steady: Scraped) -> None:
    for scraped in (compared, steady):
        run_id = scraped.record["run_id"]
        query = (
            "sum by (variant, operation) (loadgen_operations_total"
            f' * on (instance) group_left () loadgen_run_info{{run_id="{run_id}"}}) > 0'
        )
        result = {
            f"{variant} {operation}": count
            for (operation, variant), count in scraped.prometheus.values(query, scraped.last).items()
        }
        assert result == scraped.run.reported["stats"]
        by_role = scraped.prometheus.values("count by (pod) (loadgen_operations_total)", scraped.last)
        assert list(by_role) == [("worker",)], "a master counts nothing that its workers count"


def test_counts_are_those_of_the_run_record_and_quantiles_within_the_error_of_the_buckets(steady: Scraped) -> None:
    (phase,) = steady.record["phases"]
    (operation,) = phase["operations"]
    mine = f'on (instance) group_left () loadgen_run_info{{run_id="{steady.record["run_id"]}"}}'
    counted = steady.prometheus.values(f"sum by (outcome) (loadgen_operations_total * {mine}) > 0", steady.last)
    before = sum((Counter(part["outcomes"]) for part in steady.record["outside"]), Counter())  # not all were there yet
    sent = before + Counter(operation["outcomes"])
    assert {outcome: count for (outcome,), count in counted.items()} == dict(sent)
    assert steady.prometheus.value(f"sum(loadgen_rows_total * {mine})", steady.last) == 10 * sent["ok"]
    histogram = HdrHistogram.decode(operation["service_seconds"]["histogram"])
    rank = 100 * (1 + before.total()) / histogram.get_total_count()
    for percent in (50, 90, 95, 99):
        buckets = f"sum by (le) (loadgen_service_seconds_bucket * {mine})"
        result = steady.prometheus.value(f"histogram_quantile({percent / 100}, {buckets})", steady.last)
        low, high = (histogram.get_value_at_percentile(percent + step) / 1e6 for step in (-rank, rank))
        assert low * 0.9 <= result <= high * 1.1, f"p{percent}"


def test_a_panels_figures_are_those_of_what_was_counted_and_the_record_has_it_all(compared: Scraped) -> None:
    """A panel has the warm-ups too, and a phase has not: what both come from is compared, to the last operation."""
    record, seconds = compared.record, compared.last - compared.start
    panels = dict(panel_queries())
    chosen = {"run": record["run_id"], "operation": "search"}
    counted = searches_of(compared, "operations_total", "variant", 'outcome=~"ok|empty"')
    for variant in VARIANTS:
        parts = [one for phase in record["phases"] if phase["variant"] == variant for one in phase["operations"]]
        parts += [one for one in record["outside"] if one["variant"] == variant]
        answers = [one["outcomes"].get(kind, 0) for one in parts for kind in ("ok", "empty") if is_search(one)]
        assert sum(answers) == counted[variant]
    mine = f'on (instance) group_left () loadgen_run_info{{run_id="{record["run_id"]}"}}'
    ran = compared.prometheus.values(f"sum by (variant) (loadgen_active_seconds_total * {mine})", compared.last)
    shown = compared.prometheus.values(fill_in(mean_throughput(), seconds, **chosen), compared.last)
    assert shown == pytest.approx({key: counted[key[0]] / time for key, time in ran.items()}, rel=SCRAPED)
    medians = searches_of(compared, "response_seconds_bucket", "variant, le", "", "histogram_quantile(0.5, {})")
    for baseline in VARIANTS:
        for title, of in (("Throughput", {key[0]: value for key, value in shown.items()}), ("Response p50", medians)):
            ratios = fill_in(panels[f"variants: {title}, to $baseline A"], seconds, **chosen, baseline=baseline)
            others = {(variant,): of[variant] / of[baseline] for variant in VARIANTS if variant != baseline}
            assert compared.prometheus.values(ratios, compared.last) == pytest.approx(others, rel=SCRAPED), title
    heat = fill_in(panels["variants: Response times, $variant A"], seconds, **chosen, variant=TWO)
    assert compared.prometheus.points(heat, *compared.span)


def is_search(part: dict[str, Any]) -> bool:
    return bool(part["operation"] == "search")


def searches_of(scraped: Scraped, metric: str, by: str, outcome: str, form: str = "{}") -> dict[str, float]:
    """What the processes of a run have counted of searches at its end, by variant."""
    mine = f'on (instance) group_left () loadgen_run_info{{run_id="{scraped.record["run_id"]}"}}'
    chosen = ", ".join(filter(None, ['operation="search"', outcome]))
    query = form.format(f"sum by ({by}) (loadgen_{metric}{{{chosen}}} * {mine})")
    return {variant: value for (variant,), value in scraped.prometheus.values(query, scraped.last).items()}


def test_lines_by_concurrency_and_marks_are_those_of_the_phases(compared: Scraped) -> None:
    record, seconds = compared.record, compared.last - compared.start
    chosen = {"run": record["run_id"], "operation": "search"}
    levels = fill_in(dict(panel_queries())["variants: Throughput by concurrency A"], seconds, **chosen)
    means = compared.prometheus.values(fill_in(mean_throughput(), seconds, **chosen), compared.last)
    drawn = compared.prometheus.lines(levels, *compared.span)
    assert {(one["variant"], one["concurrency"]) for one in drawn} == {(variant, "4") for variant in VARIANTS}
    for line in compared.prometheus.range(levels, *compared.span):
        highest = max(float(value) for _, value in line["values"])
        assert highest > means[line["metric"]["variant"],] / 2
    longer = levels.replace("5s", "60s")
    assert compared.prometheus.points(longer, *compared.span) == [], "a window longer than the phase has others in it"
    users = compared.prometheus.points("sum(loadgen_users)", *compared.span)
    assert max(users) == 4, "all workers together have the users of one phase"
    marks = compared.prometheus.lines("loadgen_phase_info", *compared.span)
    assert {one.get("run_id") for one in marks} == {record["run_id"]}, "no series of a phase lacks its run"
    order = [*VARIANTS, *reversed(VARIANTS)]
    phases = {(str(number), variant, VARIANTS[variant]) for number, variant in enumerate(order, 1)}
    assert {(one["phase"], one["variant"], one["mode"]) for one in marks} == phases
    assert {one["pod"] for one in marks} == {"worker", "master"}
    drawn = compared.prometheus.lines('{__name__=~"loadgen_.+", variant!=""}', *compared.span)
    assert {one["variant"] for one in drawn} == set(VARIANTS), "nothing is counted as `other`"


def test_the_variants_are_described_by_the_master_alone(compared: Scraped) -> None:
    result = compared.prometheus.lines(f'loadgen_variant_info{{run_id="{compared.record["run_id"]}"}}', *compared.span)
    assert {one["pod"] for one in result} == {"master"}
    assert [(one["variant"], one["mode"], one["baseline"], one["settings"]) for one in result] == [
        (variant, mode, str(variant == "sync").lower(), variant) for variant, mode in sorted(VARIANTS.items())
    ]


def test_with_all_runs_chosen_a_throughput_is_of_the_time_of_all_of_them(compared: Scraped, steady: Scraped) -> None:
    done, ran = dict.fromkeys(VARIANTS, 0.0), dict.fromkeys(VARIANTS, 0.0)
    for scraped in (compared, steady):
        mine = f'on (instance) group_left () loadgen_run_info{{run_id="{scraped.record["run_id"]}"}}'
        counted = f'sum by (variant) (loadgen_operations_total{{operation="search", outcome=~"ok|empty"}} * {mine})'
        reported = f"loadgen_active_seconds_total * {mine}"
        assert list(scraped.prometheus.values(f"count by (pod) ({reported})", scraped.last)) == [("master",)]
        for (variant,), number in scraped.prometheus.values(counted, scraped.last).items():
            done[variant] += number
        for (variant,), seconds in scraped.prometheus.values(f"sum by (variant) ({reported})", scraped.last).items():
            ran[variant] += seconds
    query = fill_in(mean_throughput(), steady.last - compared.start, operation="search")
    shown = {variant: value for (variant,), value in steady.prometheus.values(query, steady.last).items()}
    assert shown == pytest.approx({variant: done[variant] / ran[variant] for variant in VARIANTS}, rel=SCRAPED)


def test_resources_of_milvus_are_those_of_milvus_alone(compared: Scraped) -> None:
    for title in ("CPU of Milvus", "Memory of Milvus"):
        drawn = compared.prometheus.lines(fill_in(dict(panel_queries())[f"milvus: {title} A"], 60), *compared.span)
        assert {one["pod"] for one in drawn} == {"milvus"}, "`All` is chosen, and the workers export the same metric"


def test_another_run_does_not_show_where_one_is_chosen(compared: Scraped, steady: Scraped) -> None:
    query = dict(panel_queries())["variants: Throughput A"]
    chosen = fill_in(query, 60, run=compared.record["run_id"])
    assert compared.prometheus.points(chosen, *compared.span)
    assert compared.prometheus.points(chosen, *steady.span) == []
    assert compared.prometheus.points(fill_in(query, 60), *steady.span)


def test_the_file_of_targets_has_every_process_while_it_runs_and_none_afterwards(
    compared: Scraped, steady: Scraped
) -> None:
    for scraped in (compared, steady):
        assert sorted(scraped.roles.values()) == ["master", "worker", "worker"]
        assert scraped.run.err.count("Metrics stay at") == 3
    assert json.loads((compared.prometheus.folder / "targets.json").read_text()) == []
