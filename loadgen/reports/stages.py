"""The reported stages of an operation, as stacked bars and as a table of quantiles."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from hdrh.histogram import HdrHistogram

from loadgen.measure.histograms import mean
from loadgen.reports.drawing import ChartFigure
from loadgen.reports.stage_order import in_order
from loadgen.reports.style import STAGE_COLOURS
from loadgen.reports.summary import Summary, SummaryRow, label
from loadgen.reports.tables import Cells, Table, make_table, milliseconds
from loadgen.reports.truncation import LEVELS_DRAWN, choose, say_chosen
from loadgen.results.figures import LoadLevel
from loadgen.results.series import percentile

MILLISECONDS = 1_000
BAR, MARGIN = 0.34, 1.3
"""Heights in inches: of one bar, and of axis, label and legend together."""
GAP = 0.4
"""Between the bars of two levels, in units of a bar."""
LINE, LINE_LENGTH = 0.17, 26
"""Height in inches and maximum characters of one line next to a bar."""
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++", "ooo", "---")
"""Distinguish stages in grey, and the ninth from the first."""
PERCENTS = (50.0, 90.0, 99.0)


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage of one operation of one variant at one level."""

    row: SummaryRow
    stage: str
    times: HdrHistogram

    @property
    def is_repeated(self) -> bool:
        """Whether it may occur many times in one operation."""
        return self.stage in self.row.series.repeated_stages

    @property
    def mean_ms(self) -> float:
        """Mean milliseconds of the operations that reported it; of a repeated stage, of all its occurrences."""
        return mean(self.times) * MILLISECONDS


def stage_rows(summary: Summary, operation: str) -> list[StageRow]:
    """By level and variant, then in the order of the stages; empty if the operation reported none."""
    return [
        StageRow(row, stage, row.stages[stage]) for row in summary.rows_of(operation) for stage in in_order(row.stages)
    ]


def stage_table(operation: str, every: Sequence[StageRow]) -> Table:
    """Quantiles of each stage in `stage_rows` of the operation."""
    head = ("load", "variant", "stage", "times", "mean ms", *(f"p{p:g} ms" for p in PERCENTS))
    return make_table(f"{operation}: times of its stages", head, every, _row, 3)


def _row(one: StageRow) -> Cells:
    series = one.row.series
    quantiles = map(partial(percentile, one.times), PERCENTS)
    return (
        str(series.level),
        series.variant,
        one.stage,
        f"{one.times.get_total_count():,}",
        f"{one.mean_ms:,.2f}",
        *map(milliseconds, quantiles),
    )


def stage_figure(every: Sequence[StageRow]) -> tuple[ChartFigure, str]:
    """A bar per variant and level, stacked from the mean times of the stages, and a sentence on those omitted.

    `every` is the result of `stage_rows` for an operation. Repeated stages are no part of the operation's mean.
    """
    every = [one for one in every if not one.is_repeated]
    bars = list(dict.fromkeys((one.row.series.level, one.row.series.variant) for one in every))
    drawn = choose(bars, LEVELS_DRAWN)
    names = [
        textwrap.fill(f"{level}, {label(variant)}", LINE_LENGTH, break_on_hyphens=False) for level, variant in drawn
    ]
    most = max(name.count("\n") + 1 for name in names)
    heights = _places([level for level, _ in drawn])
    figure = ChartFigure(MARGIN + max(BAR, LINE * most) * (heights[-1] + 1))
    axes = figure.subplots()
    means = {(one.row.series.level, one.row.series.variant, one.stage): one.mean_ms for one in every}
    ends = [0.0] * len(drawn)
    for number, stage in enumerate(in_order({one.stage for one in every})):
        widths = [means.get((*bar, stage), 0.0) for bar in drawn]
        colour, hatch = (
            STAGE_COLOURS[number % len(STAGE_COLOURS)],
            HATCHES[(number + number // len(STAGE_COLOURS)) % len(HATCHES)],
        )
        axes.barh(heights, widths, left=ends, label=stage, color=colour, hatch=hatch, edgecolor="white", height=0.7)
        for place, (level, variant) in enumerate(drawn):
            if widths[place]:
                text = f"{variant}, {level}, {stage}: {widths[place]:,.2f} ms"
                figure.explain(axes, ends[place] + widths[place] / 2, heights[place], text)
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    axes.set_yticks(heights, names)
    axes.set_ylim(heights[-1] + 0.6, -0.6)
    axes.set_xlabel("mean ms")
    figure.legend(loc="outside upper center", ncols=4)
    return figure, say_chosen(len(drawn), len(bars), "bars")


def _places(levels: Sequence[LoadLevel]) -> list[float]:
    """Where the bars of these levels are, in units of a bar: there is a gap between two levels with several bars."""
    gap = GAP if len(set(levels)) < len(levels) else 0.0
    places = [0.0]
    for last, this in pairwise(levels):
        places.append(places[-1] + 1 + (gap if this != last else 0))
    return places
