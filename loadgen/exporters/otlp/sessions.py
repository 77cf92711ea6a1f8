"""Requests to an OTLP endpoint. The standard OTEL_EXPORTER_OTLP_* variables set headers, certificates, compression."""

import logging
from collections.abc import Sequence
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from loadgen.milvus.proxies import is_at_loopback

TIMEOUT = 3.0
"""Seconds that one export may take, with its retries."""
REFUSED = 400
"""The lowest status of HTTP that is no success."""
PROBLEMS: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.Timeout, f"no answer within {TIMEOUT:g} s"),
    (requests.exceptions.SSLError, "TLS failed"),
    (requests.exceptions.ConnectionError, "no connection"),
    (requests.exceptions.InvalidHeader, "a header of OTEL_EXPORTER_OTLP_HEADERS is invalid"),
)
"""What is said of an error. Its own text may contain a header, and so a secret."""


class NotingSession(requests.Session):
    """Remembers why the latest request failed, in words without secrets."""

    def __init__(self) -> None:
        super().__init__()
        self.problem = ""

    def request(self, *given: Any, **named: Any) -> requests.Response:
        """As in `requests`. Raises what it raises."""
        try:
            answer = super().request(*given, **named)
        except Exception as error:
            self.problem = next((text for kind, text in PROBLEMS if isinstance(error, kind)), type(error).__name__)
            raise
        self.problem = f"HTTP {answer.status_code}" if answer.status_code >= REFUSED else ""
        return answer


class Connection:
    """Both signals of one endpoint. Its methods block; one thread uses it."""

    def __init__(self, url: str) -> None:
        quiet = logging.getLogger("opentelemetry")  # it logs each failure, and headers that it cannot read
        quiet.propagate = False
        quiet.addHandler(logging.NullHandler())
        self.url = url
        self._session = NotingSession()
        self._session.trust_env = not is_at_loopback(url)  # no proxy of the environment can reach this machine's ports
        base = url.rstrip("/")
        own: dict[str, Any] = {"timeout": TIMEOUT, "session": self._session}
        self._metrics = OTLPMetricExporter(endpoint=f"{base}/v1/metrics", **own)
        self._spans = OTLPSpanExporter(endpoint=f"{base}/v1/traces", **own)

    @property
    def problem(self) -> str:
        """Why the latest export failed."""
        return self._session.problem or "it cannot be encoded"

    def send_metrics(self, data: MetricsData) -> bool:
        """Whether the endpoint has accepted them."""
        return self._metrics.export(data) is MetricExportResult.SUCCESS

    def send_spans(self, spans: Sequence[ReadableSpan]) -> bool:
        """Whether the endpoint has accepted them."""
        return self._spans.export(spans) is SpanExportResult.SUCCESS

    def abort(self) -> None:
        """Wait for no further retry."""
        self._spans.shutdown()  # type: ignore[no-untyped-call]
        self._metrics.shutdown()
