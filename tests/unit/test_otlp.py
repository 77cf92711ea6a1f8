"""What an OTLP endpoint gets: metrics as Prometheus has them, spans of sampled operations; and if it is dead."""

import logging
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import Histogram, MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, StatusCode

from loadgen.exporters import Exporter, Role, VariantLabels, new_registry
from loadgen.exporters.otlp import find_export_faults, sending, start_export, starting
from loadgen.exporters.otlp.metrics import as_metrics
from loadgen.exporters.otlp.sending import Export
from loadgen.exporters.otlp.sessions import Connection, NotingSession
from loadgen.exporters.otlp.spans import SpanMaker
from loadgen.locust_plugin.preparation.result_settings import find_faults
from loadgen.measure.operation import Operation
from loadgen.measure.sample import Mode, Outcome, Sample, Trace
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings

URL = "http://127.0.0.1:4318"
BEGAN = 1_700_000_000 * 10**9
TRACE = Trace(f"{7:032x}", f"{9:016x}", began=BEGAN)


def sample(seconds: float = 0.5, **given: Any) -> Sample:
    values: dict[str, Any] = {"variant": "wire/async", "operation": "search", "outcome": Outcome.OK, "rows": 3} | given
    times = {"scheduled": 10.0, "started": 10.0, "finished": 10.0 + seconds}
    return Sample(**times | values)


def counting() -> Exporter:
    exporter = Exporter(Role.LOCAL, lambda: 5)
    exporter.expect({"wire/async": VariantLabels(Mode.ASYNC, "wire")}, {Mode.ASYNC: [Operation("search")]})
    exporter.run_id = "r1"
    return exporter


# Metrics


def test_metrics_have_the_names_values_and_labels_of_prometheus() -> None:
    exporter = counting()
    exporter([sample(0.0005), sample(0.5), sample(100.0), sample(outcome=Outcome.FAILED)])
    result = {one.name: one for one in as_metrics(new_registry(exporter).collect(), 1, 2)}
    labels = {"variant": "wire/async", "mode": "async", "client": "wire", "operation": "search"}
    points: list[Any] = list(result["loadgen_operations"].data.data_points)
    counts = {point.attributes["outcome"]: point for point in points}
    assert {name: point.value for name, point in counts.items() if point.value} == {"ok": 3, "failed": 1}
    assert counts["ok"].attributes == labels | {"outcome": "ok"}
    response = result["loadgen_response_seconds"]
    assert (response.unit, response.description) == ("s", "From the scheduled start of an operation to its answer")
    assert isinstance(response.data, Histogram)
    (point,) = response.data.data_points
    assert (point.count, point.attributes) == (3, labels)
    assert point.sum == pytest.approx(100.5005)
    assert (point.start_time_unix_nano, point.time_unix_nano) == (1, 2)
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    assert [number for number in point.bucket_counts if number] == [1, 1, 1]
    assert point.bucket_counts[-1] == 1, "above the last bound"
    (users,) = result["loadgen_users"].data.data_points
    assert users.value == 5  # type: ignore[union-attr]
    assert "process_cpu_seconds" in result


def test_metrics_can_be_encoded_and_empty_families_are_omitted() -> None:
    metrics = list(as_metrics(new_registry(counting()).collect(), 1, 2))
    assert all(one.data.data_points for one in metrics)
    assert "loadgen_phase_info" not in {one.name for one in metrics}
    scopes = [ScopeMetrics(InstrumentationScope("s"), metrics, "")]
    request = encode_metrics(MetricsData([ResourceMetrics(Resource({}), scopes, "")]))
    encoded = request.resource_metrics[0].scope_metrics[0].metrics
    assert {one.name for one in encoded} == {one.name for one in metrics}
    assert not any(one.name.endswith("_total") for one in encoded)


# Spans


def spans_of(one: Sample, trace: Trace = TRACE) -> list[ReadableSpan]:
    return list(SpanMaker(Resource({}), "1", Random(1)).make(one, trace, {"loadgen.operation": one.operation}))


def offsets(spans: list[ReadableSpan]) -> list[tuple[str, int, int]]:
    """Name, and milliseconds from the start of the clock."""
    times = [(one.name, one.start_time or 0, one.end_time or 0) for one in spans]
    return [(name, round((start - BEGAN) / 1e6), round((end - BEGAN) / 1e6)) for name, start, end in times]


def test_the_span_of_an_operation_is_the_one_that_was_sent_and_stages_are_its_children() -> None:
    stages = {"prepare": 0.1, "rpc": 0.3, "decode": 0.1, "queue": 0.2}
    root, *parts = spans = spans_of(sample(0.5, scheduled=9.8, stages=stages))
    assert offsets(spans) == [
        ("search", -200, 500), ("queue", -200, 0), ("prepare", 0, 100), ("rpc", 100, 400), ("decode", 400, 500),
    ]  # fmt: skip
    assert (root.context.trace_id, root.context.span_id, root.parent, root.kind) == (7, 9, None, SpanKind.CLIENT)
    assert root.context.trace_flags.sampled
    assert [(one.context.trace_id, one.parent.span_id) for one in parts if one.parent] == [(7, 9)] * 4
    assert len({one.context.span_id for one in spans}) == 5
    assert root.status.status_code is StatusCode.UNSET


def test_repeated_stages_are_attributes_and_failures_are_errors() -> None:
    stages = {"embed": 0.1, "search": (0.1, 0.2), "retrieve": 0.3}
    (root, *parts) = spans_of(sample(outcome=Outcome.TIMEOUT, stages=stages), TRACE._replace(parent_id="ff"))
    assert [one.name for one in parts] == ["embed", "retrieve"]
    assert dict(root.attributes or {}) == {
        "loadgen.operation": "search",
        "loadgen.stage.search.count": 2,
        "loadgen.stage.search.seconds": pytest.approx(0.3),
        "error.type": "timeout",
    }
    assert root.status.status_code is StatusCode.ERROR
    assert root.parent is not None
    assert root.parent.span_id == 255


# The export


class Endpoint:
    """Takes what is sent, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.url, self.problem, self.fails = URL, "no connection", fails
        self.spans: list[ReadableSpan] = []
        self.metrics: list[MetricsData] = []
        self.asked = 0

    def send_spans(self, spans: list[ReadableSpan]) -> bool:
        self.asked += 1
        self.spans += [] if self.fails else spans
        return not self.fails

    def send_metrics(self, data: MetricsData) -> bool:
        self.asked += 1
        self.metrics += [] if self.fails else [data]
        return not self.fails


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, logger="loadgen")
    return lambda: [one.getMessage() for one in caplog.records]


def export_to(endpoint: Endpoint) -> Export:
    export = Export(endpoint, counting())  # type: ignore[arg-type]
    export.start()
    return export


def test_the_end_exports_all_that_was_sampled_and_the_last_metrics(said: Callable[[], list[str]]) -> None:
    endpoint = Endpoint()
    export = export_to(endpoint)
    export([sample(), sample(trace=TRACE), sample(trace=TRACE, operation="insert", outcome=Outcome.FAILED)])
    export.close()
    assert [span.name for span in endpoint.spans] == ["search", "insert"]
    assert dict(endpoint.spans[0].attributes or {}) == {
        "loadgen.run_id": "r1", "loadgen.variant": "wire/async", "loadgen.mode": "async",
        "loadgen.client": "wire", "loadgen.operation": "search", "loadgen.outcome": "ok", "loadgen.rows": 3,
    }  # fmt: skip
    resource = endpoint.metrics[-1].resource_metrics[0].resource.attributes
    assert (resource["service.name"], resource["loadgen.role"]) == ("milvus-loadgen", "local")
    assert said() == []


def test_the_environment_may_name_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    export = export_to(endpoint := Endpoint())
    export.close()
    assert endpoint.metrics[0].resource_metrics[0].resource.attributes["service.name"] == "nightly"


def test_a_dead_endpoint_is_reported_once_and_what_is_lost_at_the_end(said: Callable[[], list[str]]) -> None:
    export = Export(Endpoint(fails=True), counting())  # type: ignore[arg-type]
    for _ in range(3):
        export([sample(trace=TRACE)] * 2)
        export._send_all()
    export.start()
    export.close()
    assert said() == [
        f"--otlp {URL} does not take the export (no connection); the load goes on, further failures are only counted",
        f"--otlp {URL}: 4 exports failed; the spans of 6 sampled operations are lost",
    ]


def test_no_more_than_a_limit_waits(monkeypatch: pytest.MonkeyPatch, said: Callable[[], list[str]]) -> None:
    monkeypatch.setattr(sending, "WAITING_AT_MOST", 3)
    endpoint = Endpoint()
    export = Export(endpoint, counting())  # type: ignore[arg-type]
    export([sample(trace=TRACE)] * 5)
    export.start()
    export.close()
    assert len(endpoint.spans) == 3
    assert said() == [f"--otlp {URL}: 0 exports failed; the spans of 2 sampled operations are lost"]


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (requests.exceptions.ReadTimeout("x"), "no answer within 3 s"),
        (requests.exceptions.SSLError("x"), "TLS failed"),
        (requests.exceptions.ConnectionError("x"), "no connection"),
        (requests.exceptions.InvalidHeader("S3cret"), "a header of OTEL_EXPORTER_OTLP_HEADERS is invalid"),
        (OSError("S3cret"), "OSError"),
    ],
)
def test_problems_are_named_without_their_texts(
    monkeypatch: pytest.MonkeyPatch, error: Exception, problem: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(requests.Session, "request", fail)
    session = NotingSession()
    with pytest.raises(type(error)):
        session.request("POST", URL)
    assert session.problem == problem


@pytest.mark.parametrize(("status", "problem"), [(200, ""), (503, "HTTP 503")])
def test_a_refusal_is_a_problem(monkeypatch: pytest.MonkeyPatch, status: int, problem: str) -> None:
    monkeypatch.setattr(requests.Session, "request", lambda *_, **__: SimpleNamespace(status_code=status))
    session = NotingSession()
    session.request("POST", URL)
    assert session.problem == problem


def test_headers_that_cannot_be_read_are_not_logged(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "S3cret without an equals sign")
    Connection(URL)
    out, err = capfd.readouterr()
    assert "S3cret" not in out + err


# What is refused


def test_without_the_extra_the_setting_is_refused_with_all_other_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "list_missing", lambda *names: list(names))
    settings = Settings.parse({"otlp": URL, "max_failures": "many"})
    assert {fault.setting for fault in find_faults(settings)} == {"otlp", "max_failures"}
    (fault,) = find_export_faults(URL)
    assert str(fault) == (
        f"--otlp {URL}: needs opentelemetry.sdk and opentelemetry.exporter.otlp.proto.http, not installed. "
        "Install it: pip install 'milvus-loadgen[otel]'."
    )
    assert find_export_faults("") == []
    with pytest.raises(SettingsError, match="not installed"):
        start_export(URL, counting())


def test_with_the_extra_nothing_is_refused() -> None:
    assert find_faults(Settings.parse({"otlp": URL})) == []


@pytest.mark.parametrize("url", ["127.0.0.1:4318", "http://user:S3cret@collector:4318", "grpc://collector:4317"])
def test_only_an_address_of_http_without_a_secret_is_accepted(url: str) -> None:
    with pytest.raises(SettingsError, match="--otlp") as caught:
        Settings.parse({"otlp": url})
    assert "S3cret" not in str(caught.value)
    assert "OTEL_EXPORTER_OTLP_HEADERS" in str(caught.value)
