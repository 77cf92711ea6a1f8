"""What the operations processed besides rows, such as tokens: per second, and for each answer."""

from loadgen.measure.sample import count_answers
from loadgen.reports.summary import Summary, SummaryRow
from loadgen.reports.tables import Cells, Table, make_table, milliseconds
from loadgen.results.figures import per_second
from loadgen.results.verdict.phrases import NONE, show_rate


def item_table(summary: Summary, operation: str) -> Table:
    """Items of each variant at each level, over all rounds together; without rows if none were reported."""
    rows = [row for row in summary.rows_of(operation) if row.series.items]
    names = sorted({name for row in rows for name in row.series.items})
    has_tokens = any(row.time_per_output_token is not None for row in rows)

    def make_row(row: SummaryRow) -> Cells:
        items, answers = row.series.items, count_answers(row.series.outcomes)
        rates = [show_rate(per_second(items[name], row.series.seconds)) for name in names]
        each = [f"{items[name] / answers:,.1f}" if answers else NONE for name in names]
        token = [milliseconds(row.time_per_output_token)] if has_tokens else []
        return (str(row.series.level), row.series.variant, *rates, *each, *token)

    head = ("load", "variant", *(f"{name}/s" for name in names), *(f"{name} per answer" for name in names))
    last = ("ms per output token",) if has_tokens else ()
    return make_table(f"{operation}: what it processed", (*head, *last), rows, make_row, 2)
