"""What a figure has to be, whether it is, and the table of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

WIDTH = 150


@dataclass(frozen=True, slots=True)
class Target:
    """One target. Times in its texts are milliseconds."""

    name: str
    wanted: str
    measured: str
    met: bool
    late: float | None = None
    """Seconds by which the server was late at p99 in these phases; the known delay is no more accurate."""
    open: bool = False
    """Not met, but by no more than both sides scatter: neither met nor missed."""

    @property
    def verdict(self) -> str:
        """In a word."""
        return "met" if self.met else "open" if self.open else "MISSED"


def target_table(targets: Sequence[Target]) -> Table:
    """Each target, and whether it was met."""
    table = Table(title="Targets, on this machine")
    for name in ("target", "wanted", "measured", "", "server late (p99)"):
        table.add_column(name)
    for target in targets:
        late = "" if target.late is None else f"{target.late * 1000:.2f} ms"
        table.add_row(target.name, target.wanted, target.measured, target.verdict, late)
    return table
