"""What a scrape tells: the values of every family, its units, and that it does not grow without bound."""

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from loadgen.exporters import Exporter, Role, VariantLabels, new_registry
from loadgen.exporters.buckets import DURATIONS
from loadgen.exporters.counting import OPERATIONS
from loadgen.measure.health import Beat
from loadgen.measure.ledger import Ledger
from loadgen.measure.operation import Operation
from loadgen.measure.phase import Phase
from loadgen.measure.sample import Mode, Outcome, Sample
from loadgen.settings.model import Settings

KINDS = {mode.value: VariantLabels(mode, "llamaindex") for mode in Mode}
SYNC = {"variant": "sync", "mode": "sync", "client": "llamaindex"}
ASYNC = {"variant": "async", "mode": "async", "client": "llamaindex"}
SEARCH = ASYNC | {"operation": "search"}
OTHER = {"variant": "other", "mode": "other", "client": "other"}
RUN = {"run_id": "20261122-193000-k3f9", "server": "milvus v2.6"}


def make(
    users: int = 3, role: Role = Role.LOCAL, clock: Callable[[], float] = lambda: 0.0
) -> tuple[Exporter, CollectorRegistry]:
    """With the variants of `--mode compare`, of which nothing was counted yet."""
    exporter = Exporter(role, lambda: users, clock)
    exporter.expect(KINDS, {})
    return exporter, new_registry(exporter)


def sample(
    seconds: float = 0.01,
    outcome: Outcome = Outcome.OK,
    waited: float = 0.0,
    operation: str = "search",
    error: BaseException | None = None,
) -> Sample:
    rows = 10 if outcome is Outcome.OK else 0
    return Sample("async", operation, 100 - waited, 100.0, 100 + seconds, outcome, rows, error)


def quantile(registry: CollectorRegistry, name: str, q: float) -> float:
    """Prometheus's histogram_quantile: https://prometheus.io/docs/prometheus/latest/querying/functions/."""
    result = [
        (float(one.labels["le"]), one.value)
        for family in registry.collect()
        for one in family.samples
        if one.name == f"{name}_bucket" and one.labels["mode"] == "async"
    ]
    rank = q * result[-1][1]
    place = next(number for number, (_, count) in enumerate(result) if count >= rank)
    if place == len(result) - 1:
        return result[-2][0]
    below, before = result[place - 1] if place else (0.0, 0.0)
    return below + (result[place][0] - below) * (rank - before) / (result[place][1] - before)


def series_of(registry: CollectorRegistry) -> set[str]:
    return {line.rpartition(" ")[0] for line in generate_latest(registry).decode().splitlines() if line[0] != "#"}


def test_operations_rows_and_durations_are_those_of_the_samples() -> None:
    exporter, registry = make()
    exporter([sample(0.01), sample(0.03), sample(0.05, Outcome.EMPTY), sample(0.5, Outcome.FAILED)])
    exporter([sample(2.0, Outcome.TIMEOUT)])
    for outcome, count in {"ok": 2, "empty": 1, "failed": 1, "timeout": 1, "throttled": 0, "rejected": 0}.items():
        assert registry.get_sample_value("loadgen_operations_total", SEARCH | {"outcome": outcome}) == count
    assert registry.get_sample_value("loadgen_rows_total", SEARCH) == 20
    for name in ("loadgen_service_seconds", "loadgen_response_seconds"):
        assert registry.get_sample_value(f"{name}_count", SEARCH) == 4, "answered operations and timeouts"
        assert registry.get_sample_value(f"{name}_sum", SEARCH) == pytest.approx(2.09)
        assert registry.get_sample_value(f"{name}_bucket", SEARCH | {"le": "0.03981"}) == 2
        assert registry.get_sample_value(f"{name}_bucket", SEARCH | {"le": "+Inf"}) == 4


def test_response_time_counts_from_the_scheduled_start() -> None:
    exporter, registry = make()
    exporter([sample(0.01, waited=1.0)])
    assert registry.get_sample_value("loadgen_service_seconds_sum", SEARCH) == pytest.approx(0.01)
    assert registry.get_sample_value("loadgen_response_seconds_sum", SEARCH) == pytest.approx(1.01)
    assert registry.get_sample_value("loadgen_service_seconds_bucket", SEARCH | {"le": "1"}) in (1, None)
    assert quantile(registry, "loadgen_service_seconds", 0.5) < 0.011
    assert 0.95 < quantile(registry, "loadgen_response_seconds", 0.5) < 1.1


def test_neighbouring_bounds_are_less_than_ten_per_cent_apart_from_half_a_millisecond_to_a_minute() -> None:
    assert DURATIONS[0] <= 0.0005
    assert DURATIONS[-1] >= 60
    ratios = [upper / lower for lower, upper in pairwise(DURATIONS)]
    assert max(ratios) < 1.1
    assert len(DURATIONS) < 150


@pytest.mark.parametrize("seconds", [0.0005, *(edge * (1 + 1e-9) for edge in DURATIONS if 0.0005 < edge < 60), 60.0])
def test_a_quantile_is_within_ten_per_cent_where_all_values_lie_at_one_edge(seconds: float) -> None:
    exporter, registry = make()
    exporter([sample(seconds)] * 3)
    for q in (0.01, 0.5, 0.99):
        assert quantile(registry, "loadgen_service_seconds", q) == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize("middle", [0.002, 0.05, 3.0])
def test_a_quantile_is_within_ten_per_cent_of_the_ledgers(middle: float) -> None:
    exporter, registry = make()
    ledger = Ledger()
    ledger.open(Phase(0, Mode.ASYNC, 8), 0.0)
    draw = random.Random(7)
    batch = [sample(draw.lognormvariate(math.log(middle), 0.7)) for _ in range(5_000)]
    for sink in (exporter, ledger):
        sink(batch)
    stats = ledger.windows[0].operation_stats["async", "search"]
    for percent in (50, 90, 95, 99):
        assert quantile(registry, "loadgen_service_seconds", percent / 100) == pytest.approx(
            stats.percentile(percent), rel=0.1
        )


def test_many_kinds_of_failure_and_operation_leave_the_number_of_series_bounded() -> None:
    exporter, registry = make()
    failing = [outcome for outcome in Outcome if outcome.is_failure]

    def storm(numbers: Sequence[int]) -> None:
        exporter(
            [
                sample(0.01, failing[n % len(failing)], operation=f"own_{n % 500}", error=ValueError(f"id {n}"))
                for n in numbers
            ]
        )

    storm(range(2_000))
    for number in range(50):
        exporter.enter(Phase(number, Mode.SYNC, number + 1), RUN | {"run_id": f"run-{number}"})
    after = series_of(registry)
    storm(range(2_000, 20_000))
    exporter.enter(Phase(51, Mode.SYNC, 51), RUN | {"run_id": "run-49"})
    assert len(series_of(registry)) == len(after) <= (OPERATIONS + 1) * (2 * (len(DURATIONS) + 3) + 8) + 150
    assert not any("id 1" in line or "ValueError" in line for line in after)
    total = sum(
        one.value for family in registry.collect() for one in family.samples if one.name == "loadgen_operations_total"
    )
    assert total == 20_000, "what has no name of its own is counted as `other`"
    assert registry.get_sample_value("loadgen_operations_total", SEARCH | {"operation": "other", "outcome": "failed"})


def test_what_is_expected_is_told_with_0_before_it_happens() -> None:
    exporter, registry = make()
    assert registry.get_sample_value("loadgen_operations_total", SEARCH | {"outcome": "ok"}) is None
    exporter.expect(KINDS, {Mode.ASYNC: {Operation("search"), Operation("insert", stages=("send",))}})
    staged = SEARCH | {"operation": "insert", "stage": "send"}
    assert registry.get_sample_value("loadgen_stage_seconds_count", staged) == 0
    for operation in ("search", "insert"):
        labels = SEARCH | {"operation": operation}
        for outcome in Outcome:
            assert registry.get_sample_value("loadgen_operations_total", labels | {"outcome": outcome.value}) == 0
        for name in ("loadgen_rows_total", "loadgen_service_seconds_count", "loadgen_response_seconds_count"):
            assert registry.get_sample_value(name, labels) == 0
        assert registry.get_sample_value("loadgen_response_seconds_bucket", labels | {"le": "0.1"}) == 0
    assert (
        registry.get_sample_value("loadgen_operations_total", SEARCH | {"operation": "delete", "outcome": "ok"}) is None
    )
    assert registry.get_sample_value("loadgen_operations_total", SEARCH | SYNC | {"outcome": "ok"}) is None


def test_what_is_expected_takes_no_more_series_than_what_happens_and_nothing_back() -> None:
    exporter, registry = make()
    exporter([sample()])
    three = {mode: {Operation(name) for name in ("search", "insert", "delete")} for mode in Mode}
    exporter.expect(KINDS, three)
    expected = series_of(registry)
    for _ in range(3):
        exporter.expect(KINDS, three)
    exporter([sample(operation=name) for name in ("search", "insert", "delete")])
    assert series_of(registry) == expected
    assert registry.get_sample_value("loadgen_operations_total", SEARCH | {"outcome": "ok"}) == 2
    assert len([one for one in expected if "operation=" in one]) == 6 * (2 * (len(DURATIONS) + 3) + 1 + len(Outcome))
    exporter.expect(KINDS, {Mode.SYNC: {Operation(f"own_{number}") for number in range(100)}})
    names = {name for (variant, *_), one in exporter.every.items() if variant == "sync" for name in one.operations}
    assert len(names) == OPERATIONS + 1, "further ones are counted together"
    assert "other" in names


def test_only_the_phase_that_runs_now_is_told() -> None:
    exporter, registry = make()
    exporter.begin(Settings(collection="mine", consistency="Strong"))
    exporter.enter(Phase(0, Mode.SYNC, 8), RUN)
    first = {"run_id": RUN["run_id"], "phase": "1", "variant": "sync", "mode": "sync", "concurrency": "8"}
    assert registry.get_sample_value("loadgen_phase_info", first) == 1
    exporter.enter(Phase(1, Mode.ASYNC, 32), RUN)
    assert registry.get_sample_value("loadgen_phase_info", first) is None
    second = first | {"phase": "2", "variant": "async", "mode": "async", "concurrency": "32"}
    assert registry.get_sample_value("loadgen_phase_info", second) == 1
    exporter.leave()
    assert registry.get_sample_value("loadgen_phase_info", second) is None
    (info,) = (one for family in registry.collect() for one in family.samples if one.name == "loadgen_run_info")
    reported = {key: info.labels[key] for key in ("run_id", "server", "collection", "index", "consistency")}
    assert reported == RUN | {"collection": "mine", "index": "HNSW", "consistency": "Strong"}
    assert info.labels["pymilvus"].startswith("2.6")
    assert info.value == 1


def test_arrivals_errors_and_recall_are_counted_by_variant() -> None:
    exporter, registry = make()
    exporter.expect({"wide": VariantLabels(Mode.ASYNC, "llamaindex")}, {})
    exporter.count_dropped("sync", 3)
    exporter.count_dropped("sync")
    exporter.count_task_error("wide")
    exporter.count_task_error("wide")
    exporter.offer("sync", 50.0)
    exporter.count_recall("wide", 0.9)
    exporter.count_recall("wide", 1.0, 0.5)
    exporter.count_recall("sync", 0.0, 0.0)
    wide = ASYNC | {"variant": "wide"}
    for labels, dropped, errors, offered, recall in ((SYNC, 4, 0, 50, 0), (ASYNC, 0, 0, 0, 0), (wide, 0, 2, 0, 1.9)):
        assert registry.get_sample_value("loadgen_dropped_total", labels) == dropped, "0 from the start, for a rate"
        assert registry.get_sample_value("loadgen_task_errors_total", labels) == errors
        assert registry.get_sample_value("loadgen_offered_rate", labels) == offered
        assert registry.get_sample_value("loadgen_recall_ratio_sum", labels) == pytest.approx(recall)
    for labels, checks, ranks in ((SYNC, 1, 0), (ASYNC, None, None), (wide, 1, 0.5)):
        assert registry.get_sample_value("loadgen_reciprocal_rank_ratio_count", labels) == checks
        assert registry.get_sample_value("loadgen_reciprocal_rank_ratio_sum", labels) == ranks
    assert registry.get_sample_value("loadgen_recall_ratio_bucket", wide | {"le": "0.9"}) == 1
    exporter.rest()
    assert registry.get_sample_value("loadgen_offered_rate", SYNC) == 0


def test_a_master_tells_of_phases_and_of_itself_and_counts_nothing_that_its_workers_count() -> None:
    exporter, registry = make(role=Role.MASTER)
    exporter.enter(Phase(0, Mode.SYNC, 8), RUN)
    names = {family.name for family in registry.collect()}
    assert {
        "loadgen_active_seconds",
        "loadgen_phase_info",
        "loadgen_run_info",
        "loadgen_variant_info",
        "loadgen_saturated",
        "loadgen_hub_lag_seconds",
    } <= names
    assert "process_cpu_seconds" in names
    assert names & {"loadgen_operations", "loadgen_users", "loadgen_in_flight", "loadgen_service_seconds"} == set()


def test_a_worker_tells_no_length_of_phases_which_its_master_tells_for_all() -> None:
    exporter, registry = make(role=Role.WORKER)
    exporter.enter(Phase(0, Mode.SYNC, 8), RUN)
    exporter.beat(Beat(at=1.0, cpu=0.01, wall=0.25, hub_lag=0.0, loop_lag=0.0, in_flight=1))
    names = {family.name for family in registry.collect()}
    assert "loadgen_operations" in names
    assert names & {"loadgen_active_seconds", "loadgen_variant_info"} == set()


def test_every_family_has_a_help_that_ends_with_its_unit() -> None:
    exporter, registry = make()
    exporter([sample()])
    families = [one for one in registry.collect() if one.name.startswith("loadgen_")]
    assert len(families) == 28
    for family in families:
        assert family.documentation.endswith("]"), family.name
        assert family.documentation[0].isupper()
        if family.unit:
            assert family.name.endswith(f"_{family.unit}")
    assert "# UNIT loadgen_service_seconds seconds" in generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]


def test_the_text_can_be_read_back() -> None:
    exporter, registry = make()
    exporter([sample(0.01)])
    families = {one.name: one for one in text_string_to_metric_families(generate_latest(registry).decode())}
    assert families["loadgen_service_seconds"].type == "histogram"
    assert families["loadgen_operations"].type == "counter"
    buckets = [one.value for one in families["loadgen_service_seconds"].samples if one.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 1


def test_declared_faults_are_counted_by_action_where_the_run_is_led() -> None:
    exporter, registry = make(role=Role.MASTER)
    for change in (1, -1, 1):
        exporter.count_fault("pause server", change)
    result = {one.name: one.value for family in registry.collect() for one in family.samples if "fault" in one.name}
    assert result == {"loadgen_faults_total": 2, "loadgen_active_faults": 1}
    assert not any("fault" in one for one in series_of(make(role=Role.WORKER)[1]))
