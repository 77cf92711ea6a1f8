"""Scale-out in the terminal: throughput and cost by number of workers."""

from collections.abc import Sequence

from rich.console import Console

from loadgen.results.phase_result import PhaseResult
from loadgen.results.record import ScalingPoint
from loadgen.results.scaling import find_scaling, say_law
from loadgen.results.verdict.phrases import NONE
from loadgen.text.fitting import Column, ColumnRole, print_fitting
from loadgen.text.plain_text import one_line

SCALING_TITLE = "Scale-out, with the same load for each worker"
SCALING_HEAD = ("workers", "operations/s", "of ideal", "CPU ms", "server CPU ms", "limit")


def scaling_cells(point: ScalingPoint) -> tuple[str, ...]:
    """A cell for each column of the head; CPU times are those of one operation."""
    return (
        f"{point.workers:,}",
        NONE if point.throughput is None else f"{point.throughput:,.1f}",
        NONE if point.efficiency is None else f"{point.efficiency:.0%}",
        *(NONE if cpu is None else f"{cpu * 1_000:,.3f}" for cpu in (point.cpu_seconds, point.server_cpu_seconds)),
        "generator" if point.saturated else NONE,
    )


def print_scaling(out: Console, results: Sequence[PhaseResult]) -> None:
    """By operation, variant and number of workers; nothing in a run without several of these."""
    scaling = find_scaling([result.record for result in results])
    rows = [[one.operation, one.variant, *scaling_cells(point)] for one in scaling for point in one.points]
    if not rows:
        return
    keys = (Column("operation", ColumnRole.KEY, is_word=True), Column("variant", ColumnRole.KEY, is_word=True))
    workers, *figures = map(Column, SCALING_HEAD)
    print_fitting(out, (SCALING_TITLE, SCALING_TITLE), (*keys, workers, *figures), [rows])
    for one in scaling:
        out.print(one_line(say_law(one)))
