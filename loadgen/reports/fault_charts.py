"""The timeline of phases with faults: answers and failures per second, with the faults marked."""

from collections.abc import Sequence
from itertools import pairwise, zip_longest

from loadgen.reports.drawing import Chart, ChartFigure, add_legend, legend_height
from loadgen.reports.style import GREY
from loadgen.reports.summary import Summary, label
from loadgen.results.figures import LoadLevel, load_level
from loadgen.results.record.faults import FaultsRecord
from loadgen.results.verdict.faults import find_drills

HEIGHT = 5.0
LEAST = 0.1
"""Share of a piece below which the last one is too short for a rate."""
TEXT = (
    "Answers per second above, failures and dropped arrivals per second below, from the start of the measured part; a "
    "variant's line is the mean of its phases. Vertical lines: the faults as they began in the first phase; grey: "
    "until they were over."
)


def fault_charts(summary: Summary, prefix: str = "faults") -> list[Chart]:
    """A chart for each load level; none without faults."""
    levels: dict[LoadLevel, dict[str, list[FaultsRecord]]] = {}
    lengths: dict[LoadLevel, float] = {}
    for _, phase, faults in find_drills(summary.record):
        level = load_level(phase.concurrency, phase.rate)
        levels.setdefault(level, {}).setdefault(phase.variant, []).append(faults)
        lengths[level] = max(lengths.get(level, 0.0), phase.seconds)
    return [
        Chart(f"{prefix}{place}", f"Faults at {level}", TEXT, _draw(summary, variants, lengths[level]), None)
        for place, (level, variants) in enumerate(sorted(levels.items(), key=lambda item: item[0]))
    ]


def _draw(summary: Summary, variants: dict[str, list[FaultsRecord]], length: float) -> ChartFigure:
    names = [label(name) for name in summary.plot_styles if name in variants]
    figure = ChartFigure(HEIGHT + legend_height(names))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for name, style in summary.plot_styles.items():
        phases = variants.get(name, [])
        if not phases:
            continue
        seconds = phases[0].course.seconds
        answered = [one.course.answered for one in phases]
        failed = [_sum(list(one.course.failures.values())) for one in phases]
        for axes, counts in ((above, answered), (below, failed)):
            means = _mean(counts)
            edges = [min(place * seconds, max(length, seconds)) for place in range(len(means) + 1)]
            widths = [max(end - begin, LEAST * seconds) for begin, end in pairwise(edges)]
            rates = [mean / width for mean, width in zip(means, widths, strict=True)]
            axes.stairs(rates, edges, baseline=None, color=style.colour, linestyle=style.line, label=label(name))
    first = next(iter(variants.values()))[0]
    for fault in first.faults:
        until = "" if fault.ended is None else f" to {fault.ended:,.1f}"
        figure.explain(above, fault.began or 0.0, 0.0, f"{fault.text}: {fault.began or 0.0:,.1f}{until} s")
        for axes in (above, below):
            axes.axvline(fault.began or 0.0, color="black", linewidth=0.8)
            if fault.ended is not None and fault.began is not None and fault.ended > fault.began:
                axes.axvspan(fault.began, fault.ended, color=GREY, alpha=0.15, linewidth=0)
    for axes, title in ((above, "answers/s"), (below, "failures/s")):
        axes.set_ylim(bottom=0)
        axes.set_ylabel(title)
    below.set_xlabel("seconds of the phase")
    add_legend(figure, above)
    return figure


def _sum(counts: Sequence[Sequence[int]]) -> list[int]:
    return [sum(some) for some in zip_longest(*counts, fillvalue=0)]


def _mean(phases: Sequence[Sequence[int]]) -> list[float]:
    """The mean of the phases in each piece; without failures a phase has no pieces."""
    return [sum(some) / len(phases) for some in zip_longest(*phases, fillvalue=0)]
