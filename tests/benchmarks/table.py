"""The tool beside the bare loop: medians, ratios of neighbouring runs, and whether each target is reached."""

from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import Figures

RATE_AT_LEAST = 0.95
CPU_AT_MOST = 1.05
P99_AT_MOST, P99_SECONDS = 1.20, 0.002
"""p99 within 20 % or 2 ms of the bare loop's, whichever is more."""
LOADING_AT_LEAST = 0.9
SINKS_AT_LEAST = 0.98
Pair = tuple[Figures, Figures]
"""The bare loop's window and the tool's, one after the other."""


def pair_up(figures: Sequence[Figures]) -> dict[tuple[str, int], list[Pair]]:
    """The pairs of each mode and number of users, from windows in the order in which they were measured."""
    pairs: dict[tuple[str, int], list[Pair]] = {}
    for one, other in zip(figures[::2], figures[1::2], strict=True):
        bare, tool = (one, other) if one.variant == "bare" else (other, one)
        if (bare.variant, tool.variant, bare.mode, bare.users) != ("bare", "tool", tool.mode, tool.users):
            raise ValueError(f"{one} and {other} are no pair")
        pairs.setdefault((bare.mode, bare.users), []).append((bare, tool))
    return pairs


def ratios(pairs: Sequence[Pair], value: Callable[[Figures], float]) -> list[float]:
    """Tool to bare, pair by pair, in ascending order."""
    return sorted(value(tool) / value(bare) for bare, tool in pairs)


def is_p99_near(pairs: Sequence[Pair]) -> bool:
    """Whether the tool's p99, the median over the pairs, is within 20 % or 2 ms of the bare loop's."""
    excess = median(tool.p99 - bare.p99 for bare, tool in pairs)
    return median(ratios(pairs, lambda match: match.p99)) <= P99_AT_MOST or excess <= P99_SECONDS


def verdict(reached: bool) -> str:
    """The word for a target."""
    return "reached" if reached else "MISSED"


def show(pairs: dict[tuple[str, int], list[Pair]], console: Console, what: str = "Searches") -> None:
    """Print what the windows were, then the ratios with their targets; `what` was done in them."""
    console.print(_figures_table(pairs, what))
    console.print(_ratio_table(pairs, what))


def _figures_table(pairs: dict[tuple[str, int], list[Pair]], what: str) -> Table:
    table = Table(title=f"{what}: what was measured (medians over the rounds)")
    for name in ("mode", "users", "variant", "operations/s", "p50 ms", "p99 ms", "CPU ms/operation", "failures"):
        table.add_column(name, justify="left" if name in ("mode", "variant") else "right")
    for (mode, users), cell in sorted(pairs.items()):
        for runs in zip(*cell, strict=True):
            seen = (
                f"{median(run.rate for run in runs):,.0f}",
                f"{median(run.p50 for run in runs) * 1000:,.2f}",
                f"{median(run.p99 for run in runs) * 1000:,.2f}",
                f"{median(run.cpu_per_operation for run in runs) * 1000:,.3f}",
                f"{sum(run.failures for run in runs):,}",
            )
            table.add_row(mode, str(users), runs[0].variant, *seen)
        table.add_section()
    return table


def _ratio_table(pairs: dict[tuple[str, int], list[Pair]], title: str) -> Table:
    table = Table(title=f"{title}: tool to bare loop (medians of neighbouring windows, 95 % intervals in brackets)")
    for name in ("mode", "users", "what", "ratio", "target", "verdict"):
        table.add_column(name, justify="right" if name in ("users", "ratio") else "left")
    for (mode, users), cell in sorted(pairs.items()):
        rate = ratios(cell, lambda match: match.rate)
        cpu = ratios(cell, lambda match: match.cpu_per_operation)
        p99 = ratios(cell, lambda match: match.p99)
        excess = median(tool.p99 - bare.p99 for bare, tool in cell) * 1000
        reached = (median(rate) >= RATE_AT_LEAST, median(cpu) <= CPU_AT_MOST, is_p99_near(cell))
        within = f"at most {P99_AT_MOST:.2f} or {P99_SECONDS * 1000:+.0f} ms (here {excess:+.1f} ms)"
        rows = (
            ("operations/s", rate, f"at least {RATE_AT_LEAST:.2f}"),
            ("CPU/operation", cpu, f"at most {CPU_AT_MOST:.2f}"),
            ("p99", p99, within),
        )
        for (what, match, target), good in zip(rows, reached, strict=True):
            table.add_row(mode, str(users), what, spread(match), target, verdict(good))
        table.add_section()
    return table


def show_sinks(figures: Sequence[Figures], console: Console) -> None:
    """Print the tool's rate with ledger and exporter to that without them: the k-th windows of each are neighbours."""
    table = Table(title="Ledger and exporter on, to off (medians, 95 % intervals in brackets)")
    for name in ("mode", "users", "operations/s", "CPU/operation", "target", "verdict"):
        table.add_column(name, justify="right" if name == "users" else "left")
    for mode, users in sorted({(one.mode, one.users) for one in figures}):
        own = [one for one in figures if (one.mode, one.users) == (mode, users)]
        off, on = ([one for one in own if one.variant == variant] for variant in ("bare", "tool"))
        cell = list(zip(off, on, strict=True))
        rate = ratios(cell, lambda match: match.rate)
        cpu = ratios(cell, lambda match: match.cpu_per_operation)
        target, good = f"at least {SINKS_AT_LEAST:.2f} operations/s", verdict(median(rate) >= SINKS_AT_LEAST)
        table.add_row(mode, str(users), spread(rate), spread(cpu), target, good)
    console.print(table)


def show_loading(rates: Sequence[tuple[float, float]], console: Console) -> None:
    """Print the loading's ratio."""
    result = sorted(tool / bare for bare, tool in rates)
    table = Table(title="Loading into a real Milvus (medians over the rounds)")
    for name in ("bare rows/s", "tool rows/s", "ratio", "target", "verdict"):
        table.add_column(name, justify="left" if name in ("target", "verdict") else "right")
    bare, tool = (f"{median(side):,.0f}" for side in zip(*rates, strict=True))
    reached = verdict(median(result) >= LOADING_AT_LEAST)
    table.add_row(bare, tool, spread(result), f"at least {LOADING_AT_LEAST:.2f}", reached)
    console.print(table)


def spread(result: Sequence[float]) -> str:
    """The median with its 95 % interval, by a bootstrap over the pairs."""
    drawn = np.random.default_rng(1).choice(np.asarray(result), size=(2_000, len(result)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return f"{median(result):.3f} ({low:.2f}-{high:.2f})"
