"""Goodput, and what operations processed per second, such as tokens: by load level and variant."""

from collections.abc import Sequence
from functools import partial

from loadgen.reports.drawing import Chart
from loadgen.reports.load_axis import Drawing, Panel, draw_panels
from loadgen.reports.summary import Row, Summary
from loadgen.reports.tables import Cells, Table, make_table
from loadgen.results.estimates import Interval
from loadgen.results.figures import per_second
from loadgen.results.verdict.phrases import NONE, show_rate

IN_ORDER = ("documents", "chunks", "tokens", "tokens_in", "tokens_out")
"""Items of the RAG path, in the order of columns and panels. Others follow alphabetically."""


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
    if items := _items_of(drawing.rows):
        panels = [Panel(partial(_item, item), "", f"{_name(item)}/s") for item in items]
        text = f"What the answered operations processed, per second.{drawing.left_out}"
        title = f"{operation}: {_names(items)} per second against {drawing.load}"
        charts.append(Chart(f"{key}-items", title, text, draw_panels(drawing, panels), item_table(summary, operation)))
    return charts


def work_tables(summary: Summary, operation: str) -> list[Table]:
    """The tables of these charts; without rows where there is no chart."""
    return [goodput_table(summary, operation), item_table(summary, operation)]


def goodput_table(summary: Summary, operation: str) -> Table:
    """Good operations of each variant at each level; without rows if they were not judged."""
    rows = [row for row in summary.rows_of(operation) if row.series.good is not None]
    head = ("load", "variant", "operations/s", "good/s", "95 %", "% of all", "good", "operations")
    return make_table(f"{operation}: goodput, {_objective(summary)}", head, rows, _goodput_row, 2)


def item_table(summary: Summary, operation: str) -> Table:
    """What the operations of each variant at each level processed; without rows if that was not counted."""
    rows = summary.rows_of(operation)
    items = _items_of(rows)
    head = ("load", "variant", *(f"{_name(item)}/s" for item in items), *(f"{_name(item)} each" for item in items))
    caption = f"{operation}: {_names(items)}, per second and in each answered operation"
    return make_table(caption, head, rows if items else (), partial(_item_row, items), 2)


def _goodput_row(row: Row) -> Cells:
    found, series = row.good, row.series
    return (
        str(series.level),
        series.variant,
        show_rate(row.throughput),
        show_rate(row.goodput or 0.0),
        f"{found.low:,.1f} to {found.high:,.1f}" if found else NONE,
        f"{100 * (series.good or 0) / series.count:.1f}" if series.count else NONE,
        f"{series.good:,}",
        f"{series.count:,}",
    )


def _item_row(items: Sequence[str], row: Row) -> Cells:
    series = row.series
    counts, answered = series.items, series.count - series.failures
    return (
        str(series.level),
        series.variant,
        *(show_rate(per_second(counts[item], series.seconds)) for item in items),
        *(f"{counts[item] / answered:,.1f}" if answered else NONE for item in items),
    )


def _goodput(row: Row) -> tuple[float | None, Interval | None]:
    return row.goodput, row.good


def _share(row: Row) -> tuple[float | None, Interval | None]:
    good, count = row.series.good, row.series.count
    return None if good is None or not count else 100 * good / count, None


def _item(item: str, row: Row) -> tuple[float | None, Interval | None]:
    return per_second(row.series.items[item], row.series.seconds), None


def _items_of(rows: Sequence[Row]) -> list[str]:
    """The items that these operations counted, in order."""
    found = {item for row in rows for item, number in row.series.items.items() if number}
    return sorted(found, key=lambda item: (IN_ORDER.index(item) if item in IN_ORDER else len(IN_ORDER), item))


def _name(item: str) -> str:
    return item.replace("_", " ")


def _names(items: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(map(_name, items[:-1])), *map(_name, items[-1:]))))


def _objective(summary: Summary) -> str:
    return str(summary.record.manifest.settings.get("objective") or "the objective")
