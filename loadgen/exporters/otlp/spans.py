"""The spans of a sampled operation: itself, and its stages as children."""

from collections.abc import Iterator, Mapping
from random import Random

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from loadgen.measure.sample import Sample, Trace
from loadgen.measure.store_stages import QUEUE
from loadgen.measure.tracing import NANOSECONDS

NAME = "milvus-loadgen"
SAMPLED = TraceFlags(TraceFlags.SAMPLED)
Value = str | int | float


class SpanMaker:
    """Makes spans; `ids` draws those of the stages. That of an operation is the one that its requests sent."""

    def __init__(self, resource: Resource, version: str, ids: Random) -> None:
        self._resource = resource
        self._scope = InstrumentationScope(NAME, version)
        self._ids = ids

    def make(self, sample: Sample, trace: Trace, attributes: Mapping[str, Value]) -> Iterator[ReadableSpan]:
        """The span of an operation, from when it was due, then those of its stages.

        Stages are laid end to end in the order in which they were reported; those that occur many times are
        attributes: their number and their sum.
        """
        own = SpanContext(int(trace.trace_id, 16), int(trace.span_id, 16), is_remote=False, trace_flags=SAMPLED)
        above = SpanContext(own.trace_id, int(trace.parent_id, 16), False, SAMPLED) if trace.parent_id else None
        queued = sample.started - sample.scheduled
        begin = trace.began - round(queued * NANOSECONDS)
        many = {stage: took for stage, took in sample.stages.items() if isinstance(took, tuple)}
        once = {stage: took for stage, took in sample.stages.items() if not isinstance(took, tuple)}
        more: dict[str, Value] = dict(attributes)
        for stage, took in many.items():
            more |= {f"loadgen.stage.{stage}.count": len(took), f"loadgen.stage.{stage}.seconds": sum(took)}
        failed = sample.outcome.is_failure
        if failed:
            more["error.type"] = sample.outcome.value
        yield self._span(
            sample.operation, own, (begin, begin + round(sample.response_seconds * NANOSECONDS)),
            parent=above, attributes=more, kind=SpanKind.CLIENT,
            status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
        )  # fmt: skip
        at = begin if QUEUE in once else trace.began
        for stage in sorted(once, key=lambda stage: stage != QUEUE):  # it is first, in whichever order it was reported
            context = SpanContext(own.trace_id, self._ids.randrange(1, 1 << 64), False, SAMPLED)
            end = at + round(once[stage] * NANOSECONDS)
            yield self._span(stage, context, (at, end), parent=own)
            at = end

    def _span(self, name: str, context: SpanContext, times: tuple[int, int], **given: object) -> ReadableSpan:
        return ReadableSpan(
            name, context, start_time=times[0], end_time=times[1], resource=self._resource,
            instrumentation_scope=self._scope, **given,  # type: ignore[arg-type]
        )  # fmt: skip
