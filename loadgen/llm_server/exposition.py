"""The server's counts for Prometheus."""

from collections.abc import Iterator, Mapping

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from loadgen.llm_server.plan import Kind
from loadgen.llm_server.recording import TIMES, DurationStats, Records

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""
MICROSECONDS = 1_000_000

__all__ = ["CONTENT_TYPE", "expose"]


class _Collector:
    def __init__(self, records: Mapping[Kind, Records]) -> None:
        self._records = records

    def collect(self) -> Iterator[Metric]:
        """All families, read at the moment of the scrape."""
        requests = CounterMetricFamily(
            "llm_server_requests", "Finished requests [requests]", labels=("kind", "outcome")
        )
        tokens = CounterMetricFamily("llm_server_tokens", "Tokens [tokens]", labels=("kind", "direction"))
        in_flight = GaugeMetricFamily("llm_server_in_flight", "Requests in flight [requests]", labels=("kind",))
        waiting = GaugeMetricFamily("llm_server_waiting", "Requests waiting for a slot [requests]", labels=("kind",))
        for kind, records in self._records.items():
            for outcome, number in records.outcomes.items():
                requests.add_metric((kind, outcome), number)
            tokens.add_metric((kind, "in"), records.prompt_tokens)
            tokens.add_metric((kind, "out"), records.completion_tokens)
            in_flight.add_metric((kind,), records.in_flight)
            waiting.add_metric((kind,), records.waiting)
        yield from (requests, tokens, in_flight, waiting)
        for name in TIMES:
            family = HistogramMetricFamily(f"llm_server_{name}_seconds", f"Time: {name} [seconds]", labels=("kind",))
            for kind, records in self._records.items():
                times = records.times[name]
                family.add_metric((kind,), _cumulate(times), times.total)
            yield family


def _cumulate(times: DurationStats) -> list[tuple[str, float]]:
    counts = sorted(times.counts.items())
    result = [(str(bound), sum(n for value, n in counts if value <= bound * MICROSECONDS)) for bound in BOUNDS]
    return [*result, ("+Inf", times.counts.total())]


def expose(records: Mapping[Kind, Records]) -> bytes:
    """The body of /metrics."""
    registry = CollectorRegistry()
    registry.register(_Collector(records))
    return generate_latest(registry)
