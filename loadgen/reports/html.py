"""One self-contained HTML file: styles and charts are inline, and its policy forbids any request."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined

from loadgen.reports.charts import operation_charts
from loadgen.reports.cost import cost_table
from loadgen.reports.drawing import Chart
from loadgen.reports.fault_charts import fault_charts
from loadgen.reports.fault_tables import command_table, fault_check_table, fault_table
from loadgen.reports.methods import METHODS
from loadgen.reports.rates import finding_table, rate_chart, step_table
from loadgen.reports.scaling import scaling_charts, scaling_table
from loadgen.reports.server_work import server_table
from loadgen.reports.style import FIGURE
from loadgen.reports.summary import Summary
from loadgen.reports.svg import draw_svg
from loadgen.reports.sweeps import sweep_charts, sweep_table
from loadgen.reports.tables import Table, burst_table, manifest_tables, outcome_table, phase_table, variant_table
from loadgen.reports.timeline import timeline
from loadgen.reports.traces import trace_table
from loadgen.reports.truncation import OPERATIONS_DRAWN
from loadgen.text.plain_text import one_line

LONGEST = 20_000
"""Maximum characters of one text; a warning may name many phases."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart whose figure is text."""

    title: str
    text: str
    svg: str
    table: Table | None


@dataclass(frozen=True, slots=True)
class Run:
    """What the template shows of one record."""

    summary: Summary
    variants: Table
    rate_findings: Table
    rates: Drawn | None
    steps: Table
    operations: list[tuple[str, list[Drawn]]]
    scaling: list[Drawn]
    scaling_table: Table
    sweeps: list[Drawn]
    sweep_table: Table
    timeline: Drawn | None
    bursts: Table
    outcomes: Table
    fault_charts: list[Drawn]
    faults: list[Table]
    costs: Table
    server: Table
    traces: Table
    phases: Table
    manifest: list[Table]
    not_drawn: list[str]
    """Operations without charts: they are in the tables."""


def to_html(summaries: Sequence[Summary]) -> str:
    """The page for one or several records."""
    environment = Environment(
        loader=PackageLoader("loadgen.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=_visible,
    )
    css = environment.get_template("page.css").render()
    runs = [_run(summary, f"r{number}") for number, summary in enumerate(summaries)]
    return environment.get_template("page.html.j2").render(runs=runs, css=css, methods=METHODS)


def _visible(value: object) -> object:
    """Every text of the page, without unprintable characters; existing markup is kept."""
    return one_line(value, LONGEST) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _run(summary: Summary, key: str) -> Run:
    record = summary.record
    with mpl.rc_context(FIGURE):
        operations = [
            (name, [_draw(chart) for chart in operation_charts(summary, name, f"{key}o{number}")])
            for number, name in enumerate(summary.operations[:OPERATIONS_DRAWN])
        ]
        edge = rate_chart(summary, key)
        rates = _draw(edge) if edge else None
        scaling = [_draw(chart) for chart in scaling_charts(summary, key)]
        sweeps = [_draw(chart) for chart in sweep_charts(summary, key)]
        course = timeline(summary)
        drawn = _draw(course, f"{key}-") if course else None
        faults = [_draw(chart, f"{key}-") for chart in fault_charts(summary)]
    return Run(
        summary,
        variant_table(summary),
        finding_table(record.rate_search),
        rates,
        step_table(record.rate_search),
        operations,
        scaling,
        scaling_table(summary),
        sweeps,
        sweep_table(summary),
        drawn,
        burst_table(summary),
        outcome_table(summary),
        faults,
        [one for one in (fault_table(summary), fault_check_table(summary), command_table(summary)) if one.rows],
        cost_table(summary),
        server_table(summary),
        trace_table(record),
        phase_table(record),
        list(manifest_tables(record)),
        summary.operations[OPERATIONS_DRAWN:],
    )


def _draw(chart: Chart, prefix: str = "") -> Drawn:
    title = one_line(chart.title)
    return Drawn(title, chart.text, draw_svg(chart.figure, prefix + chart.key, title, chart.text), chart.table)
