"""Shared by all charts of a report: their size, and legends with room for long names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from loadgen.reports.tables import Table

WIDTH, HEIGHT = 7.2, 3.6
"""Inches."""
SMALL, SHORT = 2, 16
"""Maximum names, and characters of each, for a legend inside the chart."""
CHARACTER, HANDLE, LINE = 0.078, 0.65, 0.19
"""Inches of a legend: width of a character, width of a line sample with its margins, height of a row."""
FONT = 9


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a chart, and what a reader who points at it is shown."""

    axes: Any
    x: float
    y: float
    text: str


class ChartFigure(Figure):
    """A figure whose values can be looked up."""

    def __init__(self, height: float) -> None:
        """`height` in inches; all charts are equally wide."""
        super().__init__(figsize=(WIDTH, height), layout="constrained")
        self.points: list[Point] = []

    def explain(self, axes: Any, x: float, y: float, text: str) -> None:
        """Say what is drawn at these coordinates of the axes."""
        self.points.append(Point(axes, x, y, text))


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its caption, and the same figures as a table."""

    key: str
    title: str
    text: str
    """What it shows and how to read it."""
    figure: ChartFigure
    table: Table | None


def is_small(names: Sequence[str]) -> bool:
    """True if a legend with these names fits inside the chart."""
    return len(names) <= SMALL and all(len(name) <= SHORT for name in names)


def legend_height(names: Sequence[str]) -> float:
    """Inches that a legend with these names takes above the chart; 0 if it is inside."""
    return 0.0 if is_small(names) else 0.1 + LINE * -(-len(names) // _columns(names))


def add_legend(figure: Figure, axes: Any, place: str = "best") -> None:
    """Add a legend at this location in the axes, or above them if it does not fit; none without names."""
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
