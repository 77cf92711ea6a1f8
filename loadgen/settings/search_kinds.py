"""Conflicts of the kind of search with other settings: what LlamaIndex would only say call by call."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from loadgen.settings.faults import Fault
from loadgen.settings.message_sizes import VECTOR_FIELDS
from loadgen.settings.values import MMR

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

LIMIT = 16_384
"""Rows that Milvus returns for one search at most."""


def find_kind_conflicts(settings: "Settings") -> Iterator[tuple[Fault, tuple[str, ...]]]:
    """All conflicts, each with the names of the settings involved."""
    if settings.search_kind == MMR:
        yield from _find_mmr_conflicts(settings)


def _find_mmr_conflicts(settings: "Settings") -> Iterator[tuple[Fault, tuple[str, ...]]]:
    fields = settings.output_fields
    if fields and not set(fields) & set(VECTOR_FIELDS):
        problem = "leave out the vectors, from which an MMR search chooses (--search-kind mmr)"
        fault = Fault("output_fields", ",".join(fields), problem, "Add embedding, or omit the setting.")
        yield fault, ("output_fields", "search_kind")
    if settings.fetched > LIMIT:
        problem = f"makes an MMR search fetch {settings.fetched:,} rows, and Milvus returns {LIMIT:,} at most"
        fault = Fault(
            "top_k", str(settings.top_k), problem, f"Lower --top-k to {LIMIT * settings.top_k // settings.fetched}."
        )
        yield fault, ("top_k", "search_kind")
