"""One self-contained HTML file: styles and charts are inline, and its policy forbids any request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined

from loadgen.reports.charts import operation_charts
from loadgen.reports.cost import cost_table
from loadgen.reports.cover import Cover, make_cover
from loadgen.reports.drawing import Chart
from loadgen.reports.fault_charts import fault_charts
from loadgen.reports.fault_tables import command_table, fault_check_table, fault_table
from loadgen.reports.methods import METHODS
from loadgen.reports.rates import finding_table, rate_chart, step_table
from loadgen.reports.scaling import scaling_charts, scaling_table
from loadgen.reports.server_work import server_table
from loadgen.reports.style import DARK, FIGURE, NIGHT
from loadgen.reports.summary import Summary
from loadgen.reports.svg import Spot, draw_svg, find_spots
from loadgen.reports.sweeps import sweep_charts, sweep_table
from loadgen.reports.tables import Table, burst_table, manifest_tables, outcome_table, phase_table, variant_table
from loadgen.reports.timeline import timeline
from loadgen.reports.traces import trace_table
from loadgen.reports.truncation import OPERATIONS_DRAWN
from loadgen.text.plain_text import one_line

TALLEST = 6.0
"""Maximum inches of height of a chart on the first page."""
LONGEST = 20_000
"""Maximum characters of one text; a warning may name many phases."""


@dataclass(frozen=True, slots=True)
class RenderedChart:
    """A chart whose figure is text."""

    title: str
    text: str
    svg: str
    table: Table | None
    key: str
    spots: tuple[Spot, ...]
    """Values to look up."""
    inches: float
    """Height."""


@dataclass(frozen=True, slots=True)
class Charts:
    """All charts of one record."""

    first: RenderedChart | None
    """That of the first page; it is not in the other lists."""
    rates: RenderedChart | None
    operations: list[tuple[str, list[RenderedChart]]]
    scaling: list[RenderedChart]
    sweeps: list[RenderedChart]
    timeline: RenderedChart | None
    faults: list[RenderedChart]


@dataclass(frozen=True, slots=True)
class RunSection:
    """What the template shows of one record."""

    summary: Summary
    cover: Cover
    charts: Charts
    variants: Table
    rate_findings: Table
    steps: Table
    scaling_table: Table
    sweep_table: Table
    bursts: Table
    outcomes: Table
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
    css = environment.get_template("page.css").render(dark=_dark_colours(), night=NIGHT)
    runs = [_run(summary, f"r{number}") for number, summary in enumerate(summaries)]
    return environment.get_template("page.html.j2").render(runs=runs, css=css, methods=METHODS)


def _dark_colours() -> list[tuple[str, str]]:
    """The variables of `draw_svg` with their values on a dark page."""
    return [(light.removeprefix("#"), dark) for light, dark in DARK.items()]


def _visible(value: object) -> object:
    """Every text of the page, without unprintable characters; existing markup is kept."""
    return one_line(value, LONGEST) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _run(summary: Summary, key: str) -> RunSection:
    record = summary.record
    charts = _draw_all(summary, key)
    return RunSection(
        summary,
        make_cover(summary),
        charts,
        variant_table(summary),
        finding_table(record.rate_search),
        step_table(record.rate_search),
        scaling_table(summary),
        sweep_table(summary),
        burst_table(summary),
        outcome_table(summary),
        [one for one in (fault_table(summary), fault_check_table(summary), command_table(summary)) if one.rows],
        cost_table(summary),
        server_table(summary),
        trace_table(record),
        phase_table(record),
        list(manifest_tables(record)),
        summary.operations[OPERATIONS_DRAWN:],
    )


def _draw_all(summary: Summary, key: str) -> Charts:
    with mpl.rc_context(FIGURE):
        operations = [
            (name, [_draw(chart) for chart in operation_charts(summary, name, f"{key}o{number}")])
            for number, name in enumerate(summary.operations[:OPERATIONS_DRAWN])
        ]
        edge, course = rate_chart(summary, key), timeline(summary)
        every = Charts(
            None,
            _draw(edge) if edge else None,
            operations,
            [_draw(chart) for chart in scaling_charts(summary, key)],
            [_draw(chart) for chart in sweep_charts(summary, key)],
            _draw(course, f"{key}-") if course else None,
            [_draw(chart, f"{key}-") for chart in fault_charts(summary)],
        )
    return _take_first(every)


def _take_first(every: Charts) -> Charts:
    """Move the most important chart that is low enough to the first page."""
    of_operations = [chart for _, charts in every.operations for chart in charts]
    candidates = [chart for chart in (every.rates, *of_operations, every.timeline) if chart is not None]
    first = next((chart for chart in candidates if chart.inches <= TALLEST), None)
    return replace(
        every,
        first=first,
        rates=None if every.rates is first else every.rates,
        operations=[(name, [one for one in charts if one is not first]) for name, charts in every.operations],
        timeline=None if every.timeline is first else every.timeline,
    )


def _draw(chart: Chart, prefix: str = "") -> RenderedChart:
    title = one_line(chart.title)
    key = prefix + chart.key
    svg = draw_svg(chart.figure, key, title, chart.text)
    height = float(chart.figure.get_size_inches()[1])
    return RenderedChart(title, chart.text, svg, chart.table, key, tuple(find_spots(chart.figure)), height)
