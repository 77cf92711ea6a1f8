"""The collections of a run, as part of its record."""

from typing import Literal

from loadgen.results.record.part import Count, Part


class CollectionRecord(Part):
    """A collection of the run and its segments; null where the server does not report them."""

    name: str
    compaction: Literal["completed", "not awaited", "not supported", "not permitted", "not needed", "unknown"]
    """Before the run; `not needed`: the collection was ready before, or is not this tool's; `unknown`: it was loaded
    without one, and other runs that used it prevented one."""
    segments_loaded: Count | None
    """When the rows were written, before the compaction; null also where they existed before."""
    segments_before: Count | None
    """When the run began."""
    segments_after: Count | None
    """When it ended; null also while it goes on."""
