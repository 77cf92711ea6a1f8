"""Goodput, and what operations processed per second, such as tokens: by load level and variant."""

from functools import partial

from loadgen.reports.drawing import Chart
from loadgen.reports.items import item_table
from loadgen.reports.load_axis import Drawing, Panel, draw_panels
from loadgen.reports.summary import Summary, SummaryRow
from loadgen.reports.tables import Cells, Table, make_table
from loadgen.results.estimates import Interval
from loadgen.results.figures import per_second
from loadgen.results.verdict.phrases import NONE, show_rate
from loadgen.text.listing import join


def work_charts(summary: Summary, operation: str, key: str, drawing: Drawing) -> list[Chart]:
    """Those for which the operation has figures."""
    charts = []
    if any(row.series.good is not None for row in drawing.rows):
        panels = [Panel(_goodput, "", "good operations/s"), Panel(_share, "", "% of all", most=105)]
        text = (
            f"Good: answered, and each of them within the objective ({_objective(summary)}). The share is of all that "
            f"ended, failures included. Higher is better. Bars are 95 % intervals.{drawing.left_out}"
        )
        title = f"{operation}: goodput against {drawing.load}"
        charts.append(
            Chart(f"{key}-goodput", title, text, draw_panels(drawing, panels), goodput_table(summary, operation))
        )
    if items := sorted({item for row in drawing.rows for item in row.series.items}):
        panels = [Panel(partial(_item, item), "", f"{item}/s") for item in items]
        text = f"What the answered operations processed, per second.{drawing.left_out}"
        title = f"{operation}: {join(items)} per second against {drawing.load}"
        charts.append(Chart(f"{key}-items", title, text, draw_panels(drawing, panels), item_table(summary, operation)))
    return charts


def goodput_table(summary: Summary, operation: str) -> Table:
    """Good operations of each variant at each level; without rows if they were not judged."""
    rows = [row for row in summary.rows_of(operation) if row.series.good is not None]
    head = ("load", "variant", "operations/s", "good/s", "95 %", "% of all", "good", "operations")
    return make_table(f"{operation}: goodput, {_objective(summary)}", head, rows, _goodput_row, 2)


def _goodput_row(row: SummaryRow) -> Cells:
    result, series = row.good_estimate, row.series
    return (
        str(series.level),
        series.variant,
        show_rate(row.throughput),
        show_rate(row.goodput or 0.0),
        f"{result.low:,.1f} to {result.high:,.1f}" if result else NONE,
        f"{100 * (series.good or 0) / series.count:.1f}" if series.count else NONE,
        f"{series.good:,}",
        f"{series.count:,}",
    )


def _goodput(row: SummaryRow) -> tuple[float | None, Interval | None]:
    return row.goodput, row.good_estimate


def _share(row: SummaryRow) -> tuple[float | None, Interval | None]:
    good, count = row.series.good, row.series.count
    return None if good is None or not count else 100 * good / count, None


def _item(item: str, row: SummaryRow) -> tuple[float | None, Interval | None]:
    return per_second(row.series.items[item], row.series.seconds), None


def _objective(summary: Summary) -> str:
    return str(summary.record.manifest.settings.get("objective") or "the objective")
