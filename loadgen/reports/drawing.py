"""What all pictures of a report share: their size, and legends that leave room for long names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from loadgen.reports.tables import Table

WIDTH, HEIGHT = 7.2, 3.6
"""Inches."""
SMALL, SHORT = 2, 16
"""Names, and characters of each, that fit into the picture itself."""
CHARACTER, HANDLE, LINE = 0.078, 0.65, 0.19
"""Inches of a legend: of a character, of a piece of line with the room around it, and of a line's height."""
FONT = 9


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with its words, and the same figures as a table."""

    key: str
    title: str
    text: str
    """What it shows and how to read it."""
    figure: Figure
    table: Table | None


def is_small(names: Sequence[str]) -> bool:
    """True where a legend of these names fits into the picture."""
    return len(names) <= SMALL and all(len(name) <= SHORT for name in names)


def legend_height(names: Sequence[str]) -> float:
    """Inches that a legend of these names takes above the picture; 0 where it is in it."""
    return 0.0 if is_small(names) else 0.1 + LINE * -(-len(names) // _columns(names))


def add_legend(figure: Figure, axes: Any, place: str = "best") -> None:
    """Name what the axes show: at this place in them, or above them where that would be too much. Nothing for none."""
    handles, names = axes.get_legend_handles_labels()
    if not names:
        return
    if is_small(names):
        axes.legend(loc=place)
        return
    figure.legend(
        handles, names, loc="outside upper center", ncols=_columns(names), fontsize=FONT, handlelength=3.2
    )  # fmt: skip


def _columns(names: Sequence[str]) -> int:
    each = HANDLE + CHARACTER * max(map(len, names))
    return max(1, min(len(names), int(WIDTH / each)))
