"""How much of a large record is drawn, so that a report of thousands of phases takes seconds and can be read."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

OPERATIONS_DRAWN = 8
LEVELS_DRAWN = 60
"""Loads in a picture against the load."""
RATIOS_DRAWN = 24
"""Loads in the picture of ratios, each with a line of its own."""
PHASES_DRAWN = 400
"""Phases in the picture of the run."""


def choose(items: Sequence[T], most: int) -> list[T]:
    """At most so many, evenly chosen, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    last = len(items) - 1
    return [items[round(number * last / (most - 1))] for number in range(most)]


def say_chosen(shown: int, items: int, name: str) -> str:
    """A sentence about what `choose` has left out; empty where that is nothing."""
    return (
        f" {shown:,} of {items:,} {name} are drawn, evenly chosen; the tables and the run record have more."
        if items > shown
        else ""
    )
