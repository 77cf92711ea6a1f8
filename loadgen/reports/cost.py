"""What an operation costs the load generator, by variant and level."""

from loadgen.reports.summary import Summary
from loadgen.reports.tables import Table, make_table
from loadgen.results.cost import Cost
from loadgen.results.verdict.phrases import NONE

COST_TITLE = "What an operation costs the load generator"
COST_HEAD = ("operations", "operations per core second", "CPU ms", "sent KiB", "received KiB", "memory MiB")
KIB, MIB = 2**10, 2**20


def cost_cells(cost: Cost) -> tuple[str, ...]:
    """A cell for each column of the head. CPU and bytes are those of one operation, memory that of all processes."""
    rate, cpu = cost.operations_per_core_second, cost.cpu_seconds
    return (
        f"{cost.operations:,}",
        NONE if rate is None else f"{rate:,.0f}",
        NONE if cpu is None else f"{cpu * 1_000:,.3f}",
        _scaled(cost.sent_bytes, KIB, 2),
        _scaled(cost.received_bytes, KIB, 2),
        _scaled(cost.memory_bytes, MIB, 0),
    )


def cost_table(summary: Summary) -> Table:
    """A row per variant and level, of all its operations together; empty for a record without these figures."""
    every = {(row.series.level, row.series.variant): row.series for row in summary.rows}
    order = {name: place for place, name in enumerate(summary.plot_styles)}
    known = [(key, one.cost) for key, one in every.items() if one.cost.cpu_seconds is not None]
    known.sort(key=lambda item: (item[0][0], order.get(item[0][1], len(order))))

    def make_row(item: tuple[tuple[object, str], Cost]) -> tuple[str, ...]:
        (level, variant), cost = item
        return (str(level), variant, *cost_cells(cost))

    return make_table(COST_TITLE, ("load", "variant", *COST_HEAD), known, make_row, 2)


def _scaled(value: float | None, unit: int, digits: int) -> str:
    return NONE if value is None else f"{value / unit:,.{digits}f}"
