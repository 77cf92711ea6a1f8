"""Conflicts of settings with the size of the data, which for a file is known once it is open."""

from typing import TYPE_CHECKING

from loadgen.settings.faults import Fault
from loadgen.settings.message_sizes import LITE, find_oversized
from loadgen.text.listing import count_of

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

SIZED = (
    "dim", "rows", "batch_size", "nodes_per_insert", "top_k", "output_fields", "text_bytes", "metadata", "search_kind",
    "queries_per_search",
)  # fmt: skip


def find_data_conflicts(settings: "Settings") -> list[tuple[Fault, tuple[str, ...]]]:
    """All conflicts with the number of rows and their dimension, each with the names of the settings involved."""
    result: list[tuple[Fault, tuple[str, ...]]] = []
    if settings.top_k > settings.rows:
        fault = Fault(
            "top_k",
            str(settings.top_k),
            f"is more than the {count_of(settings.rows, 'row')}",
            "Lower --top-k or raise --rows.",
        )
        result.append((fault, ("top_k", "rows")))
    # Invalid for every server; the rest is checked once the server type is known.
    return [*result, *((fault, SIZED) for fault in find_oversized(settings, LITE))]
