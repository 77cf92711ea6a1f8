"""What the server said of its own work in a phase."""

from typing import Annotated

from pydantic import Field

from loadgen.results.record.part import Count, Figure, Part


class ServerRecord(Part):
    """Figures of Milvus's own metrics, requests of other clients included; null: the server has no such series.

    Times are means: of a request in the proxy and of its parts there, and of its work in a query node.
    """

    seconds: Annotated[float, Field(ge=0, le=1e9)]
    """From the end of the previous phase, so the warm-up is included."""
    searches: Count
    search_seconds: Figure
    search_queue_seconds: Figure
    search_wait_seconds: Figure
    """For the query nodes."""
    search_reduce_seconds: Figure
    search_decode_seconds: Figure
    node_queue_seconds: Figure
    node_search_seconds: Figure
    inserts: Count
    """Upserts included."""
    insert_seconds: Figure
    failed_requests: Count
    rate_limited_requests: Count
    cores_used: Figure
    """CPU time to wall time, of all processes whose metrics were read."""
    memory_bytes: Figure
