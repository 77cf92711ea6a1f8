"""A sweep in the terminal: recall and throughput of each value."""

from collections.abc import Sequence
from typing import TextIO

from loadgen.reports.console import WIDTH_WITHOUT_TERMINAL
from loadgen.results.record import SweepPoint, SweepRecord
from loadgen.results.verdict.phrases import NONE
from loadgen.text.fitting import Column, ColumnRole, print_fitting
from loadgen.text.plain_text import new_console

SWEEP_TITLE = "Throughput by recall"
SWEEP_HEAD = ("recall", "checked", "operations/s", "95 % interval")


def sweep_cells(point: SweepPoint) -> tuple[str, ...]:
    """A cell for each column of the head."""
    rate = point.throughput
    return (
        NONE if point.recall is None else f"{point.recall:.3f}",
        f"{point.recall_checks:,}",
        f"{rate.estimate:,.1f}",
        f"{rate.low:,.1f} to {rate.high:,.1f}",
    )


def print_sweeps(sweeps: Sequence[SweepRecord], file: TextIO) -> None:
    """By operation, number of users, variant and recall; nothing without a sweep."""
    rows = [
        [one.operation, f"{one.concurrency:,}", one.family, f"{point.value:g}", *sweep_cells(point)]
        for one in sweeps
        for point in one.points
    ]
    if not rows:
        return
    keys = (Column("operation", ColumnRole.KEY, is_word=True), Column("users", ColumnRole.KEY))
    variant = Column("variant", ColumnRole.KEY, is_word=True)
    figures = map(Column, (sweeps[0].parameter, *SWEEP_HEAD))
    out = new_console(file, None if file.isatty() else WIDTH_WITHOUT_TERMINAL)
    print_fitting(out, (SWEEP_TITLE, SWEEP_TITLE), (*keys, variant, *figures), [rows])
