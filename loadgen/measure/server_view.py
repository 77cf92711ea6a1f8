"""What the server says of its own work in a phase."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerView:
    """The work of all its parts that were asked, between two looks. Times are means in seconds; nan is unknown.

    Requests of other clients are included.
    """

    seconds: float
    """Between the looks: from the end of the previous phase, so the warm-up is included."""
    searches: int = 0
    """Searches that its proxies answered."""
    search: float = math.nan
    """From the request in the proxy to its answer."""
    queue: float = math.nan
    """Of that, waiting in the proxy's queue."""
    wait: float = math.nan
    """Of that, waiting for the query nodes."""
    reduce: float = math.nan
    """Of that, merging their results."""
    decode: float = math.nan
    """Of that, decoding them."""
    node_queue: float = math.nan
    """In a query node: waiting to be executed."""
    node_search: float = math.nan
    """In a query node: searching the index."""
    inserts: int = 0
    """Inserts and upserts that its proxies answered."""
    insert: float = math.nan
    failed: int = 0
    """Requests that failed."""
    rate_limited: int = 0
    """Requests that were refused because of a limit."""
    cores: float = math.nan
    """CPU time to wall time, of all processes that were asked."""
    memory: float = math.nan
    """Resident bytes of all of them at the second look."""
