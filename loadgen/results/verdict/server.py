"""How much of a search's time is the server's, by its own clock."""

from collections.abc import Iterator

from loadgen.measure.histograms import mean
from loadgen.results.record import RunRecord
from loadgen.results.series import Series
from loadgen.results.verdict.phrases import show_time

SEARCH = "search"
FOREIGN = 1.1
"""Searches of the server for each of ours from which others must have searched, too: ours include the warm-up."""


def say_server_work(record: RunRecord, series: list[Series]) -> Iterator[str]:
    """For each variant at its highest level: the mean time of a search, and the part that Milvus measured itself."""
    highest = {one.variant: one for one in series if one.operation == SEARCH}  # series are sorted by level
    told = [line for one in highest.values() if (line := _say(one))]
    yield from told
    failed = sum(phase.server.failed_requests for phase in record.phases if phase.server is not None)
    limited = sum(phase.server.rate_limited_requests for phase in record.phases if phase.server is not None)
    if limited:
        yield f"Milvus refused {limited:,} requests because of its rate limits."
    if failed:
        yield f"Milvus counted {failed:,} failed requests."


def _say(one: Series) -> str:
    work = one.server_work
    own = work.seconds["search"] if work is not None else None
    if work is None or own is None or not one.times().get_total_count():
        return ""
    parts = {
        "in its queue": work.seconds["search_queue"],
        "waiting for query nodes": work.seconds["search_wait"],
    }
    inner = ", ".join(f"{show_time(seconds)} {words}" for words, seconds in parts.items() if seconds is not None)
    shown = f"{show_time(own)} of them by Milvus's own clock" + (f" ({inner})" if inner else "")
    return f"A search at {one.level} took {show_time(mean(one.times()))} with {one.variant} on average, {shown}."
