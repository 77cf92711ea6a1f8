"""The charts of a report, as matplotlib figures without pyplot state."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from loadgen.measure.histograms import MICROSECONDS
from loadgen.reports.drawing import HEIGHT, WIDTH, Chart, add_legend, legend_height
from loadgen.reports.ratios import ratio_chart
from loadgen.reports.stages import StageRow, stage_figure, stage_rows, stage_table
from loadgen.reports.style import PLAIN, Look
from loadgen.reports.summary import Row, Summary, label
from loadgen.reports.tables import level_table
from loadgen.reports.truncation import LEVELS_DRAWN, choose, say_chosen
from loadgen.results.estimates import Interval

MILLISECONDS = 1_000
ASIDE, WIDEST = 1.03, 1.13
"""Horizontal spacing of variants at one level, so that bars do not overlap: between two, and overall."""
BOTH = "Sync is solid with circles, async dashed with squares."
SEVERAL = "Each variant has the same colour, line and marker in every picture."
PANELS, COLUMNS = 6, 3
"""Panels of the percentile chart."""
TICKS = 12
"""Maximum tick labels on a load axis."""


def operation_charts(summary: Summary, operation: str, key: str) -> list[Chart]:
    """The charts of one operation; empty ones are omitted."""
    every = summary.rows_of(operation)
    levels = sorted({row.series.level for row in every})
    drawn = set(choose(levels, LEVELS_DRAWN))
    rows = [row for row in every if row.series.level in drawn]
    left_out = say_chosen(len(drawn), len(levels), "loads")
    table = level_table(summary, operation)
    load = "arrivals per second" if summary.is_open else "users"
    looks = _looks_of(summary, rows)
    charts = [
        Chart(
            f"{key}-throughput",
            f"{operation}: operations per second against {load}",
            f"Higher is better. Bars are 95 % intervals. {BOTH if set(looks) == set(PLAIN) else SEVERAL}{left_out}",
            _against(rows, looks, (load, "operations/s"), _throughput),
            table,
        ),
        Chart(
            f"{key}-p99",
            f"{operation}: p99 response time against {load}",
            "99 of 100 operations were answered within this time. Lower is better; the axis is logarithmic." + left_out,
            _against(rows, looks, (load, "p99 ms"), _p99),
            None,
        ),
        Chart(
            f"{key}-percentiles",
            f"{operation}: response time by percentile",
            "Times of the slowest operations: each step to the right is ten times rarer. Lower is better; both axes "
            f"are logarithmic.{say_chosen(PANELS, len(levels), 'loads')}",
            _percentiles(rows, looks),
            None,
        ),
    ]
    if stages := stage_rows(summary, operation):
        charts.append(_stage_chart(stages, operation, key))
    if summary.compared(operation):
        charts.insert(0, ratio_chart(summary, operation, key))
    return charts


Looks = Mapping[str, tuple[int, Look]]
"""For each variant drawn: its index among all variants, and its look."""


def _looks_of(summary: Summary, rows: Sequence[Row]) -> Looks:
    ran = {row.series.variant for row in rows}
    return {name: (place, look) for place, (name, look) in enumerate(summary.looks.items()) if name in ran}


def _stage_chart(stages: Sequence[StageRow], operation: str, key: str) -> Chart:
    figure, left_out = stage_figure(stages)
    text = (
        "Mean times of the reported stages, over answered operations and timeouts. Time outside the stages is not "
        f"shown.{left_out}"
    )
    title = f"{operation}: where the time went"
    return Chart(f"{key}-stages", title, text, figure, stage_table(operation, stages))


Reading = Callable[[Row], tuple[float | None, Interval | None]]


def _throughput(row: Row) -> tuple[float | None, Interval | None]:
    return row.throughput or None, row.estimates.throughput if row.estimates else None


def _p99(row: Row) -> tuple[float | None, Interval | None]:
    seconds, found = row.percentile(99), row.estimates.p99 if row.estimates else None
    scaled = Interval(*(MILLISECONDS * part for part in (found.estimate, found.low, found.high))) if found else None
    return None if seconds is None else MILLISECONDS * seconds, scaled


def _against(rows: Sequence[Row], looks: Looks, names: tuple[str, str], read: Reading) -> Figure:
    """A figure against the level, a line for each variant with its intervals; `names` are those of the axes."""
    figure = Figure(figsize=(WIDTH, HEIGHT + legend_height(list(map(label, looks)))), layout="constrained")
    axes = figure.subplots()
    for name, (place, look) in looks.items():
        points = [(row.series.level.value, *read(row)) for row in rows if row.series.variant == name]
        known = [(level, value, interval) for level, value, interval in points if value is not None]
        if not known:
            continue
        aside = _aside(place, max(place for place, _ in looks.values()) + 1)
        levels, values = [aside * level for level, _, _ in known], [value for _, value, _ in known]
        bars = [
            [max(value - interval.low, 0) if interval else 0 for _, value, interval in known],
            [max(interval.high - value, 0) if interval else 0 for _, value, interval in known],
        ]
        axes.errorbar(
            levels, values, yerr=bars, label=label(name), color=look.colour, linestyle=look.line, marker=look.marker,
            capsize=4, markersize=6, linewidth=1.8,
        )  # fmt: skip
    _level_axis(axes, sorted({row.series.level.value for row in rows}))
    load, figure_name = names
    axes.set_xlabel(load)
    axes.set_ylabel(figure_name)
    if figure_name.endswith("ms"):
        axes.set_yscale("log")
        plain_ticks(axes.yaxis)
    else:
        axes.set_ylim(bottom=0)
    add_legend(figure, axes)
    return figure


def _aside(place: int, variants: int) -> float:
    """The horizontal offset of a variant from its level, as a factor."""
    step = min(ASIDE, WIDEST ** (1 / max(variants - 1, 1)))
    return float(step ** (place - (variants - 1) / 2))


def _level_axis(axes: Any, levels: Sequence[float]) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(choose(levels, TICKS)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(levels[0] / 1.4, levels[-1] * 1.4)


def plain_ticks(axis: Any) -> None:
    """Numbers such as 20 and 0.5 at the ticks of a logarithmic axis, 1, 2 and 5 of each power of ten."""
    from matplotlib.ticker import LogLocator

    axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def _percentiles(rows: Sequence[Row], looks: Looks) -> Figure:
    """A panel for each level: response time over the share of slower operations."""
    levels = choose(sorted({row.series.level for row in rows}), PANELS)
    columns = min(COLUMNS, len(levels))
    lines = math.ceil(len(levels) / columns)
    height = 0.6 + 2.6 * lines + legend_height(list(map(label, looks)))
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel in panels[len(levels) :]:
        panel.set_visible(False)
    for panel, level in zip(panels, levels, strict=False):
        own = {row.series.variant: row for row in rows if row.series.level == level}
        for name, (place, look) in looks.items():
            if name in own:
                marked = {"marker": look.marker, "markevery": (0.03 * place, 0.25)} if len(looks) > len(PLAIN) else {}
                style: dict[str, Any] = {"color": look.colour, "linestyle": look.line, "linewidth": 1.8} | marked
                panel.plot(*_curve(own[name]), label=label(name), **style)
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


def _curve(row: Row) -> tuple[list[float], list[float]]:
    """x: -log10 of the share of slower operations; y: ms. Up to the slowest operation."""
    count = row.times.get_total_count()
    if not count:
        return [], []
    steps = [0.02 * step for step in range(int(math.log10(count) / 0.02) + 1)]
    percents = [100 * (1 - 10**-step) for step in steps]
    found = row.times.get_percentile_to_value_dict(percents)  # in one pass over the histogram
    return steps, [MILLISECONDS * found[percent] / MICROSECONDS for percent in percents]
