"""The thread that exports: metrics every few seconds, spans as they come. Nothing else waits for the endpoint."""

import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Sequence
from random import Random
from time import time_ns
from typing import NamedTuple

from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from loadgen.exporters.counting import Exporter
from loadgen.exporters.families import new_registry, version_of
from loadgen.exporters.otlp.metrics import as_metrics
from loadgen.exporters.otlp.sessions import Connection
from loadgen.exporters.otlp.spans import NAME, SpanMaker, Value
from loadgen.measure.sample import Sample, Trace
from loadgen.text.listing import count_of

INTERVAL = 10.0
"""Seconds between two exports of metrics."""
WAITING_AT_MOST = 10_000
"""Sampled operations that may wait for their export; further ones are lost, and counted."""
AT_ONCE = 256
"""Operations whose spans are exported in one request."""
ENDS_WITHIN = 5.0
"""Maximum seconds that the end of a run waits for the last export."""

logger = logging.getLogger("loadgen")


class _QueuedTrace(NamedTuple):
    sample: Sample
    trace: Trace
    run_id: str


class Export:
    """One per process. A sink of samples on the hub; all work is done by its thread."""

    def __init__(self, connection: Connection, exporter: Exporter) -> None:
        self._connection = connection
        self._exporter = exporter
        self._registry = new_registry(exporter)
        version = version_of(NAME)
        self._resource = _describe(exporter, version)
        self._scope = InstrumentationScope(NAME, version)
        self._maker = SpanMaker(self._resource, version, Random())
        self._began = time_ns()
        self._waiting: deque[_QueuedTrace] = deque()
        self._wake = threading.Event()
        self._closing = False
        self.failed = self.lost = 0
        """Exports that failed, and sampled operations without spans."""
        self._thread = threading.Thread(target=self._work, name="loadgen-otlp", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def __call__(self, samples: Sequence[Sample]) -> None:
        """Sink of samples: keep the sampled ones for the thread."""
        for sample in samples:
            if sample.trace is None:
                continue
            if len(self._waiting) >= WAITING_AT_MOST:
                self.lost += 1
                continue
            self._waiting.append(_QueuedTrace(sample, sample.trace, self._exporter.run_id))
            if len(self._waiting) >= AT_ONCE:
                self._wake.set()

    def close(self) -> None:
        """Export what is left, and log what was lost. Blocks, at most `ENDS_WITHIN` seconds; idempotent."""
        self._closing = True
        self._wake.set()
        self._thread.join(ENDS_WITHIN)
        if self._thread.is_alive():
            self._connection.abort()
            self.failed += 1
        self.lost += len(self._waiting)
        self._waiting.clear()
        if self.failed or self.lost:
            exports, spans = count_of(self.failed, "export"), count_of(self.lost, "sampled operation")
            logger.warning("--otlp %s: %s failed; the spans of %s are lost", self._connection.url, exports, spans)
            self.failed = self.lost = 0

    def _work(self) -> None:
        is_over = False
        while not is_over:
            self._wake.wait(INTERVAL)
            self._wake.clear()
            is_over = self._closing
            try:
                self._send_all()
            except Exception as error:  # noqa: BLE001 - whatever it is, the load goes on
                self._note_failure(f"{type(error).__name__} in its export")

    def _send_all(self) -> None:
        """Spans, then metrics; an endpoint that does not answer is asked once."""
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            spans = [span for one in some for span in self._make_spans(one)]
            if not self._connection.send_spans(spans):
                self.lost += len(some)
                self._note_failure(self._connection.problem)
                return
        if not self._connection.send_metrics(self._take_metrics()):
            self._note_failure(self._connection.problem)

    def _note_failure(self, problem: str) -> None:
        self.failed += 1
        if self.failed == 1:
            text = "--otlp %s does not take the export (%s); the load goes on, further failures are only counted"
            logger.warning(text, self._connection.url, problem)

    def _take_metrics(self) -> MetricsData:
        metrics = list(as_metrics(self._registry.collect(), self._began, time_ns()))
        return MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(self._scope, metrics, "")], "")])

    def _make_spans(self, one: _QueuedTrace) -> Sequence[ReadableSpan]:
        sample = one.sample
        variant, mode, client = self._exporter.labels_of(sample.variant)
        attributes: dict[str, Value] = {
            "loadgen.run_id": one.run_id,
            "loadgen.variant": variant,
            "loadgen.mode": mode,
            "loadgen.client": client,
            "loadgen.operation": sample.operation,
            "loadgen.outcome": sample.outcome.value,
            "loadgen.rows": sample.rows,
        }
        return list(self._maker.make(sample, one.trace, attributes))


def _describe(exporter: Exporter, version: str) -> Resource:
    """This process; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES name the service differently, or add to it."""
    named = Resource.create({}).attributes
    own = {
        "service.version": version,
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        "loadgen.role": exporter.role.value,
    }
    if str(named.get("service.name", "")).startswith("unknown_service"):
        own["service.name"] = NAME
    return Resource.create(own)
