"""Scale-out in a report: a table, and for each operation a chart with the ideal line and the fitted law."""

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from loadgen.reports.console_scaling import SCALING_HEAD, SCALING_TITLE, scaling_cells
from loadgen.reports.drawing import HEIGHT, Chart, ChartFigure, add_legend, legend_height
from loadgen.reports.style import INK
from loadgen.reports.summary import Summary, label
from loadgen.reports.tables import Table, make_table
from loadgen.results.record import Scaling, ScalingPoint
from loadgen.results.scalability_law import predict
from loadgen.results.scaling import say_law
from loadgen.results.verdict.phrases import show_rate
from loadgen.text.listing import count_of

IDEAL = "ideal"


def scaling_table(summary: Summary) -> Table:
    """A row per operation, variant and number of workers; empty for a run without several of these."""
    every = [(one, point) for one in summary.record.scaling for point in one.points]

    def make_row(item: tuple[Scaling, ScalingPoint]) -> tuple[str, ...]:
        one, point = item
        return (one.operation, one.variant, *scaling_cells(point))

    return make_table(SCALING_TITLE, ("operation", "variant", *SCALING_HEAD), every, make_row, 2)


def scaling_charts(summary: Summary, key: str) -> list[Chart]:
    """One for each operation."""
    names = list(dict.fromkeys(one.operation for one in summary.record.scaling))
    return [_chart(summary, name, f"{key}s{number}") for number, name in enumerate(names)]


def _chart(summary: Summary, operation: str, key: str) -> Chart:
    own = [one for one in summary.record.scaling if one.operation == operation]
    text = (
        "Higher is better. Grey dotted: ideal, where each worker adds what one does. Thin lines: the Universal "
        f"Scalability Law. {' '.join(map(say_law, own))}"
    )
    return Chart(key, f"{operation}: operations per second against workers", text, _draw(summary, own), None)


def _draw(summary: Summary, own: Sequence[Scaling]) -> ChartFigure:
    names = [label(one.variant) for one in own]
    figure = ChartFigure(HEIGHT + legend_height([*names, IDEAL]))
    axes = figure.subplots()
    numbers = sorted({point.workers for one in own for point in one.points})
    for one, name in zip(own, names, strict=True):
        style = summary.plot_styles[one.variant]
        known = [(point.workers, point.throughput) for point in one.points if point.throughput is not None]
        first, rate = known[0]
        ideal = [rate / first * number for number in numbers]
        is_first = one is own[0]
        axes.plot(numbers, ideal, color=INK, linestyle=":", linewidth=1, alpha=0.5, label=IDEAL if is_first else None)
        axes.plot(*zip(*known, strict=True), label=name, color=style.colour, linestyle=style.line, marker=style.marker)
        for workers, done in known:
            figure.explain(
                axes, workers, done, f"{one.variant}, {count_of(workers, 'worker')}: {show_rate(done)} operations/s"
            )
        if one.law is not None:
            line = np.linspace(numbers[0], numbers[-1], 50)
            axes.plot(line, [predict(one.law, at) for at in line.tolist()], color=style.colour, linewidth=0.8)
    axes.xaxis.set_major_locator(FixedLocator(numbers))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("workers")
    axes.set_ylabel("operations/s")
    axes.set_ylim(bottom=0)
    add_legend(figure, axes)
    return figure
