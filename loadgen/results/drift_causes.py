"""What in a run can have changed its collection or the server meanwhile, as far as its record tells."""

from collections import Counter
from collections.abc import Iterator

from loadgen.measure.sample import Outcome
from loadgen.results.record import CollectionRecord, RunRecord
from loadgen.text.listing import count_of, join_some

WRITES = ("insert", "ingest", "delete")
"""Operations that change rows; a record does not say it of those of a locustfile."""
PENDING = ("not awaited", "not permitted", "unknown")
"""Outcomes of a compaction that may have been still to do."""
OTHER = (
    "Neither inserts nor a compaction of the run can be the cause: the machine or the server changed, such as by a "
    "cache or another load. Give it a longer warm-up, and look at the server's metrics."
)


def find_causes(record: RunRecord) -> list[str]:
    """Sentences: the run's own writes, a compaction that was not awaited, or neither of them."""
    return [*_say_writes(record), *_say_compactions(record)] or [OTHER]


def _say_writes(record: RunRecord) -> Iterator[str]:
    done: Counter[str] = Counter()
    for part in (*(part for phase in record.phases for part in phase.operations), *record.outside):
        if part.operation in WRITES:
            done[part.operation] += part.outcomes.get(Outcome.OK, 0)
    writes = [count_of(done[name], name) for name in WRITES if done[name]]
    if writes:
        changed = "made the collection grow" if "delete" not in done else "changed the collection"
        yield f"The {join_some(writes)} of the run {changed} meanwhile: compare phases with equal rows, or only search."


def _say_compactions(record: RunRecord) -> Iterator[str]:
    pending = [one for one in record.manifest.collections if one.compaction in PENDING]
    if pending:
        names = join_some([f"{one.name} ({one.compaction})" for one in pending])
        yield (
            f"Compaction had not been completed before the run: {names}. Milvus may have merged segments"
            f"{_segments(pending)} meanwhile; await it, or measure later."
        )
        return
    changed = [one for one in record.manifest.collections if _has_changed(one)]
    if changed and not any(_say_writes(record)):
        yield f"The server merged or split segments meanwhile{_segments(changed)}: measure later, when it is at rest."


def _has_changed(one: CollectionRecord) -> bool:
    return None not in (one.segments_before, one.segments_after) and one.segments_before != one.segments_after


def _segments(collections: list[CollectionRecord]) -> str:
    reported = [
        f"{one.segments_before} of {one.name} before the run, {one.segments_after} after it"
        for one in collections
        if _has_changed(one)
    ]
    return f" ({'; '.join(reported)})" if reported else ""
