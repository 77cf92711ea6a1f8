"""Limits on what is drawn, so that a report on thousands of phases takes seconds and stays readable."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

OPERATIONS_DRAWN = 8
LEVELS_DRAWN = 60
"""Loads in a chart over the load."""
RATIOS_DRAWN = 24
"""Loads in the chart of ratios, one line each."""
PHASES_DRAWN = 400
"""Phases in the timeline."""


def choose(items: Sequence[T], most: int) -> list[T]:
    """At most `limit` items, evenly spaced, including the first and the last."""
    if len(items) <= most:
        return list(items)
    last = len(items) - 1
    return [items[round(number * last / (most - 1))] for number in range(most)]


def say_chosen(shown: int, items: int, name: str) -> str:
    """A sentence on what `choose` omitted; empty if nothing."""
    return (
        f" {shown:,} of {items:,} {name} are drawn, evenly spaced; the tables and the run record have more."
        if items > shown
        else ""
    )
