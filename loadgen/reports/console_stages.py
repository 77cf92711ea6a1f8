"""The table of stages printed at the end of a run."""

from collections.abc import Sequence

from hdrh.histogram import HdrHistogram
from rich.console import Console

from loadgen.reports.stage_order import in_order
from loadgen.results.levels import LevelResult
from loadgen.results.series import percentile
from loadgen.text.fitting import Column, ColumnRole, print_fitting

PERCENTS = (50.0, 99.0)


def print_stages(out: Console, levels: Sequence[LevelResult]) -> None:
    """Two quantiles of each stage that the operations reported, if any; a table for each operation."""
    for operation in dict.fromkeys(level.operation for level in levels):
        own = [level for level in levels if level.operation == operation]
        every = [series for level in own for name in level.variants if (series := level.series(name)) is not None]
        known = [(series, series.stage_times()) for series in every]
        stages = in_order({stage for _, times in known for stage in times})
        if not stages:
            continue
        rows = [
            [series.level.short, operation, series.variant, *(_show(times.get(stage)) for stage in stages)]
            for series, times in known
        ]
        load = Column("arrive" if own[0].level.is_open else "users", ColumnRole.KEY)
        words = (Column(word, ColumnRole.KEY, is_word=True) for word in ("operation", "variant"))
        title = f"Stages of {operation}: p50 / p99 ms"
        print_fitting(out, (title, title), (load, *words, *map(Column, stages)), [rows])


def _show(times: HdrHistogram | None) -> str:
    if times is None:
        return "-"
    result = (percentile(times, percent) for percent in PERCENTS)
    return " / ".join("-" if seconds is None else f"{seconds * 1_000:,.1f}" for seconds in result)
