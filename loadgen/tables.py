"""The tables that a run ends with."""

import math
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from loadgen.ledger import Tally, Window
from loadgen.sample import Mode

SEED_SECONDS: dict[tuple[str, str, int], float] = {
    ("insert", "async", 10): 0.19,
    ("insert", "async", 100): 0.48,
    ("insert", "async", 1_000): 3.22,
    ("insert", "sync", 10): 0.56,
    ("insert", "sync", 100): 5.85,
    ("insert", "sync", 1_000): 62.91,
    ("search", "async", 10): 0.55,
    ("search", "async", 100): 1.39,
    ("search", "async", 1_000): 8.81,
    ("search", "sync", 10): 3.29,
    ("search", "sync", 100): 30.80,
    ("search", "sync", 1_000): 308.80,
}
"""What the Milvus tutorial "RAG with LlamaIndex and the Milvus async API" prints, on its machine and its server."""
WIDTH_WITHOUT_TERMINAL = 120


def print_tables(windows: Iterable[Window], console: Console | None = None) -> None:
    """Print what the windows of a run show; nothing where nothing was counted."""
    counted = sorted((window for window in windows if window.tallies), key=lambda window: window.phase.number)
    out = console or Console()
    if console is None and not out.is_terminal:
        out = Console(width=WIDTH_WITHOUT_TERMINAL)
    bursts = [window for window in counted if window.phase.operations]
    timed = [window for window in counted if not window.phase.operations]
    if timed:
        out.print(_timed_table(timed))
        for line in _warnings(timed):
            out.print(line, style="bold yellow")
        out.print(
            "Percentiles are of answered operations and timeouts, in milliseconds, unrounded before this table. "
            "Ratio: operations/s async to sync, without an interval."
        )
    if bursts:
        out.print(_burst_table(bursts))
        out.print(
            "The tutorial compares the columns 'one after another' and 'async gather': 1 in flight with all in flight. "
            "The fair neighbour of 'async gather' is 'threads', at most 64 in flight."
        )


def _warnings(windows: Sequence[Window]) -> list[str]:
    """One line for each phase in which the generator itself was the limit."""
    return [
        f"Phase {window.phase.number + 1} ({window.phase.label}) shows the tool, not the server: {limit}."
        for window in windows
        for limit in window.health.limits()
    ]


def _timed_table(windows: Sequence[Window]) -> Table:
    table = Table(title="Sync and async, phase by phase")
    for name in ("concurrency", "operation", "mode"):
        table.add_column(name, justify="left" if name != "concurrency" else "right")
    for name in ("operations/s", "p50 ms", "p95 ms", "p99 ms", "failures", "ratio async/sync"):
        table.add_column(name, justify="right")
    levels = list(dict.fromkeys(window.phase.concurrency for window in windows))
    for level in levels:
        of_level = [window for window in windows if window.phase.concurrency == level]
        operations = sorted({operation for window in of_level for _, operation in window.tallies})
        for operation in operations:
            _add_pair(table, level, operation, of_level)
        table.add_section()
    return table


def _add_pair(table: Table, level: int, operation: str, windows: Sequence[Window]) -> None:
    found: dict[Mode, Tally] = {}
    rates: dict[Mode, float] = {}
    for mode in Mode:
        of_mode = [window for window in windows if window.phase.mode is mode and window.seconds > 0]
        tallies = [window.tallies[mode, operation] for window in of_mode if (mode, operation) in window.tallies]
        if tallies:
            found[mode] = Tally()
            for tally in tallies:
                found[mode].merge(tally)
            seconds = sum(window.seconds for window in of_mode)
            rates[mode] = (found[mode].operations - found[mode].failures) / seconds
    for mode, tally in found.items():
        ratio = ""
        if mode is Mode.ASYNC and rates.get(Mode.SYNC):
            ratio = f"{rates[Mode.ASYNC] / rates[Mode.SYNC]:.2f}"
        times = [_milliseconds(tally.percentile(percent)) for percent in (50, 95, 99)]
        row = [str(level), operation, mode.value, f"{rates[mode]:,.1f}", *times, f"{tally.failures:,}", ratio]
        table.add_row(*row)


def _milliseconds(seconds: float) -> str:
    return "-" if math.isnan(seconds) else f"{seconds * 1000:,.2f}"


def _burst_table(windows: Sequence[Window]) -> Table:
    table = Table(title="The tutorial's table: seconds for so many operations, here and (there)")
    columns = {"sync": "one after another", "threads": "threads", "async": "async gather"}
    styles = [style for style in columns if any(window.phase.style == style for window in windows)]
    table.add_column("operation")
    table.add_column("operations", justify="right")
    for style in styles:
        table.add_column(columns[style], justify="right")
    table.add_column("thr. / gather", justify="right")
    table.add_column("failures", justify="right")
    cells = {(w.phase.operation, w.phase.operations, w.phase.style): w for w in windows}
    for operation, number in dict.fromkeys((w.phase.operation, w.phase.operations) for w in windows):
        of_row = {style: cells[operation, number, style] for style in styles if (operation, number, style) in cells}
        shown = [_cell(operation, number, style, of_row.get(style)) for style in styles]
        failures = sum(tally.failures for window in of_row.values() for tally in window.tallies.values())
        table.add_row(operation, f"{number:,}", *shown, _quotient(of_row), f"{failures:,}")
    return table


def _cell(operation: str, number: int, style: str, window: Window | None) -> str:
    if window is None:
        return "-"
    there = SEED_SECONDS.get((operation, style, number))
    seed = f" ({there:,.2f})" if there is not None else ""
    return f"{window.seconds:,.3f}{seed}"


def _quotient(of_row: dict[str, Window]) -> str:
    """How many times faster `gather` was than threads: seconds of threads by seconds of gather."""
    if "threads" not in of_row or "async" not in of_row or not of_row["async"].seconds:
        return "-"
    return f"{of_row['threads'].seconds / of_row['async'].seconds:.2f}"
