"""The chart of ratios: a row per variant and level, against the baseline."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.ticker import FixedLocator, NullLocator

from loadgen.reports.drawing import Chart, ChartFigure, add_legend, legend_height
from loadgen.reports.style import FAINT, GREY, PLOT_STYLES, PlotStyle
from loadgen.reports.summary import Summary, label
from loadgen.reports.tables import ratio_table
from loadgen.reports.truncation import RATIOS_DRAWN, choose, say_chosen
from loadgen.results.comparison import Pair
from loadgen.results.figures import LoadLevel, load_level
from loadgen.results.record import Comparison, Ratio
from loadgen.results.verdict.comparing import pair_of
from loadgen.results.verdict.phrases import name_pairs, show_estimate

ROOM, LOWEST_RATIO = 1.08, 0.02
"""Margin beyond the outermost ratio, as a factor; ratios beyond 1 to 50 are in the table only."""
RATIO_TICKS = {
    1.7: (0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4),
    2.6: (0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.6, 2, 2.5),
    4: (0.25, 0.5, 0.75, 1, 1.5, 2, 3),
    30: (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20),
    math.inf: (0.02, 0.1, 1, 10, 50),
}
"""Ticks by the widest quotient of the ends of an axis that they fit."""
PANELS = {"throughput_ratio": "operations/s", "p50_ratio": "p50", "p99_ratio": "p99"}
MARGIN = 1.2
"""Inches of height: of axis, labels and titles together."""
ROW, ROW_OF_MANY = 0.42, 0.26
"""Inches of height: of one row, and of one of several at a level."""
ALONE = PlotStyle("#000000", "#f5f5f5", "-", "D", "")
"""Style of a single compared variant."""
TINT = PLOT_STYLES[1].colour


def ratio_chart(summary: Summary, operation: str, key: str) -> Chart:
    """Every comparison of an operation that has any."""
    every = _by_level(summary.compared(operation))
    pairs = list(dict.fromkeys(pair_of(one) for some in every.values() for one in some))
    levels = choose(list(every), max(2, RATIOS_DRAWN // len(pairs)))
    shown = {level: every[level] for level in levels}
    plot_styles = (
        {pair: summary.plot_styles.get(pair.variant, ALONE) for pair in pairs} if len(pairs) > 1 else {pairs[0]: ALONE}
    )
    about = name_pairs(pairs)
    side = label(pairs[0].variant) if len(pairs) == 1 else "the variant"
    text = (
        f"A bar that crosses 1 shows no significant difference. The tinted side is where {side} is better. Crosses "
        f"are invalid comparisons, for the reasons above.{say_chosen(len(levels), len(every), 'loads')}"
    )
    title = f"{operation}: {about}, with 95 % intervals"
    return Chart(f"{key}-ratio", title, text, _draw(shown, plot_styles), ratio_table(summary, operation))


def _by_level(compared: Sequence[Comparison]) -> dict[LoadLevel, list[Comparison]]:
    result: dict[LoadLevel, list[Comparison]] = {}
    for one in compared:
        result.setdefault(load_level(one.concurrency, one.rate), []).append(one)
    return result


def _draw(shown: dict[LoadLevel, list[Comparison]], plot_styles: dict[Pair, PlotStyle]) -> ChartFigure:
    """Three panels; levels from bottom to top, variants within a level from top to bottom, a line between levels."""
    rows = [one for some in shown.values() for one in reversed(some)]
    names = {pair: f"{label(pair.variant)} / {label(pair.baseline)}" for pair in plot_styles}
    alone = len(names) == 1
    room = 0.0 if alone else legend_height(list(names.values()))
    figure = ChartFigure(MARGIN + room + (ROW if alone else ROW_OF_MANY) * len(rows))
    panels = figure.subplots(1, 3, sharey=True)
    for panel, (name, figure_name) in zip(panels, PANELS.items(), strict=True):
        for height, one in enumerate(rows):
            _draw_ratio(panel, height, one, name, plot_styles[pair_of(one)])
        _ratio_axis(panel, [getattr(one, name) for one in rows], upwards=name == "throughput_ratio")
        panel.set_title(f"{figure_name}, {next(iter(names.values()))}" if alone else figure_name)
    ends = [0]
    for some in shown.values():
        ends.append(ends[-1] + len(some))
    middles = [(low + high - 1) / 2 for low, high in pairwise(ends)]
    panels[0].set_yticks(middles, [str(level) for level in shown])
    panels[0].set_ylim(-0.6, len(rows) - 0.4)
    if not alone:
        for panel in panels:
            panel.grid(visible=False, axis="y")
            for end in ends[1:-1]:
                panel.axhline(end - 0.5, color=FAINT, linewidth=0.8)
        _name(figure, panels[0], names, plot_styles)
    return figure


def _name(figure: ChartFigure, panel: Any, names: dict[Pair, str], plot_styles: dict[Pair, PlotStyle]) -> None:
    """A legend of the markers."""
    for pair, style in plot_styles.items():
        panel.plot([], [], color=style.colour, marker=style.marker, linestyle="", label=names[pair])
    add_legend(figure, panel)


def _draw_ratio(panel: Any, height: int, one: Comparison, name: str, style: PlotStyle) -> None:
    ratio, is_valid = getattr(one, name), one.verdict != "invalid"
    if ratio.estimate is None or ratio.low is None or ratio.high is None:
        return
    bars = [[max(ratio.estimate - ratio.low, 0)], [max(ratio.high - ratio.estimate, 0)]]
    colour, marker = (style.colour, style.marker) if is_valid else (GREY if style is ALONE else style.colour, "x")
    about = f"{one.variant} / {one.baseline} at {load_level(one.concurrency, one.rate)}, {PANELS[name]}"
    said = "" if is_valid else ", invalid"
    panel.figure.explain(panel, ratio.estimate, height, f"{about}: {show_estimate(ratio)}{said}")
    panel.errorbar(ratio.estimate, height, xerr=bars, color=colour, marker=marker, markersize=5, capsize=4)


def _ratio_axis(panel: Any, ratios: Sequence[Ratio], *, upwards: bool) -> None:
    ends = [end for ratio in ratios for end in (ratio.low, ratio.high) if end]
    low = max(min([0.9, *ends]) / ROOM, LOWEST_RATIO)
    high = min(max([1.1, *ends]) * ROOM, 1 / LOWEST_RATIO)
    panel.set_xscale("log")
    chosen = next(ticks for widest, ticks in RATIO_TICKS.items() if high / low <= widest)
    panel.xaxis.set_major_locator(FixedLocator(chosen))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.set_xlim(low, high)
    panel.axvline(1, color="black", linewidth=1)
    panel.axvspan(*((1, high) if upwards else (low, 1)), color=TINT, alpha=0.08, linewidth=0)
