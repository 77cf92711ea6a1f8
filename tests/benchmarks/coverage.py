"""How often simulated A/A intervals contain 1, for many more comparisons than a test has time for."""

from rich.console import Console
from rich.table import Table

from tests.unit.simulated_phases import SHAPES, compare_with_itself, contain_one

COMPARISONS = 1_000
WANTED = 0.93


def show_coverage(console: Console) -> None:
    """Print the share of intervals that contain 1 by shape of drift and figure, and mark what is too low."""
    table = Table(
        title=f"Share of {COMPARISONS:,} simulated A/A intervals that contain 1, at least {WANTED:.0%} wanted"
    )
    for name in ("shape", "throughput", "p50", "p99"):
        table.add_column(name)
    for name, machine in SHAPES.items():
        with_itself = compare_with_itself(machine, COMPARISONS)
        shares = [
            contain_one([getattr(each, figure) for each in with_itself]) for figure in ("throughput", "p50", "p99")
        ]
        table.add_row(name, *(f"{share:.1%}{'' if share >= WANTED else ' MISSED'}" for share in shares))
    console.print(table)
