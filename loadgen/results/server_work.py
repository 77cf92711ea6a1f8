"""The server's view of its work over phases of one variant at one level."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.measure.server_view import ServerView
from loadgen.results.record import PhaseRecord, ServerRecord

TIMES = ("search", "search_queue", "search_wait", "search_reduce", "search_decode", "node_queue", "node_search")
"""Parts of a search, as the record names them without `_seconds`."""


@dataclass(frozen=True, slots=True)
class ServerWork:
    """Figures of all rounds; None is unknown."""

    searches: int
    seconds: dict[str, float | None]
    """Mean of each of `TIMES`, weighted by the searches of each round."""
    inserts: int
    insert_seconds: float | None
    failed: int
    rate_limited: int
    cores: float | None
    """Mean over time."""
    memory_bytes: float | None
    """Maximum."""


def record_server(view: ServerView) -> ServerRecord:
    """The view of one phase in the form of the record."""
    return ServerRecord(
        seconds=view.seconds,
        searches=view.searches,
        search_seconds=view.search,
        search_queue_seconds=view.queue,
        search_wait_seconds=view.wait,
        search_reduce_seconds=view.reduce,
        search_decode_seconds=view.decode,
        node_queue_seconds=view.node_queue,
        node_search_seconds=view.node_search,
        inserts=view.inserts,
        insert_seconds=view.insert,
        failed_requests=view.failed,
        rate_limited_requests=view.rate_limited,
        cores_used=view.cores,
        memory_bytes=view.memory,
    )


def find_server_work(phases: Sequence[PhaseRecord]) -> ServerWork | None:
    """None unless the server was asked after each of the phases."""
    views = [phase.server for phase in phases if phase.server is not None]
    if not views or len(views) < len(phases):
        return None
    memory = [view.memory_bytes for view in views if view.memory_bytes is not None]
    return ServerWork(
        searches=sum(view.searches for view in views),
        seconds={name: _mean(views, f"{name}_seconds", "searches") for name in TIMES},
        inserts=sum(view.inserts for view in views),
        insert_seconds=_mean(views, "insert_seconds", "inserts"),
        failed=sum(view.failed_requests for view in views),
        rate_limited=sum(view.rate_limited_requests for view in views),
        cores=_mean(views, "cores_used", "seconds"),
        memory_bytes=max(memory, default=None),
    )


def _mean(views: Sequence[ServerRecord], name: str, weight: str) -> float | None:
    known = [(value, getattr(view, weight)) for view in views if (value := getattr(view, name)) is not None]
    total = math.fsum(number for _, number in known)
    return math.fsum(value * number for value, number in known) / total if total else None
