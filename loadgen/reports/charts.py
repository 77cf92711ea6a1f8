"""The charts of a report, as matplotlib figures without pyplot state."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import FixedLocator

from loadgen.measure.histograms import MICROSECONDS
from loadgen.reports.drawing import Chart, ChartFigure, add_legend, legend_height
from loadgen.reports.load_axis import MILLISECONDS, Drawing, Panel, PlotStyles, draw_panels, plain_ticks, plot_styles_of
from loadgen.reports.ratios import ratio_chart
from loadgen.reports.stages import StageRow, stage_figure, stage_rows, stage_table
from loadgen.reports.style import PLAIN
from loadgen.reports.summary import PERCENTS, Summary, SummaryRow, label
from loadgen.reports.tables import level_table, milliseconds
from loadgen.reports.token_times import token_charts
from loadgen.reports.truncation import LEVELS_DRAWN, choose, say_chosen
from loadgen.reports.work import work_charts
from loadgen.results.estimates import Interval

BOTH = "Sync is solid with circles, async dashed with squares."
SEVERAL = "Each variant has the same colour, line and marker in every picture."
PANELS, COLUMNS = 6, 3
"""Panels of the percentile chart."""


def operation_charts(summary: Summary, operation: str, key: str) -> list[Chart]:
    """The charts of one operation; empty ones are omitted."""
    every = summary.rows_of(operation)
    levels = sorted({row.series.level for row in every})
    drawn = set(choose(levels, LEVELS_DRAWN))
    rows = [row for row in every if row.series.level in drawn]
    load = "arrivals per second" if summary.is_open else "users"
    drawing = Drawing(rows, plot_styles_of(summary, rows), load, say_chosen(len(drawn), len(levels), "loads"))
    charts = _main_charts(summary, operation, key, drawing)
    if stages := stage_rows(summary, operation):
        charts.append(_stage_chart(stages, operation, key))
    charts += token_charts(summary, operation, key, drawing)
    charts += work_charts(summary, operation, key, drawing)
    if summary.compared(operation):
        charts.insert(0, ratio_chart(summary, operation, key))
    return charts


def _main_charts(summary: Summary, operation: str, key: str, drawing: Drawing) -> list[Chart]:
    """Throughput, p99 and percentiles."""
    plot_styles, load, left_out = drawing.plot_styles, drawing.load, drawing.left_out
    levels = {row.series.level for row in summary.rows_of(operation)}
    return [
        Chart(
            f"{key}-throughput",
            f"{operation}: operations per second against {load}",
            "Higher is better. Bars are 95 % intervals. "
            f"{BOTH if set(plot_styles) == set(PLAIN) else SEVERAL}{left_out}",
            draw_panels(drawing, [Panel(_throughput, "operations/s")]),
            level_table(summary, operation),
        ),
        Chart(
            f"{key}-p99",
            f"{operation}: p99 response time against {load}",
            "99 of 100 operations were answered within this time. Lower is better; the axis is logarithmic." + left_out,
            draw_panels(drawing, [Panel(_p99, "p99 ms", is_logarithmic=True)]),
            None,
        ),
        Chart(
            f"{key}-percentiles",
            f"{operation}: response time by percentile",
            "Times of the slowest operations: each step to the right is ten times rarer. Lower is better; both axes "
            f"are logarithmic.{say_chosen(PANELS, len(levels), 'loads')}",
            _percentiles(list(drawing.rows), plot_styles),
            None,
        ),
    ]


def _stage_chart(stages: Sequence[StageRow], operation: str, key: str) -> Chart:
    figure, left_out = stage_figure(stages)
    text = (
        "Mean times of the reported stages, over answered operations and timeouts. Time outside the stages is not "
        f"shown.{left_out}"
    )
    title = f"{operation}: where the time went"
    return Chart(f"{key}-stages", title, text, figure, stage_table(operation, stages))


def _throughput(row: SummaryRow) -> tuple[float | None, Interval | None]:
    return row.throughput or None, row.estimates.throughput if row.estimates else None


def _p99(row: SummaryRow) -> tuple[float | None, Interval | None]:
    seconds, result = row.percentile(99), row.estimates.p99 if row.estimates else None
    scaled = Interval(*(MILLISECONDS * part for part in (result.estimate, result.low, result.high))) if result else None
    return None if seconds is None else MILLISECONDS * seconds, scaled


def _percentiles(rows: Sequence[SummaryRow], plot_styles: PlotStyles) -> ChartFigure:
    """A panel for each level: response time over the share of slower operations."""
    levels = choose(sorted({row.series.level for row in rows}), PANELS)
    columns = min(COLUMNS, len(levels))
    lines = math.ceil(len(levels) / columns)
    height = 0.6 + 2.6 * lines + legend_height(list(map(label, plot_styles)))
    figure = ChartFigure(height)
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel in panels[len(levels) :]:
        panel.set_visible(False)
    for panel, level in zip(panels, levels, strict=False):
        own = {row.series.variant: row for row in rows if row.series.level == level}
        for name, (place, style) in plot_styles.items():
            if name in own:
                marked = (
                    {"marker": style.marker, "markevery": (0.03 * place, 0.25)} if len(plot_styles) > len(PLAIN) else {}
                )
                drawn: dict[str, Any] = {"color": style.colour, "linestyle": style.line, "linewidth": 1.8} | marked
                panel.plot(*_curve(own[name]), label=label(name), **drawn)
                _explain_percentiles(panel, own[name])
        panel.set_title(str(level))
        panel.set_yscale("log")
        plain_ticks(panel.yaxis)
    ticks = {0: "0" if columns < COLUMNS else "", 0.30103: "50", 1: "90", 2: "99", 3: "99.9", 4: "99.99", 5: "99.999"}
    panels[0].xaxis.set_major_locator(FixedLocator(list(ticks)))
    panels[0].xaxis.set_major_formatter(lambda value, _: ticks.get(value, ""))
    figure.supxlabel("percentile", fontsize=10)
    figure.supylabel("response time ms", fontsize=10)
    add_legend(figure, panels[0], "upper left")
    return figure


def _explain_percentiles(panel: Any, row: SummaryRow) -> None:
    """The percentiles of the table, as far as the curve goes."""
    count = row.times.get_total_count()
    for percent in PERCENTS:
        seconds, share = row.percentile(percent), 1 - percent / 100
        if seconds and count * share >= 1:
            text = f"{row.series.variant}, {row.series.level}, p{percent:g}: {milliseconds(seconds)} ms"
            panel.figure.explain(panel, -math.log10(share), MILLISECONDS * seconds, text)


def _curve(row: SummaryRow) -> tuple[list[float], list[float]]:
    """x: -log10 of the share of slower operations; y: ms. Up to the slowest operation."""
    count = row.times.get_total_count()
    if not count:
        return [], []
    steps = [0.02 * step for step in range(int(math.log10(count) / 0.02) + 1)]
    percents = [100 * (1 - 10**-step) for step in steps]
    percentile_to_value_dict = row.times.get_percentile_to_value_dict(percents)  # in one pass over the histogram
    return steps, [MILLISECONDS * percentile_to_value_dict[percent] / MICROSECONDS for percent in percents]
