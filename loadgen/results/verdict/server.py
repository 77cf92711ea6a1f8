"""Where a search's time goes: by the client's stages, and by the server's own clock."""

from collections.abc import Iterator, Sequence

from hdrh.histogram import HdrHistogram

from loadgen.measure.histograms import mean
from loadgen.measure.sample import Mode
from loadgen.measure.store_stages import ALL_STAGES, RPC
from loadgen.results.record import RunRecord
from loadgen.results.series import Series
from loadgen.results.verdict.phrases import show_time

SEARCH = "search"
OUTSIDE = {Mode.SYNC: "network and server", Mode.ASYNC: "network, server and event loop"}
"""What `rpc` consists of."""


def say_server_work(record: RunRecord, series: Sequence[Series]) -> Iterator[str]:
    """For each variant at its highest level: the mean time of a search and its parts, as far as they were measured."""
    highest = {one.variant: one for one in series if one.operation == SEARCH}  # series are sorted by level
    reported = [line for one in highest.values() if (line := _say(one))]
    yield from reported
    failed = sum(phase.server.failed_requests for phase in record.phases if phase.server is not None)
    limited = sum(phase.server.rate_limited_requests for phase in record.phases if phase.server is not None)
    if limited:
        yield f"Milvus refused {limited:,} requests because of its rate limits."
    if failed:
        yield f"Milvus counted {failed:,} failed requests."


def _say(one: Series) -> str:
    stages = one.stage_times() if any(RPC in part.stages for part in one.parts) else {}
    if not one.times().get_total_count():
        return ""
    head = f"A search at {one.level} took {show_time(mean(one.times()))} with {one.variant} on average"
    if RPC in stages:
        return f"{head}: {_say_stages(one, stages)}."
    own, waits = _say_own(one)
    return f"{head}, {own} ({waits})." if waits else f"{head}, {own}." if own else ""


def _say_stages(one: Series, stages: dict[str, HdrHistogram]) -> str:
    own = ": ".join(filter(None, _say_own(one)))
    parts = {name: show_time(mean(stages[name])) for name in ALL_STAGES if name in stages}
    outside = f"{parts[RPC]} {OUTSIDE[one.phases[0].mode]}" + (f" ({own})" if own else "")
    return ", ".join(outside if name == RPC else f"{shown} {name}" for name, shown in parts.items())


def _say_own(one: Series) -> tuple[str, str]:
    """The part of a search that Milvus measured itself, and the waits in it; each empty if unknown."""
    work = one.server_work
    own = work.seconds["search"] if work is not None else None
    if work is None or own is None:
        return "", ""
    waits = {
        "in its queue": work.seconds["search_queue"],
        "waiting for query nodes": work.seconds["search_wait"],
    }
    inner = ", ".join(f"{show_time(seconds)} {words}" for words, seconds in waits.items() if seconds is not None)
    return f"{show_time(own)} of them by Milvus's own clock", inner
