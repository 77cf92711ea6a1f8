"""The search for the highest rate: its result, its steps, and the figures against the rate."""

from collections.abc import Sequence
from typing import Any

from loadgen.reports.drawing import HEIGHT, Chart, ChartFigure, add_legend, legend_height
from loadgen.reports.load_axis import MILLISECONDS, TICKS, plain_ticks
from loadgen.reports.rate_values import show_value
from loadgen.reports.style import INK, PlotStyle
from loadgen.reports.summary import Summary, label
from loadgen.reports.tables import Cells, Table, make_table
from loadgen.reports.truncation import choose
from loadgen.results.record import RateFindingRecord, RateSearchRecord, RateStepRecord
from loadgen.results.verdict.phrases import NONE, show_rate
from loadgen.results.verdict.rates import show_arrivals, show_interval

FINDINGS, STEPS = "The highest rate that meets the conditions", "Steps of the search, by rate"


def finding_table(search: RateSearchRecord | None) -> Table:
    """The result of each variant; without rows if the run made no search."""

    def make_row(one: RateFindingRecord) -> Cells:
        return (one.variant, one.outcome, show_arrivals(one.rate), show_interval(one), one.reason or NONE)

    head = ("variant", "result", "rate", "95 % interval", "failed just above it")
    return make_table(FINDINGS, head, search.findings if search else (), make_row, 2)


def step_table(search: RateSearchRecord | None) -> Table:
    """Every step, by variant and rate."""
    conditions = search.conditions if search else ()

    def make_row(one: RateStepRecord) -> Cells:
        values = zip(conditions, one.values, strict=False)
        done = NONE if one.throughput is None else show_rate(one.throughput)
        shown = (show_value(condition, value) for condition, value in values)
        return (one.variant, "passed" if one.passes else "failed", show_arrivals(one.rate), f"{one.seconds:.1f}", done,
                *shown, one.reason or NONE)  # fmt: skip

    names = dict.fromkeys(one.variant for one in search.steps) if search else ()
    steps = [one for name in names for one in search.of(name)] if search else []
    head = ("variant", "step", "rate", "seconds", "done/s", *(one.text for one in conditions), "reason")
    return make_table(STEPS, head, steps, make_row, 2)


def rate_chart(summary: Summary, key: str) -> Chart | None:
    """The figure of each condition on a time against the rate, with limit and edge; None without such a condition."""
    search = summary.record.rate_search
    panels = [place for place, one in enumerate(search.conditions) if one.is_time] if search else []
    if search is None or not panels or not search.steps:
        return None
    text = (
        "Each point is a step; hollow ones failed. The horizontal line is the limit, the vertical ones the highest "
        "rates, with their 95 % intervals. Both axes are logarithmic."
    )
    title = "Time against the rate of arrivals, up to the edge"
    return Chart(f"{key}-rates", title, text, _draw(summary, search, panels), step_table(search))


def _draw(summary: Summary, search: RateSearchRecord, places: Sequence[int]) -> ChartFigure:
    names = [one.variant for one in search.findings]
    height = HEIGHT * len(places) + legend_height(list(map(label, names)))
    figure = ChartFigure(height)
    every = figure.subplots(len(places), 1, sharex=True, squeeze=False).ravel()
    for axes, place in zip(every, places, strict=True):
        condition = search.conditions[place]
        for name in names:
            _draw_steps(axes, search.of(name), place, (label(name), summary.plot_styles[name]))
        for one in search.findings:
            _mark_edge(axes, one, summary.plot_styles[one.variant])
        if condition.limit:
            axes.axhline(MILLISECONDS * condition.limit, color=INK, linewidth=1, linestyle=(0, (2, 2)))
        axes.set_title(condition.text)
        axes.set_yscale("log")
        plain_ticks(axes.yaxis)
        axes.set_ylabel("ms")
    _rate_axis(every[-1], sorted({one.rate for one in search.steps}))
    add_legend(figure, every[0], "upper left")
    return figure


def _draw_steps(axes: Any, steps: Sequence[RateStepRecord], place: int, drawn_as: tuple[str, PlotStyle]) -> None:
    name, style = drawn_as
    known = [(one.rate, MILLISECONDS * value, one.passes) for one in steps if (value := one.values[place]) is not None]
    if not known:
        return
    for rate, value, passed in known:
        result = "passed" if passed else "failed"
        axes.figure.explain(axes, rate, value, f"{name}, {show_rate(rate)} arrivals/s: {value:,.2f} ms, {result}")
    rates, values = [rate for rate, _, _ in known], [value for _, value, _ in known]
    axes.plot(rates, values, color=style.colour, linestyle=style.line, linewidth=1, alpha=0.5)
    for passes in (True, False):
        own = [(rate, value) for rate, value, passed in known if passed is passes]
        if own:
            face = style.colour if passes else "white"
            drawn: dict[str, Any] = {"color": style.colour, "marker": style.marker, "markerfacecolor": face}
            shown = {"label": name} if passes or all(not passed for _, _, passed in known) else {}
            axes.plot(*zip(*own, strict=True), linestyle="", markersize=6, **drawn, **shown)


def _mark_edge(axes: Any, rate_finding: RateFindingRecord, style: PlotStyle) -> None:
    if rate_finding.low is None or rate_finding.high is None or rate_finding.rate is None:
        return
    axes.axvline(rate_finding.rate, color=style.colour, linewidth=1.4)
    axes.axvspan(rate_finding.low, rate_finding.high, color=style.colour, alpha=0.15, linewidth=0)


def _rate_axis(axes: Any, rates: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    ends = [rates[0] / 1.4, rates[-1] * 1.4]
    doubled = [rates[0] * 2**step for step in range(64) if rates[0] * 2**step <= ends[1]]
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(choose(doubled, TICKS)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(*ends)
    axes.set_xlabel("arrivals per second")
