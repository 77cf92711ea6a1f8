"""The order of stages in tables and pictures."""

from collections.abc import Iterable

IN_ORDER = ("read", "split", "embed", "insert", "retrieve", "search", "first_token", "generate", "inter_token")
"""Stages of the RAG path in the order in which they happen. Others follow alphabetically."""


def in_order(stages: Iterable[str]) -> list[str]:
    """The stages in the order in which they happen, as far as that is known."""
    return sorted(stages, key=lambda stage: (IN_ORDER.index(stage) if stage in IN_ORDER else len(IN_ORDER), stage))
