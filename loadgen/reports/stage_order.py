"""The order of stages in tables and pictures."""

from collections.abc import Iterable

from loadgen.measure.store_stages import ALL_STAGES

IN_ORDER = (
    *ALL_STAGES, "read", "split", "embed", "insert", "retrieve", "search", "first_token", "generate", "inter_token",
)  # fmt: skip
"""Stages of a vector store and of the RAG path, in the order in which they happen. Others follow alphabetically."""


def in_order(stages: Iterable[str]) -> list[str]:
    """The stages in the order in which they happen, as far as that is known."""
    return sorted(stages, key=lambda stage: (IN_ORDER.index(stage) if stage in IN_ORDER else len(IN_ORDER), stage))
