"""The pictures of a report, as matplotlib figures without any state of pyplot."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from loadgen.measure.operation_stats import MICROSECONDS
from loadgen.measure.sample import Mode
from loadgen.reports.limits import LEVELS_DRAWN, RATIOS_DRAWN, choose, say_chosen
from loadgen.reports.stages import stage_figure, stage_rows, stage_table
from loadgen.reports.style import LOOKS
from loadgen.reports.summary import Row, Summary
from loadgen.reports.tables import Table, level_table, ratio_table
from loadgen.results.estimates import Interval
from loadgen.results.record import Ratio

MILLISECONDS = 1_000
WIDTH, HEIGHT = 7.2, 3.6
"""Inches."""
ROOM, LOWEST_RATIO = 1.08, 0.02
"""Room beside the outermost ratio, as a factor; ratios beyond 1 to 50 leave the picture, not the table."""
RATIO_TICKS = {
    1.7: (0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4),
    2.6: (0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.6, 2, 2.5),
    4: (0.25, 0.5, 0.75, 1, 1.5, 2, 3),
    30: (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20),
    math.inf: (0.02, 0.1, 1, 10, 50),
}
"""Ticks by the widest quotient of the ends of an axis that they fit."""
PANELS = 6
"""Of the percentile picture."""
TICKS = 12
"""Loads that are written below a picture against the load."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with its words, and the same figures as a table."""

    key: str
    title: str
    text: str
    """What it shows and how to read it."""
    figure: Figure
    table: Table | None


def operation_charts(summary: Summary, operation: str, key: str) -> list[Chart]:
    """The pictures of one operation; those that have nothing to show are left out."""
    every = summary.rows_of(operation)
    levels = sorted({row.series.level for row in every})
    drawn = set(choose(levels, LEVELS_DRAWN))
    rows = [row for row in every if row.series.level in drawn]
    left_out = say_chosen(len(drawn), len(levels), "loads")
    table = level_table(summary, operation)
    load = "arrivals per second" if summary.is_open else "users"
    charts = [
        Chart(
            f"{key}-throughput",
            f"{operation}: operations per second against {load}",
            "Higher is better. Bars are 95 % intervals. Sync is solid with circles, async dashed with squares."
            + left_out,
            _against(rows, load, "operations/s", _throughput),
            table,
        ),
        Chart(
            f"{key}-p99",
            f"{operation}: p99 response time against {load}",
            "99 of 100 operations were answered within this time. Lower is better; the axis is logarithmic." + left_out,
            _against(rows, load, "p99 ms", _p99),
            None,
        ),
        Chart(
            f"{key}-percentiles",
            f"{operation}: response time by percentile",
            "How long the slowest took: each step to the right is ten times rarer. Lower is better; both axes are "
            f"logarithmic.{say_chosen(PANELS, len(levels), 'loads')}",
            _percentiles(rows),
            None,
        ),
    ]
    if stage_rows(summary, operation):
        charts.append(_stage_chart(summary, operation, key))
    if summary.compared(operation):
        charts.insert(0, _ratio_chart(summary, operation, key))
    return charts


def _stage_chart(summary: Summary, operation: str, key: str) -> Chart:
    figure, left_out = stage_figure(summary, operation)
    text = (
        "Mean times of the stages that the operation reported, answered operations and timeouts only. What was not "
        f"reported as a stage is not in a bar.{left_out}"
    )
    title = f"{operation}: where the time went"
    return Chart(f"{key}-stages", title, text, figure, stage_table(summary, operation))


Reading = Callable[[Row], tuple[float | None, Interval | None]]


def _throughput(row: Row) -> tuple[float | None, Interval | None]:
    return row.throughput or None, row.estimates.throughput if row.estimates else None


def _p99(row: Row) -> tuple[float | None, Interval | None]:
    seconds, found = row.percentile(99), row.estimates.p99 if row.estimates else None
    scaled = Interval(*(MILLISECONDS * part for part in (found.estimate, found.low, found.high))) if found else None
    return None if seconds is None else MILLISECONDS * seconds, scaled


def _against(rows: Sequence[Row], load: str, label: str, read: Reading) -> Figure:
    """A figure against the level, a line for each mode with its intervals."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.subplots()
    for aside, (mode, look) in zip((0.985, 1.015), LOOKS.items(), strict=True):  # so that bars do not hide each other
        points = [(aside * row.series.level.value, *read(row)) for row in rows if row.series.mode is mode]
        known = [(level, value, interval) for level, value, interval in points if value is not None]
        if not known:
            continue
        levels, values = [level for level, _, _ in known], [value for _, value, _ in known]
        bars = [
            [max(value - interval.low, 0) if interval else 0 for _, value, interval in known],
            [max(interval.high - value, 0) if interval else 0 for _, value, interval in known],
        ]
        axes.errorbar(
            levels, values, yerr=bars, label=mode.value, color=look.colour, linestyle=look.line, marker=look.marker,
            capsize=4, markersize=6, linewidth=1.8,
        )  # fmt: skip
    _level_axis(axes, sorted({row.series.level.value for row in rows}))
    axes.set_xlabel(load)
    axes.set_ylabel(label)
    if label.endswith("ms"):
        axes.set_yscale("log")
        plain_ticks(axes.yaxis)
    else:
        axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")
    return figure


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


def _percentiles(rows: Sequence[Row]) -> Figure:
    """A panel for each level: response time over the share of slower operations."""
    levels = choose(sorted({row.series.level for row in rows}), PANELS)
    columns = min(3, len(levels))
    lines = math.ceil(len(levels) / columns)
    figure = Figure(figsize=(WIDTH, 0.6 + 2.6 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel in panels[len(levels) :]:
        panel.set_visible(False)
    for panel, level in zip(panels, levels, strict=False):
        for row in (row for row in rows if row.series.level == level):
            look = LOOKS[row.series.mode]
            panel.plot(*_curve(row), color=look.colour, linestyle=look.line, label=row.series.mode.value, linewidth=1.8)
        panel.set_title(str(level))
        panel.set_yscale("log")
        plain_ticks(panel.yaxis)
    ticks = {0: "0", 0.30103: "50", 1: "90", 2: "99", 3: "99.9", 4: "99.99", 5: "99.999"}
    panels[0].xaxis.set_major_locator(FixedLocator(list(ticks)))
    panels[0].xaxis.set_major_formatter(lambda value, _: ticks.get(value, ""))
    figure.supxlabel("percentile", fontsize=10)
    figure.supylabel("response time ms", fontsize=10)
    panels[0].legend(loc="upper left")
    return figure


def _curve(row: Row) -> tuple[list[float], list[float]]:
    """x: how many tens the slower operations are rarer; y: ms. Up to the slowest operation that was seen."""
    count = row.times.get_total_count()
    if not count:
        return [], []
    steps = [0.02 * step for step in range(int(math.log10(count) / 0.02) + 1)]
    percents = [100 * (1 - 10**-step) for step in steps]
    found = row.times.get_percentile_to_value_dict(percents)  # all in one walk through the histogram
    return steps, [MILLISECONDS * found[percent] / MICROSECONDS for percent in percents]


def _ratio_chart(summary: Summary, operation: str, key: str) -> Chart:
    every = summary.compared(operation)
    compared = dict(choose(list(every.items()), RATIOS_DRAWN))
    figure = Figure(figsize=(WIDTH, 1.2 + 0.42 * len(compared)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    names = {"throughput_ratio": "operations/s", "p50_ratio": "p50", "p99_ratio": "p99"}
    for panel, (name, label) in zip(panels, names.items(), strict=True):
        for height, one in enumerate(compared.values()):
            ratio = getattr(one, name)
            if ratio.estimate is None or ratio.low is None or ratio.high is None:
                continue
            valid = one.verdict != "invalid"
            bars = [[max(ratio.estimate - ratio.low, 0)], [max(ratio.high - ratio.estimate, 0)]]
            panel.errorbar(
                ratio.estimate, height, xerr=bars,
                color="black" if valid else "gray", marker="D" if valid else "x", markersize=5, capsize=4,
            )  # fmt: skip
        _ratio_axis(panel, [getattr(one, name) for one in compared.values()], upwards=name == "throughput_ratio")
        panel.set_title(f"{label}, async / sync")
    panels[0].set_yticks(range(len(compared)), [str(level) for level in compared])
    panels[0].set_ylim(-0.6, len(compared) - 0.4)
    text = (
        "Where a bar crosses 1 this run shows no difference. Tinted is the side on which async is better. Crosses are "
        f"comparisons that do not count, for reasons told above.{say_chosen(len(compared), len(every), 'loads')}"
    )
    return Chart(
        f"{key}-ratio",
        f"{operation}: async to sync, with 95 % intervals",
        text,
        figure,
        ratio_table(summary, operation),
    )


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
    panel.axvspan(*((1, high) if upwards else (low, 1)), color=LOOKS[Mode.ASYNC].colour, alpha=0.08, linewidth=0)
