"""Traces on real servers: what sampled operations send, what an OTLP endpoint receives, and what the record keeps."""

import re
import time
from collections import Counter
from pathlib import Path

import pytest

from loadgen.measure.sample import Mode
from loadgen.measure.store_stages import STAGES
from loadgen.measure.tracing import make_tracer
from loadgen.milvus.server import EmbeddedServer
from loadgen.results.record import RunRecord
from tests.integration.locust_command import SEARCHED, SMALL, record_of, run_locust
from tests.integration.test_stages import play
from tests.integration.tracing_support import HANG, Receiver, attributes_of, context_proxy, otlp_receiver

LAYERS = ("llamaindex", "pymilvus", "wire")
BRIEF = ("--concurrency", "2", "--rounds", "1", "--phase-seconds", "0.5", "--warmup-seconds", "0.1")
EVERY = ("--trace-sample", "1")
SECRET = "S3cret-header"
CONTEXT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01")


def sent(contexts: list[str]) -> list[tuple[str, str]]:
    """Trace and span of each header."""
    return sorted(match.groups() for one in contexts if (match := CONTEXT.fullmatch(one)))  # type: ignore[misc]


def exported(receiver: Receiver) -> list[tuple[str, str]]:
    """Trace and span of each operation."""
    return sorted((span.trace_id.hex(), span.span_id.hex()) for span in receiver.roots)


def counted(record: RunRecord) -> Counter[tuple[str, ...]]:
    """All operations of a record, warm-ups included, by variant, operation and outcome."""
    total: Counter[tuple[str, ...]] = Counter()
    for phase in record.phases:
        for one in phase.operations:
            total.update({(phase.variant, one.operation, end.value): number for end, number in one.totals.items()})
    for left in record.outside:
        total.update({(left.variant, left.operation, end.value): number for end, number in left.totals.items()})
    return total


def test_each_client_sends_the_ids_that_are_exported_and_recorded(lite_uri: str, tmp_path: Path) -> None:
    variants = "; ".join(f"{layer}/{mode}" for layer in LAYERS for mode in ("sync", "async"))
    with context_proxy(lite_uri) as passed, otlp_receiver() as receiver:
        own = ("--host", passed.uri, "--collection", "traced_run", *SMALL, *BRIEF, "--variants", variants, "--stages")
        header = f"authorization=Bearer%20{SECRET}"
        flags = (*EVERY, "--otlp", receiver.url, "--report", "markdown")
        done = run_locust(tmp_path, *own, *flags, OTEL_EXPORTER_OTLP_HEADERS=header)
        done.assert_good()
    record = record_of(tmp_path)
    assert sent(passed.of("Search")) == exported(receiver) != []
    assert {method for method, _ in passed.contexts} == {"Search"}, "preparation sends none"
    assert receiver.count("loadgen_operations", "variant", "operation", "outcome") == counted(record)
    assert receiver.count("loadgen_response_seconds", "variant", "operation") == Counter(
        {key[:2]: number for key, number in counted(record).items()}
    )
    assert len(record.phases) == 2 * 6
    ids = {trace_id for trace_id, _ in exported(receiver)}
    for phase in record.phases:
        assert phase.traces is not None
        assert phase.traces.sampled == sum(one.count for one in phase.operations)
        slowest = phase.traces.slowest
        assert (len(slowest), {one.operation for one in slowest}) == (min(10, phase.traces.sampled), {"search"})
        assert ids.issuperset(one.trace_id for one in slowest)
        assert slowest[0].response_seconds == pytest.approx(phase.operations[0].response_seconds.max, rel=0.01)
    for span in receiver.roots:
        result = attributes_of(span)
        assert (result["loadgen.run_id"], result["loadgen.outcome"], span.name) == (record.run_id, "ok", "search")
        named = f"{result['loadgen.client']}/{result['loadgen.mode']}".removeprefix("llamaindex/")
        assert named == result["loadgen.variant"]
        parts = receiver.children_of(span)
        assert [one.name for one in parts] == list(STAGES)
        assert parts[0].start_time_unix_nano == span.start_time_unix_nano
        assert parts[-1].end_time_unix_nano == pytest.approx(span.end_time_unix_nano, abs=10)
    assert receiver.headers == {f"Bearer {SECRET}"}
    texts = [done.out, done.err, *(path.read_text() for path in (tmp_path / "runs").glob("*.*"))]
    assert not any(SECRET in text for text in texts)
    (report,) = (tmp_path / "runs").glob("*.md")
    of_first = [one for phase in record.phases[::11] if phase.traces for one in phase.traces.slowest]
    assert max(of_first, key=lambda one: one.response_seconds).trace_id in report.read_text()


def test_workers_sample_and_export_too(lite_uri: str, tmp_path: Path) -> None:
    with context_proxy(lite_uri) as passed, otlp_receiver() as receiver:
        own = (
            "--host",
            passed.uri,
            "--collection",
            "traced_run",
            *SMALL,
            *BRIEF,
            "--variants",
            "wire/async; wire/sync",
        )
        done = run_locust(tmp_path, *own, "--trace-sample", "0.5", "--otlp", receiver.url, "--processes", "2")
        done.assert_good()
    record = record_of(tmp_path)
    assert sent(passed.of("Search")) == exported(receiver)
    operations = counted(record)
    assert receiver.count("loadgen_operations", "variant", "operation", "outcome") == operations
    assert len(receiver.metrics) == 3, "two workers and their master"
    assert 0.2 < len(exported(receiver)) / operations.total() < 0.8
    assert sum(phase.traces.sampled for phase in record.phases if phase.traces) <= len(exported(receiver))


@pytest.mark.parametrize(("status", "problem"), [(HANG, "no answer within 3 s"), (401, "HTTP 401")])
def test_an_endpoint_that_does_not_take_the_export_costs_a_line_and_no_operation(
    lite_uri: str, tmp_path: Path, status: int, problem: str
) -> None:
    with otlp_receiver(status) as receiver:
        own = ("--host", lite_uri, "--collection", "traced_run", *SMALL, *BRIEF, "--variants", "wire/async")
        done = run_locust(tmp_path, *own, *EVERY, "--otlp", receiver.url)
    done.assert_good()
    said = done.out + done.err
    assert said.count(f"--otlp {receiver.url} does not take the export ({problem}); the load goes on") == 1
    assert re.search(r"exports? failed; the spans of \d+ sampled operations are lost", said)
    assert receiver.requests >= 1
    assert counted(record_of(tmp_path)).total() > 10


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("layer", LAYERS)
def test_writes_send_it_too_with_each_of_their_requests(lite_uri: str, layer: str, mode: Mode) -> None:
    with context_proxy(lite_uri) as passed:
        samples = play(layer, mode, passed.uri, make_tracer(1.0, 1, 0))
    result = {one.operation: sorted(passed.with_header(one.trace.traceparent)) for one in samples if one.trace}
    removed = ["Delete", "Query"] if layer == "llamaindex" else ["Delete"]
    assert result == {"insert": ["Insert"], "search": ["Search"], "delete": removed}
    assert len(passed.contexts) == 2 + len(removed)


SEARCH_SPAN = re.compile(
    r'"Name":"milvus\.proto\.milvus\.MilvusService/Search",.*?"Parent":{"TraceID":"(\w+)","SpanID":"(\w+)"'
)
PATIENCE = 30.0
"""Seconds after which Milvus has written its spans; it does so every 5 s."""


def test_the_spans_of_a_real_milvus_are_below_those_that_were_sent(milvus: EmbeddedServer, tmp_path: Path) -> None:
    began = milvus.log.stat().st_size
    with otlp_receiver() as receiver:
        own = ("--host", milvus.uri, "--collection", SEARCHED, *SMALL, *BRIEF, "--variants", "async; wire/sync")
        run_locust(tmp_path, *own, "--trace-sample", "0.3", "--otlp", receiver.url).assert_good()
    wanted, give_up = exported(receiver), time.monotonic() + PATIENCE
    assert wanted
    result: list[tuple[str, str]] = []
    while result != wanted and time.monotonic() < give_up:
        time.sleep(0.5)
        with milvus.log.open("rb") as log:
            log.seek(began)
            result = sorted(SEARCH_SPAN.findall(log.read().decode(errors="replace")))
    assert result == wanted


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
"""


def test_without_the_extra_no_load_is_sent_and_the_remedy_is_named(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    url = "http://127.0.0.1:4318"
    done = run_locust(
        tmp_path, "--otlp", url, "--max-failures", "many", fresh=True, PYTHONPATH=f"{tmp_path}:{Path.cwd()}"
    )
    done.assert_good(2)
    assert (
        f"--otlp {url}: needs opentelemetry.sdk and opentelemetry.exporter.otlp.proto.http, not installed" in done.err
    )
    assert "pip install 'milvus-loadgen[otel]'" in done.err
    assert "--max-failures many" in done.err
    assert not (tmp_path / "runs").exists()
