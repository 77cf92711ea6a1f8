"""A record of questions and ingests, as a run of the RAG path writes it, with known times."""

from collections.abc import Iterator, Sequence
from typing import Any

from loadgen.measure.histograms import new_histogram
from loadgen.measure.sample import Outcome
from loadgen.results.record import Durations, OperationRecord, PhaseRecord, RunRecord
from tests.unit.record_support import manifest, phase, record, timed, variant

STREAMED = "async stream=true"
VARIANTS = {"sync": "sync", "async": "async", STREAMED: "async"}
"""The mode of each variant."""
LEVELS = (2, 8)
ROUND = (*VARIANTS, *reversed(VARIANTS))
OBJECTIVE = "first_token < 500 ms"
ANSWERS = 100
"""Of a phase."""


def spread(seconds: Sequence[float]) -> Durations:
    """Durations: of each of these times ten."""
    total = new_histogram()
    for one in seconds:
        total.record_value(round(one * 1_000_000) or 1, 10)
    shown = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "p99_9", "max"), seconds[0])
    return Durations.model_validate(shown | {"histogram": total.encode()})


def asked(users: int, name: str) -> OperationRecord:
    """Answers that take 50 ms to their first token, 100 ms more to their last, and longer with more users."""
    slower = users / LEVELS[0]
    whole = name != STREAMED
    stages = {
        "embed": spread([0.004 * slower]),
        "first_token": spread([0.150 * slower if whole else 0.050 * slower] * 9 + [0.4 * slower]),
        "generate": spread([1e-6 if whole else 0.1 * slower]),
        "retrieve": spread([0.006 * slower]),
    }
    more: dict[str, Any] = {"stages": stages, "items": {"tokens_in": 600 * ANSWERS, "tokens_out": 20 * ANSWERS}}
    more |= {"good": ANSWERS * 3 // 4, "outcomes": {Outcome.OK: ANSWERS, Outcome.UNAVAILABLE: ANSWERS // 4}}
    if not whole:
        more["stages"] |= {"inter_token": spread([0.005] * 9 + [0.060 * slower])}
        more["repeated_stages"] = ("inter_token",)
    return timed([ANSWERS / 10] * 10, 0.16 * slower, name="ask", recall=0.9, **more)


def ingested(users: int) -> OperationRecord:
    """Ingests of four documents each."""
    stages = {"embed": 0.030, "insert": 0.010, "read": 0.001, "split": 0.004}
    items = {"documents": 4 * ANSWERS, "chunks": 12 * ANSWERS, "tokens": 2_000 * ANSWERS}
    own = {stage: spread([seconds * users]) for stage, seconds in stages.items()}
    return timed([ANSWERS / 10] * 10, 0.045 * users, name="ingest", recall=None, stages=own, items=items)


def phases(names: Sequence[str] = ROUND, levels: Sequence[int] = LEVELS) -> Iterator[PhaseRecord]:
    """Questions of all variants; ingests of the plain ones."""
    for users in levels:
        for name in names:
            operations = [asked(users, name), *([ingested(users)] if name in ("sync", "async") else [])]
            yield phase(VARIANTS[name], users, *operations, variant=name)


def rag_record(names: Sequence[str] = ROUND, levels: Sequence[int] = LEVELS) -> RunRecord:
    """A run of these phases, with the last variants streaming."""
    known = (variant("sync"), variant("async"), variant(STREAMED, "async", stream=True))
    own = manifest(settings={"objective": OBJECTIVE}, variants=tuple(one for one in known if one.name in names))
    return record(*phases(names, levels), manifest=own)
