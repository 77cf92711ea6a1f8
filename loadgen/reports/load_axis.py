"""Figures over the load: a panel for each figure, in it a line for each variant, with intervals where there are any."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.ticker import FixedLocator, NullLocator

from loadgen.reports.drawing import HEIGHT, ChartFigure, add_legend, legend_height
from loadgen.reports.style import PlotStyle
from loadgen.reports.summary import Summary, SummaryRow, label
from loadgen.reports.truncation import choose
from loadgen.results.estimates import Interval
from loadgen.results.verdict.phrases import show_rate

MILLISECONDS = 1_000
ASIDE, WIDEST = 1.03, 1.13
"""Horizontal spacing of variants at one level, so that bars do not overlap: between two, and overall."""
TICKS = 12
"""Maximum tick labels on a load axis that is as wide as the page."""
COLUMNS, LOW = 3, 2.6
"""Panels side by side, and inches of height of a row of them."""
ROOM = 1.06
"""Where a linear axis ends, as a factor of its highest value."""
PlotStyles = Mapping[str, tuple[int, PlotStyle]]
"""For each variant drawn: its index among all variants, and its style."""
Reading = Callable[[SummaryRow], tuple[float | None, Interval | None]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the charts of one operation share."""

    rows: Sequence[SummaryRow]
    """At the levels that are drawn."""
    plot_styles: PlotStyles
    load: str
    """Name of the load axis."""
    left_out: str
    """A sentence on the levels that are not drawn; empty if all are."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure: how a row is read, and the name of its axis."""

    read: Reading
    axis: str
    title: str = ""
    is_logarithmic: bool = False
    most: float | None = None
    """Where the axis ends; None: by the values."""

    @property
    def unit(self) -> str:
        """What the figure is called next to a value."""
        return " ".join(one for one in (self.title, self.axis) if one)


def plot_styles_of(summary: Summary, rows: Sequence[SummaryRow]) -> PlotStyles:
    """The styles of the variants that have rows."""
    ran = {row.series.variant for row in rows}
    return {name: (place, style) for place, (name, style) in enumerate(summary.plot_styles.items()) if name in ran}


def draw_panels(drawing: Drawing, panels: Sequence[Panel], *, is_shared: bool = False) -> ChartFigure:
    """The figure; all panels share the load axis, and the other one if asked to."""
    columns = min(COLUMNS, len(panels))
    lines = math.ceil(len(panels) / columns)
    height = HEIGHT if len(panels) == 1 else 0.4 + LOW * lines
    room = legend_height(list(map(label, drawing.plot_styles)))
    figure = ChartFigure(height + room)
    every = figure.subplots(lines, columns, sharey=is_shared, squeeze=False).ravel()
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    for place, (axes, panel) in enumerate(zip(every, panels, strict=False)):
        _draw(axes, drawing, panel)
        _level_axis(axes, sorted({row.series.level.value for row in drawing.rows}), TICKS // columns)
        axes.set_title(panel.title)
        if not is_shared or place % columns == 0:
            axes.set_ylabel(panel.axis)
        if len(panels) == 1:
            axes.set_xlabel(drawing.load)
    if len(panels) > 1:
        figure.supxlabel(drawing.load, fontsize=10)
    add_legend(figure, every[0])
    return figure


def _draw(axes: Any, drawing: Drawing, panel: Panel) -> None:
    aside = max(place for place, _ in drawing.plot_styles.values()) + 1
    for name, (place, style) in drawing.plot_styles.items():
        points = [(row.series.level, *panel.read(row)) for row in drawing.rows if row.series.variant == name]
        known = [(level, value, interval) for level, value, interval in points if value is not None]
        if not known:
            continue
        offset = _aside(place, aside)
        levels, values = [offset * level.value for level, _, _ in known], [value for _, value, _ in known]
        bars = [
            [max(value - interval.low, 0) if interval else 0 for _, value, interval in known],
            [max(interval.high - value, 0) if interval else 0 for _, value, interval in known],
        ]
        has_bars = any(interval for _, _, interval in known)
        for (level, value, interval), x in zip(known, levels, strict=True):
            axes.figure.explain(axes, x, value, f"{name}, {level}: {_say(value, interval)} {panel.unit}")
        axes.errorbar(
            levels, values, yerr=bars if has_bars else None, label=label(name), color=style.colour,
            linestyle=style.line, marker=style.marker, capsize=4, markersize=6, linewidth=1.8,
        )  # fmt: skip
    if panel.is_logarithmic:
        axes.set_yscale("log")
        plain_ticks(axes.yaxis)
    else:
        axes.set_ylim(0, panel.most or ROOM * axes.get_ylim()[1])


def _say(value: float, interval: Interval | None) -> str:
    """A value with its interval."""
    sure = f" ({show_rate(interval.low)} to {show_rate(interval.high)})" if interval else ""
    return f"{show_rate(value)}{sure}"


def _aside(place: int, variants: int) -> float:
    """The horizontal offset of a variant from its level, as a factor."""
    step = min(ASIDE, WIDEST ** (1 / max(variants - 1, 1)))
    return float(step ** (place - (variants - 1) / 2))


def _level_axis(axes: Any, levels: Sequence[float], ticks: int) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(choose(levels, ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(levels[0] / 1.4, levels[-1] * 1.4)


def plain_ticks(axis: Any) -> None:
    """Numbers such as 20 and 0.5 at the ticks of a logarithmic axis, 1, 2 and 5 of each power of ten."""
    from matplotlib.ticker import LogLocator

    axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:g}")
