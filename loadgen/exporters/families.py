"""The metric families of a scrape. Labels come from closed sets; each help text ends with its unit in brackets."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from loadgen.exporters.buckets import Buckets
from loadgen.exporters.counting import Exporter
from loadgen.exporters.series import OperationSeries, VariantSeries

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
    """A separate registry with the exporter's families and those of the process."""
    registry = CollectorRegistry()
    registry.register(ExporterCollector(exporter))
    ProcessCollector(registry=registry)
    return registry


class ExporterCollector(Collector):
    """Builds the families from the exporter's state on each scrape."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._versions = {label: version_of(package) for label, package in PACKAGES.items()}

    def collect(self) -> Iterator[Metric]:
        """All families that this process exposes."""
        yield from (self._phase_info(), self._run_info())
        yield from self._health()
        if self._exporter.role.leads:
            yield from (self._active(), self._aborted(), *self._faults(), self._variant_info())
        if self._exporter.role.makes_load:
            yield from self._counters()
            yield from self._durations()
            yield from self._load(self._exporter.count_users())

    @property
    def _variants(self) -> list[VariantSeries]:
        return list(self._exporter.every.values())

    @staticmethod
    def _by_operation(
        variant: VariantSeries, known: Mapping[str, OperationSeries]
    ) -> list[tuple[list[str], OperationSeries]]:
        """The labels `KIND` of each operation, and its counts."""
        return [([*variant.labels, name], one) for name, one in list(known.items())]

    def _counters(self) -> Iterator[Metric]:
        operations = _counter(
            "loadgen_operations", "Finished operations by outcome, warm-up included [operations]", (*KIND, "outcome")
        )
        rows = _counter("loadgen_rows", "Hits of searches, nodes of inserts, documents of deletes [rows]", KIND)
        items = _counter("loadgen_items", "What operations processed, such as tokens [items]", (*KIND, "item"))
        good = _counter(
            "loadgen_good_operations",
            "Operations that met the objective, warm-up included [operations]",
            KIND,
        )
        nested = _counter(
            "loadgen_nested_operations",
            "Finished operations nested in others, which other series exclude, by outcome [operations]",
            (*KIND, "outcome"),
        )
        dropped = CounterMetricFamily(
            "loadgen_dropped",
            "Arrivals of the open model that got no concurrency slot in time and were never sent [operations]",
            labels=VARIANT,
        )
        errors = CounterMetricFamily(
            "loadgen_task_errors",
            "Exceptions raised by tasks; they do not count as operations [exceptions]",
            labels=VARIANT,
        )
        for variant in self._variants:
            for labels, series in self._by_operation(variant, variant.operations):
                rows.add_metric(labels, series.rows)
                _fill_parts(items, good, labels, series)
                _fill_outcomes(operations, labels, series)
            for labels, series in self._by_operation(variant, variant.nested):
                _fill_outcomes(nested, labels, series)
            dropped.add_metric(variant.labels, variant.dropped)
            errors.add_metric(variant.labels, variant.task_errors)
        yield from (operations, good, nested, rows, items, dropped, errors)

    def _active(self) -> Metric:
        active = _counter(
            "loadgen_active_seconds",
            "Total length of this variant's phases, exposed by one process per run; operations divided by it give the "
            "throughput [seconds]",
            VARIANT,
        )
        for variant in self._variants:
            active.add_metric(variant.labels, variant.active)
        return active

    def _aborted(self) -> Metric:
        aborted = _counter("loadgen_aborted_runs", "Runs that a condition of --abort-when has ended [runs]", ())
        aborted.add_metric([], self._exporter.aborted)
        return aborted

    def _faults(self) -> Iterator[Metric]:
        begun = _counter("loadgen_faults", "Declared faults that have begun [faults]", ("action",))
        active = GaugeMetricFamily("loadgen_active_faults", "Declared faults in effect [faults]", labels=("action",))
        for action, series in sorted(self._exporter.faults.items()):
            begun.add_metric([action], series.begun)
            active.add_metric([action], series.active)
        yield from (begun, active)

    def _durations(self) -> Iterator[Metric]:
        service = _histogram(
            "loadgen_service_seconds", "From the real start of an operation to its answer [seconds]", KIND
        )
        response = _histogram(
            "loadgen_response_seconds", "From the scheduled start of an operation to its answer [seconds]", KIND
        )
        stages = _histogram(
            "loadgen_stage_seconds",
            "Time of one stage of an operation that was answered or timed out [seconds]",
            (*KIND, "stage"),
        )
        nested = _histogram(
            "loadgen_nested_seconds",
            "From the start to the answer of a nested operation [seconds]",
            KIND,
        )
        recall = _histogram(
            "loadgen_recall_ratio",
            "Share of the exact nearest neighbours in the answer of a checked search [ratio]",
            VARIANT,
        )
        rank = _histogram(
            "loadgen_reciprocal_rank_ratio",
            "Reciprocal rank of the first chunk of an expected document in a checked answer, 0 without one [ratio]",
            VARIANT,
        )
        for variant in self._variants:
            for labels, series in self._by_operation(variant, variant.operations):
                _fill(service, labels, series.service)
                _fill(response, labels, series.response)
            for labels, series in self._by_operation(variant, variant.nested):
                _fill(nested, labels, series.service)
            for place, times in list(variant.stages.items()):
                _fill(stages, [*variant.labels, *place], times)
            _fill(recall, variant.labels, variant.recall)
            if any(variant.rank.counts):  # searches have no ranks, and would have the series in vain
                _fill(rank, variant.labels, variant.rank)
        yield from (service, response, nested, stages, recall, rank)

    def _load(self, users: int) -> Iterator[Metric]:
        result = self._exporter
        yield GaugeMetricFamily("loadgen_users", "Users in this process [users]", users, unit="users")
        yield GaugeMetricFamily(
            "loadgen_in_flight", "Operations sent and not yet answered [operations]", result.in_flight
        )
        offered = GaugeMetricFamily(
            "loadgen_offered_rate",
            "Arrivals due in this process, 0 in the closed model [operations per second]",
            labels=VARIANT,
        )
        for variant in self._variants:
            offered.add_metric(variant.labels, variant.offered)
        yield offered

    def _health(self) -> Iterator[Metric]:
        result = self._exporter
        lags = (
            ("loadgen_hub_lag_seconds", "Lag of Locust's hub, sampled ten times a second [seconds]", result.hub_lag),
            (
                "loadgen_loop_lag_seconds",
                "Lag of the event loop, sampled ten times a second [seconds]",
                result.loop_lag,
            ),
        )
        for name, text, lag in lags:
            family = _histogram(name, text, ())
            _fill(family, [], lag)
            yield family
        text = "Time for which the event loop's thread was ready and had no core; stays 0 where unknown [seconds]"
        yield CounterMetricFamily("loadgen_core_wait_seconds", text, result.core_wait)
        text = "Time for which a stage of coroutines held the event loop, which nothing else could use [seconds]"
        held = CounterMetricFamily("loadgen_loop_held_seconds", text, labels=("stage",))
        for stage, seconds in result.held.copy().items():
            held.add_metric((stage,), seconds)
        yield held
        text = (
            "Whether this process, not the server, was the limit in the last 10 s of a phase, by CPU or lags; "
            "NaN if not sampled [0 or 1]"
        )
        yield GaugeMetricFamily("loadgen_saturated", text, result.saturated)

    def _phase_info(self) -> Metric:
        text = "The current phase, of all processes together; always 1, absent between phases [1]"
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
        text = "Properties of the latest run of this process; always 1, absent before the first [1]"
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

    def _variant_info(self) -> Metric:
        text = "A variant of the latest run, and whether it is the baseline; always 1 [1]"
        own = ("run_id", *VARIANT, "baseline", "collection", "index", "settings")
        family = GaugeMetricFamily("loadgen_variant_info", text, labels=own)
        result = self._exporter
        run_id, infos = result.run.get("run_id", ""), result.infos
        for one in infos:
            family.add_metric([run_id, *(one[label] for label in own[1:])], 1)
        return family


def _counter(name: str, text: str, labels: Sequence[str]) -> CounterMetricFamily:
    """A family whose name ends with its unit."""
    return CounterMetricFamily(name, text, labels=labels, unit=name.rpartition("_")[2])


def _histogram(name: str, text: str, labels: Sequence[str]) -> HistogramMetricFamily:
    """A family whose name ends with its unit."""
    return HistogramMetricFamily(name, text, labels=labels, unit=name.rpartition("_")[2])


def _info(name: str, text: str, labels: Sequence[str], values: dict[str, str]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    if values:
        family.add_metric([values[label] for label in labels], 1)
    return family


def _fill_outcomes(family: CounterMetricFamily, labels: Sequence[str], series: OperationSeries) -> None:
    for outcome, number in series.outcomes.items():
        family.add_metric([*labels, outcome.value], number)


def _fill_parts(
    items: CounterMetricFamily, good: CounterMetricFamily, labels: Sequence[str], series: OperationSeries
) -> None:
    for item, number in list(series.items.items()):
        items.add_metric([*labels, item], number)
    if series.good is not None:
        good.add_metric(labels, series.good)


def _fill(family: HistogramMetricFamily, labels: Sequence[str], buckets: Buckets) -> None:
    counts: Iterable[int] = list(buckets.counts)  # one call, so that no sample is counted in between
    family.add_metric(labels, list(zip(_edges(buckets.bounds), accumulate(counts), strict=True)), buckets.total)


@cache
def _edges(bounds: tuple[float, ...]) -> tuple[str, ...]:
    """The values of the label `le`. The three kinds of histograms have many thousands of them in a scrape."""
    return (*map(floatToGoString, bounds), "+Inf")


def version_of(package: str) -> str:
    """Its installed version; empty if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
