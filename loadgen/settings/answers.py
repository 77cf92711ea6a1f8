"""Which settings decide the answers of a variant: where two have the same, they must find the same rows."""

from typing import TYPE_CHECKING

from loadgen.settings.variants import OF_COLLECTION

if TYPE_CHECKING:
    from loadgen.settings.model import Settings

OF_NEIGHBOURS = ("top_k", "filter", "partitions", "partition_key")
"""Settings that decide which neighbours a search looks for: where they differ, so do the right answers."""
OF_ANSWERS = (*OF_COLLECTION, "search_params", "top_k", "search_kind", "filter")
"""The ones that decide which rows a search finds."""


def decides_answers(settings: "Settings") -> tuple[object, ...]:
    """The settings that decide which rows a search finds: variants with the same values must find the same rows."""
    return (
        settings.collection,
        sorted(settings.index_config.items(), key=str),
        sorted(settings.search_config.items(), key=str),
        settings.consistency,
        settings.top_k,
        settings.search_kind,
        settings.filter,
        settings.partitions,
        settings.partition_key,
        settings.embedding,
    )
