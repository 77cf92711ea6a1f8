"""Times to the first token and between tokens: quantiles by load level and variant, as a chart and a table."""

from functools import partial

from hdrh.histogram import HdrHistogram

from loadgen.measure.histograms import mean
from loadgen.reports.drawing import Chart
from loadgen.reports.load_axis import MILLISECONDS, Drawing, Panel, draw_panels
from loadgen.reports.summary import PERCENTS, Summary, SummaryRow
from loadgen.reports.tables import Cells, Table, make_table, milliseconds
from loadgen.results.estimates import Interval
from loadgen.results.series import percentile

FIRST_TOKEN, INTER_TOKEN = "first_token", "inter_token"
NAMES = {FIRST_TOKEN: "time to first token", INTER_TOKEN: "time between tokens"}
"""The stages, and what they are called in titles."""
DRAWN = (50.0, 95.0, 99.0)
"""Percentiles with a panel."""
HOW = "Lower is better; the axis is logarithmic."
AFTER = "From the retrieved chunks to the first token of the answer; a user also waits for the stages before it."
WHOLE = "An answer that is not streamed arrives as a whole: its time is that of all tokens."
NONE_STREAMED = "No answer was streamed (--stream), so this is the time of the whole answer of the model."
BETWEEN = (
    "From each token of a streamed answer to the next one, all of them together, not a mean of each answer: p99 shows "
    "single stalls."
)


def token_charts(summary: Summary, operation: str, key: str, drawing: Drawing) -> list[Chart]:
    """A chart for each of the stages that the operation reported."""
    charts = []
    for stage, name in NAMES.items():
        if not any(stage in row.stages for row in drawing.rows):
            continue
        panels = [Panel(partial(_read, stage, percent), f"{name} ms", f"p{percent:g}", True) for percent in DRAWN]
        text = f"{_say(stage, summary.rows_of(operation))} {HOW}{drawing.left_out}"
        figure = draw_panels(drawing, panels, is_shared=True)
        title = f"{operation}: {name} against {drawing.load}"
        charts.append(Chart(f"{key}-{stage}", title, text, figure, token_table(summary, operation, stage)))
    return charts


def token_tables(summary: Summary, operation: str) -> list[Table]:
    """The tables of these charts; without rows where there is no chart."""
    return [token_table(summary, operation, stage) for stage in NAMES]


def token_table(summary: Summary, operation: str, stage: str) -> Table:
    """Quantiles of one of the stages, of each variant at each level."""
    rows = [row for row in summary.rows_of(operation) if stage in row.stages]
    answers = ("answers",) if stage == FIRST_TOKEN else ()
    head = ("load", "variant", *answers, "times", "mean ms", *(f"p{percent:g} ms" for percent in PERCENTS), "max ms")
    caption = f"{operation}: {NAMES[stage]}"
    return make_table(caption, head, rows, partial(_row, stage), 2 + len(answers))


def _row(stage: str, row: SummaryRow) -> Cells:
    times: HdrHistogram = row.stages[stage]
    answers = ("streamed" if _is_streamed(row) else "whole",) if stage == FIRST_TOKEN else ()
    return (
        str(row.series.level),
        row.series.variant,
        *answers,
        f"{times.get_total_count():,}",
        milliseconds(mean(times)),
        *(milliseconds(percentile(times, percent)) for percent in (*PERCENTS, 100.0)),
    )


def _read(stage: str, percent: float, row: SummaryRow) -> tuple[float | None, Interval | None]:
    seconds = percentile(row.stages[stage], percent) if stage in row.stages else None
    return None if seconds is None else MILLISECONDS * seconds, None


def _is_streamed(row: SummaryRow) -> bool:
    """Whether its answers had tokens that arrived one by one."""
    return INTER_TOKEN in row.stages


def _say(stage: str, rows: list[SummaryRow]) -> str:
    if stage == INTER_TOKEN:
        return BETWEEN
    streamed = [_is_streamed(row) for row in rows if stage in row.stages]
    if not any(streamed):
        return NONE_STREAMED
    return AFTER if all(streamed) else f"{AFTER} {WHOLE}"
