"""The metric families of a scrape. Labels come from closed sets; each help text ends with its unit in brackets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from loadgen.exporters.buckets import Buckets
from loadgen.exporters.counting import OTHER, Exporter, Series

VARIANT = ("variant", "mode", "client")
KIND = (*VARIANT, "operation")
PACKAGES = {
    "version": "milvus-loadgen",
    "locust": "locust",
    "pymilvus": "pymilvus",
    "llama_index": "llama-index-core",
    "vector_store": "llama-index-vector-stores-milvus",
}
"""Labels of `loadgen_run_info` that are versions of packages."""


def new_registry(exporter: Exporter) -> CollectorRegistry:
    """A registry of its own with the exporter's families and those of the process."""
    registry = CollectorRegistry()
    registry.register(ExporterCollector(exporter))
    ProcessCollector(registry=registry)
    return registry


class ExporterCollector(Collector):
    """Makes the families anew from the exporter's state at each scrape."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._versions = {label: _version(package) for label, package in PACKAGES.items()}

    def collect(self) -> Iterator[Metric]:
        """All families that are this process's to tell."""
        yield from (self._phase_info(), self._run_info())
        yield from self._health()
        if self._exporter.role.leads:
            yield self._active()
        if self._exporter.role.makes_load:
            yield from self._counters()
            yield from self._durations()
            yield from self._load(self._exporter.count_users())

    def _variant(self, name: str) -> list[str]:
        """Its labels, as `VARIANT`; those that were too many to have series are one, without mode and client."""
        kind = self._exporter.variants.get(name)
        return [name, kind.mode.value, kind.client] if kind else [name, OTHER, OTHER]

    def _series(self, every: Mapping[str, Mapping[str, Series]]) -> list[tuple[list[str], Series]]:
        return [
            ([*self._variant(variant), name], one)
            for variant, known in list(every.items())
            for name, one in list(known.items())
        ]

    def _counters(self) -> Iterator[Metric]:
        operations = CounterMetricFamily(
            "loadgen_operations",
            "Finished operations by outcome, warm-up included [operations]",
            labels=(*KIND, "outcome"),
            unit="operations",
        )
        rows = CounterMetricFamily(
            "loadgen_rows", "Hits of searches, nodes of inserts, documents of deletes [rows]", labels=KIND, unit="rows"
        )
        for labels, series in self._series(self._exporter.series):
            rows.add_metric(labels, series.rows)
            for outcome, number in series.outcomes.items():
                operations.add_metric([*labels, outcome.value], number)
        nested = CounterMetricFamily(
            "loadgen_nested_operations",
            "Finished operations that were part of others, which count instead of them, by outcome [operations]",
            labels=(*KIND, "outcome"),
            unit="operations",
        )
        for labels, series in self._series(self._exporter.nested):
            for outcome, number in series.outcomes.items():
                nested.add_metric([*labels, outcome.value], number)
        dropped = CounterMetricFamily(
            "loadgen_dropped",
            "Arrivals of the open model that found no place in time and were never sent [operations]",
            labels=VARIANT,
        )
        self._fill_variants(dropped, self._exporter.dropped)
        errors = CounterMetricFamily(
            "loadgen_task_errors",
            "Exceptions that tasks raised; they are no operations [exceptions]",
            labels=VARIANT,
        )
        self._fill_variants(errors, self._exporter.task_errors)
        yield from (operations, nested, rows, dropped, errors)

    def _active(self) -> Metric:
        active = CounterMetricFamily(
            "loadgen_active_seconds",
            "Time in which phases of this variant made load, told once for all processes of a run; "
            "operations over it are a throughput [seconds]",
            labels=VARIANT,
            unit="seconds",
        )
        self._fill_variants(active, self._exporter.active)
        return active

    def _durations(self) -> Iterator[Metric]:
        service = HistogramMetricFamily(
            "loadgen_service_seconds",
            "From the real start of an operation to its answer [seconds]",
            labels=KIND,
            unit="seconds",
        )
        response = HistogramMetricFamily(
            "loadgen_response_seconds",
            "From the scheduled start of an operation to its answer [seconds]",
            labels=KIND,
            unit="seconds",
        )
        stages = HistogramMetricFamily(
            "loadgen_stage_seconds",
            "Time of one stage of an operation that was answered or timed out [seconds]",
            labels=(*KIND, "stage"),
            unit="seconds",
        )
        for labels, series in self._series(self._exporter.series):
            _fill(service, labels, series.service)
            _fill(response, labels, series.response)
        for (variant, operation, stage), times in list(self._exporter.stages.items()):
            _fill(stages, [*self._variant(variant), operation, stage], times)
        nested = HistogramMetricFamily(
            "loadgen_nested_seconds",
            "From the start to the answer of an operation that was part of another one [seconds]",
            labels=KIND,
            unit="seconds",
        )
        for labels, series in self._series(self._exporter.nested):
            _fill(nested, labels, series.service)
        yield from (service, response, nested, stages, self._recall())

    def _recall(self) -> Metric:
        recall = HistogramMetricFamily(
            "loadgen_recall_ratio",
            "Part of the exact nearest neighbours that a checked search found [ratio]",
            labels=VARIANT,
            unit="ratio",
        )
        for variant, shares in list(self._exporter.recall.items()):
            _fill(recall, self._variant(variant), shares)
        return recall

    def _load(self, users: int) -> Iterator[Metric]:
        found = self._exporter
        yield GaugeMetricFamily("loadgen_users", "Users in this process [users]", users, unit="users")
        yield GaugeMetricFamily(
            "loadgen_in_flight", "Operations sent and not yet answered [operations]", found.in_flight
        )
        offered = GaugeMetricFamily(
            "loadgen_offered_rate",
            "Arrivals due in this process, 0 where users wait for their answers [operations per second]",
            labels=VARIANT,
        )
        self._fill_variants(offered, found.offered)
        yield offered

    def _fill_variants(self, family: CounterMetricFamily | GaugeMetricFamily, values: Mapping[str, float]) -> None:
        for variant, value in list(values.items()):
            family.add_metric(self._variant(variant), value)

    def _health(self) -> Iterator[Metric]:
        found = self._exporter
        lags = (
            ("loadgen_hub_lag_seconds", "How late Locust's hub was, ten looks a second [seconds]", found.hub_lag),
            ("loadgen_loop_lag_seconds", "How late the event loop was, ten looks a second [seconds]", found.loop_lag),
        )
        for name, text, lag in lags:
            family = HistogramMetricFamily(name, text, labels=(), unit="seconds")
            _fill(family, [], lag)
            yield family
        text = (
            "Whether this process, not the server, was the limit in the last 10 s of a phase, by CPU or lags; "
            "NaN where it was not looked at [0 or 1]"
        )
        yield GaugeMetricFamily("loadgen_saturated", text, found.saturated)

    def _phase_info(self) -> Metric:
        text = "The phase that runs now, of all processes together; always 1, and absent between two phases [1]"
        phase, run = self._exporter.phase, self._exporter.run
        values = {}
        if phase is not None:
            values = {
                "run_id": run.get("run_id", ""),
                "phase": str(phase.number + 1),
                "variant": phase.variant,
                "mode": phase.mode.value,
                "concurrency": f"{phase.rate:g}/s" if phase.is_open else str(phase.concurrency),
            }
        return _info("loadgen_phase_info", text, ("run_id", "phase", "variant", "mode", "concurrency"), values)

    def _run_info(self) -> Metric:
        text = "What the latest run of this process is about; always 1, and absent before the first [1]"
        settings, run = self._exporter.settings, self._exporter.run
        values = {}
        if settings is not None:
            values = self._versions | {
                "run_id": run.get("run_id", ""),
                "server": run.get("server", ""),
                "collection": settings.collection,
                "index": settings.index_type,
                "metric": settings.metric,
                "dim": str(settings.dim),
                "rows": str(settings.rows),
                "consistency": settings.consistency,
            }
        own = ("run_id", "server", "collection", "index", "metric", "dim", "rows", "consistency")
        return _info("loadgen_run_info", text, (*own, *self._versions), values)


def _info(name: str, text: str, labels: Sequence[str], values: dict[str, str]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    if values:
        family.add_metric([values[label] for label in labels], 1)
    return family


def _fill(family: HistogramMetricFamily, labels: Sequence[str], buckets: Buckets) -> None:
    counts: Iterable[int] = list(buckets.counts)  # one call: no sample is counted in between
    bounds = [*map(floatToGoString, buckets.bounds), "+Inf"]
    family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), buckets.total)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
