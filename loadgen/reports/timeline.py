"""The timeline of the run: operations per second, phase by phase."""

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import chain, pairwise
from typing import Any

from matplotlib.collections import PolyCollection

from loadgen.measure.rate_curve import RateCurve
from loadgen.measure.sample import count_answers
from loadgen.reports.drawing import HEIGHT, Chart, ChartFigure, add_legend, is_small, legend_height
from loadgen.reports.style import FAINT_INK
from loadgen.reports.summary import Summary, label
from loadgen.reports.truncation import PHASES_DRAWN, choose, say_chosen
from loadgen.results.figures import load_level, throughput
from loadgen.results.record import PhaseRecord
from loadgen.results.verdict.phrases import show_rate

LABELS_AT_MOST = 16
"""Maximum phases with their load written above the chart; more would not fit."""
SLICES_DRAWN = 4_000
"""Maximum slices over all phases; with more, each phase is one step."""
Steps = tuple[list[float], list[float]]
"""Edges in seconds since the first phase, and the rates between them."""


def timeline(summary: Summary) -> Chart | None:
    """All phases in order; None if no phase has a start time."""
    every = [(phase, phase.started_at) for phase in summary.record.phases if phase.started_at is not None]
    if not every:
        return None
    timed = choose(every, PHASES_DRAWN)
    first = timed[0][1]
    in_slices = sum(_count_slices(phase) for phase, _ in timed) <= SLICES_DRAWN
    steps = [(phase, _steps(phase, began, first, in_slices=in_slices)) for phase, began in timed]
    each = "in slices of about a second" if in_slices else "of each phase"
    text = (
        f"Answered operations per second {each}, with the load above. Users change and warm up between the phases; "
        f"no figure includes that.{_say_scheduled(timed)}{say_chosen(len(timed), len(every), 'phases')}"
    )
    return Chart("timeline", "Timeline of the run", text, _draw(summary, steps), None)


def _say_scheduled(timed: Sequence[tuple[PhaseRecord, datetime]]) -> str:
    return " The dotted line is the scheduled rate of arrivals." if any(phase.rate for phase, _ in timed) else ""


def _draw(summary: Summary, steps: Sequence[tuple[PhaseRecord, Steps]]) -> ChartFigure:
    """A line and a band per variant, with the load of each phase above if there are few."""
    ran = {phase.variant for phase, _ in steps}
    names = [label(name) for name in summary.plot_styles if name in ran]
    figure = ChartFigure(HEIGHT + legend_height(names))
    axes = figure.subplots()
    for name, style in summary.plot_styles.items():
        own = [drawn for phase, drawn in steps if phase.variant == name]
        if own:
            axes.plot(*_line(own), color=style.colour, linestyle=style.line, linewidth=1.6, label=label(name))
            bands = [[(edges[0], 0), (edges[0], 1), (edges[-1], 1), (edges[-1], 0)] for edges, _ in own]
            shade = PolyCollection(bands, transform=axes.get_xaxis_transform(), facecolor=style.colour, linewidth=0)
            shade.set_alpha(0.1)
            axes.add_collection(shade)
    _explain(figure, axes, steps)
    for phase, (edges, _) in steps if len(steps) <= LABELS_AT_MOST else ():
        level = str(load_level(phase.concurrency, phase.rate)).removesuffix(" users").removesuffix(" user")
        axes.annotate(
            level, ((edges[0] + edges[-1]) / 2, 1.01), xycoords=("data", "axes fraction"), ha="center", fontsize=9
        )
    if scheduled := [_schedule(phase, edges) for phase, (edges, _) in steps if phase.rate]:
        points = list(chain.from_iterable([*line, (math.nan, math.nan)] for line in scheduled))
        at, rates = [moment for moment, _ in points], [rate for _, rate in points]
        axes.plot(at, rates, color=FAINT_INK, linestyle=(0, (2, 2)), linewidth=1.2, label="scheduled")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("seconds since the first phase began")
    axes.set_ylabel("operations/s, all kinds")
    if is_small(names):
        figure.legend(loc="outside lower right", ncols=len(names))
    else:
        add_legend(figure, axes)
    return figure


def _explain(figure: ChartFigure, axes: Any, steps: Sequence[tuple[PhaseRecord, Steps]]) -> None:
    """The mean of each phase."""
    for phase, (edges, rates) in steps:
        lengths = [end - begin for begin, end in pairwise(edges)]  # the last slice of an aborted phase is shorter
        mean = sum(rate * seconds for rate, seconds in zip(rates, lengths, strict=True)) / sum(lengths)
        level = load_level(phase.concurrency, phase.rate)
        text = f"{phase.variant}, {level}, from {edges[0]:,.0f} s: {show_rate(mean)} operations/s"
        figure.explain(axes, (edges[0] + edges[-1]) / 2, mean, text)


def _line(phases: list[Steps]) -> Steps:
    """One line with gaps between the phases."""
    x = [[*chain.from_iterable(pairwise(edges)), math.nan] for edges, _ in phases]
    y = [[*chain.from_iterable((rate, rate) for rate in rates), math.nan] for _, rates in phases]
    return list(chain.from_iterable(x)), list(chain.from_iterable(y))


def _schedule(phase: PhaseRecord, edges: Sequence[float]) -> list[tuple[float, float]]:
    """Arrivals per second that were due, at each change of their rate; the seconds are those of the chart."""
    curves = [RateCurve(one.points) for one in phase.scheduled] or [RateCurve.flat(phase.rate or 0.0)]
    moments = sorted({at for curve in curves for at, _ in curve.edges(0.0, edges[-1] - edges[0])})
    return [(edges[0] + at, sum(curve.rate_at(at) for curve in curves)) for at in moments]


def _count_slices(phase: PhaseRecord) -> int:
    return max((len(part.slices) for part in phase.operations if part.slices is not None), default=0)


def _steps(phase: PhaseRecord, began: datetime, first: datetime, *, in_slices: bool) -> Steps:
    """The slices of a phase, or one step if it has none or they are not wanted."""
    edges = [(began - first).total_seconds()]
    rates: list[float] = []
    sliced = [(part, part.slices) for part in phase.operations if part.slices is not None and in_slices]
    answers = [(part, slices, count_answers(part.outcomes)) for part, slices in sliced]
    pieces = [(slices, count_answers(part.totals) / number) for part, slices, number in answers if number]
    if not pieces:
        total = sum(throughput(part.totals, phase.seconds) for part in phase.operations)
        return [edges[0], edges[0] + phase.seconds], [total]
    for number, seconds in enumerate(pieces[0][0].lengths):
        edges.append(edges[-1] + seconds)
        rates.append(sum(slices.operations[number] * share for slices, share in pieces) / seconds)
    return edges, rates
