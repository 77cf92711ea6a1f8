"""Run records to write, read and judge."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from loadgen.measure.histograms import COARSE_BITS, find_value, new_histogram
from loadgen.measure.sample import Mode, Outcome
from loadgen.measure.slices import SliceStats
from loadgen.results.record import (
    SCHEMA_VERSION,
    Comparison,
    Durations,
    Generator,
    Manifest,
    OperationRecord,
    PhaseRecord,
    Ratio,
    RunRecord,
    Slices,
    VariantRecord,
)


def durations(**given: float | None) -> Durations:
    names = ("mean", "p50", "p90", "p95", "p99", "p99_9", "max")
    values: dict[str, Any] = dict.fromkeys(names, 0.01) | given
    return Durations(**values, histogram=new_histogram().encode())


def operation(
    name: str = "search", outcomes: Mapping[Outcome, int] | None = None, response: Durations | None = None, **given: Any
) -> OperationRecord:
    counts = {Outcome.OK: 100} if outcomes is None else dict(outcomes)
    values: dict[str, Any] = {"throughput": 200.0, "recall": 0.97, "slices": None} | given
    values.setdefault("recall_checks", 0 if values["recall"] is None else 10)
    return OperationRecord(
        operation=name,
        outcomes=counts,
        service_seconds=durations(mean=0.009),
        response_seconds=response or durations(),
        **values,
    )


def timed(rates: Sequence[float], seconds: float = 0.01, name: str = "search", **given: Any) -> OperationRecord:
    """An operation in slices of 1 s, with this rate in each and one duration for all."""
    times = new_histogram()
    operation_stats = [SliceStats(1.0) for _ in rates]
    for stats, rate in zip(operation_stats, rates, strict=True):
        stats.operations = round(rate)
        stats.times.update({find_value(seconds, COARSE_BITS): round(rate)} if round(rate) else {})
        times.record_value(round(seconds * 1_000_000), round(rate))
    shown = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "p99_9", "max"), seconds)
    done = Durations.model_validate(shown | {"histogram": times.encode()})
    slices = Slices.of(operation_stats, is_judged=False)
    throughput = sum(stats.operations for stats in operation_stats) / len(operation_stats)
    values: dict[str, Any] = {"outcomes": {Outcome.OK: sum(stats.operations for stats in operation_stats)}} | given
    return operation(name, response=done, throughput=throughput, slices=slices, **values)


def generator(**given: Any) -> Generator:
    lags: dict[str, Any] = {"pace_lag_p99_seconds": None, "pace_lag_max_seconds": None, "late_arrivals": 0}
    for name, p99 in (("loop", 0.001), ("hub", 0.002)):
        lags |= {f"{name}_lag_p99_seconds": p99, f"{name}_lag_max_seconds": 2 * p99, f"{name}_late_beats": 0}
    seen = {"cpu_ratio": 0.5, "in_flight_mean": 7.5, "in_flight_max": 8, "watched_share": 1.0}
    values = seen | {"saturated": False} | lags
    return Generator(**values | given)


def phase(mode: str, concurrency: int | None = 8, *operations: OperationRecord, **given: Any) -> PhaseRecord:
    saturated = given.pop("saturated", False)
    state = generator(**{"saturated": saturated} | given.pop("generator", {}))
    left: dict[str, Any] = {"offered": None, "unfinished": 0, "longest_unfinished_seconds": None}
    head: dict[str, Any] = {"model": "closed", "style": "", "started_at": None}
    counted = {"seconds": 10.0, "dropped": 0, "workers_lost": 0, "users_gone": 0, "task_errors": ()}
    values = head | {"rate": None, "variant": mode} | counted | left | given
    return PhaseRecord(
        mode=Mode(mode), concurrency=concurrency, operations=operations or (operation(),), generator=state, **values
    )


def comparison(concurrency: int | None = 8, estimate: float | None = 1.3, **given: Any) -> Comparison:
    same = Ratio(estimate=1.0, low=0.9, high=1.1)
    throughput = given.pop("throughput", (1.2, 1.4))
    p99 = given.pop("p99", same)
    pair = {"baseline": "sync", "variant": "async"}
    result = {"operation": "search", "rate": None, "verdict": "variant", "share_ahead": 0.99, "reasons": ()}
    values: dict[str, Any] = pair | result | given
    return Comparison(
        concurrency=concurrency,
        throughput_ratio=Ratio(estimate=estimate, low=throughput[0], high=throughput[1]),
        p50_ratio=same,
        p99_ratio=p99,
        **values,
    )


def variant(name: str, mode: str = "", **settings: Any) -> VariantRecord:
    """One of the things that a run compares; its mode is its name where none is given."""
    return VariantRecord(name=name, mode=Mode(mode or name), client="llamaindex", settings=settings)


def manifest(**given: Any) -> Manifest:
    values: dict[str, Any] = {
        "settings": {"dim": 768, "concurrency": [1, 8]},
        "variants": (variant("sync"), variant("async")),
        "baseline": "sync",
        "packages": {"milvus-loadgen": "0.1.0", "locust": "2.47.0"},
        "server_version": "2.3.5",
        "server_type": "milvus",
        "rows": 10_000,
        "index": {"index_type": "HNSW", "M": 16},
        "seed": 1,
        "workers": 1,
        "shared_with": [],
        "cpu_model": "Some CPU",
        "cpu_count": 2,
        "memory_bytes": 8 << 30,
        "python": "CPython 3.11.7",
        "command_line": "locust -f search.py",
    }
    return Manifest(**values | given)


def record(*phases: PhaseRecord, comparisons: tuple[Comparison, ...] = (), **given: Any) -> RunRecord:
    values: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run_id": "20261122-193000-k3f9",
        "started_at": datetime(2026, 11, 22, 19, 30, tzinfo=UTC),
        "manifest": manifest(),
        "outside": (),
        "dropped_outside": {},
        "planned_phases": len(phases),
        "incomplete": "",
        "task_errors_outside": (),
    }
    return RunRecord(**values | given, phases=phases, comparisons=comparisons)
