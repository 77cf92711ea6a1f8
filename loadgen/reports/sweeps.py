"""A sweep in a report: a table, and for each operation and number of users a chart of throughput over recall."""

from loadgen.reports.console_sweeps import SWEEP_HEAD, SWEEP_TITLE, sweep_cells
from loadgen.reports.drawing import HEIGHT, Chart, ChartFigure, add_legend, legend_height
from loadgen.reports.style import INK
from loadgen.reports.summary import Summary, label
from loadgen.reports.tables import Table, make_table
from loadgen.results.record import SweepPoint, SweepRecord
from loadgen.results.sweeps import say_sweep
from loadgen.results.verdict.phrases import show_estimate
from loadgen.text.listing import count_of


def sweep_table(summary: Summary) -> Table:
    """A row per operation, number of users, variant and value; empty for a run without a sweep."""
    sweeps = summary.record.sweeps
    every = [(one, point) for one in sweeps for point in one.points]

    def make_row(item: tuple[SweepRecord, SweepPoint]) -> tuple[str, ...]:
        one, point = item
        return (one.operation, f"{one.concurrency:,}", one.family, f"{point.value:g}", *sweep_cells(point))

    parameter = sweeps[0].parameter if sweeps else ""
    return make_table(SWEEP_TITLE, ("operation", "users", "variant", parameter, *SWEEP_HEAD), every, make_row, 3)


def sweep_charts(summary: Summary, key: str) -> list[Chart]:
    """One for each operation and number of users."""
    places = list(dict.fromkeys((one.operation, one.concurrency) for one in summary.record.sweeps))
    return [_chart(summary, *place, f"{key}w{number}") for number, place in enumerate(places)]


def _chart(summary: Summary, operation: str, users: int, key: str) -> Chart:
    sweeps = summary.record.sweeps
    own = [one for one in sweeps if (one.operation, one.concurrency) == (operation, users)]
    reported = " ".join(filter(None, map(say_sweep, own)))
    text = f"Higher and farther right is better. Bars: 95 % intervals. A point for each {own[0].parameter}. {reported}"
    title = f"{operation}: operations per second against recall, {count_of(users, 'user')}"
    return Chart(key, title, text.strip(), _draw(summary, own), None)


def _draw(summary: Summary, own: list[SweepRecord]) -> ChartFigure:
    names = [label(one.family) for one in own]
    figure = ChartFigure(HEIGHT + legend_height(names))
    axes = figure.subplots()
    for one, name in zip(own, names, strict=True):
        style = summary.plot_styles[one.points[0].variant]
        rates = [point.throughput for point in one.points]
        middle = [rate.estimate for rate in rates]
        errors = [
            [rate.estimate - rate.low for rate in rates],
            [rate.high - rate.estimate for rate in rates],
        ]
        recalls = [point.recall or 0.0 for point in one.points]
        for point, recall in zip(one.points, recalls, strict=True):
            value = f"{name}, {one.parameter} {point.value:g}"
            said = f"recall {recall:.4f}, {show_estimate(point.throughput)} operations/s"
            figure.explain(axes, recall, point.throughput.estimate, f"{value}: {said}")
        axes.errorbar(
            recalls,
            middle,
            errors,
            label=name,
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            capsize=3,
        )
    at = next((one.at_recall.recall for one in own if one.at_recall), None)
    if at is not None:
        axes.axvline(at, color=INK, linestyle=":", linewidth=1, alpha=0.5)
    axes.set_xlabel("recall")
    axes.set_ylabel("operations/s")
    axes.set_ylim(bottom=0)
    add_legend(figure, axes)
    return figure
