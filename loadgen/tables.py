"""The tables that a run ends with."""

import math
from collections.abc import Iterable, Sequence
from typing import TextIO, TypeVar

from rich.console import Console
from rich.table import Table

from loadgen.compare import Comparison, Ratio
from loadgen.levels import Level
from loadgen.plain_text import new_console, one_line
from loadgen.sample import EMPTY_AT_MOST, Mode, Outcome, share_empty
from loadgen.verdict.phrases import show_rate, show_seconds
from loadgen.window import Window

T = TypeVar("T")

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
WIDTH_WITHOUT_TERMINAL = 160
SHOWN_AT_MOST = 60
"""Levels of an operation, or bursts: of more, the first and the last half of these."""
LONGEST_NAME = 60
FIGURES = ("operations/s", "p50 ms", "p95 ms", "p99 ms", "failures", "empty")
TYPICAL = "of a typical phase of each mode (the geometric mean, a steady drift taken out)"
CLOSED_KEY = (
    "Percentiles are of answered operations and timeouts. Ratio: operations/s async to sync, 95 % interval. "
    f"Operations/s beside a ratio are the two that it is of, {TYPICAL}."
)
OPEN_KEY = (
    "Response times, from when an operation was due, of answered operations and timeouts. Ratios: async to sync, "
    "below 1 async answers sooner; the 95 % interval of p99 decides. Dropped: arrivals that found no place in flight. "
    f"Percentiles are of all operations; what the ratios are of is below, {TYPICAL}."
)


def print_tables(
    windows: Iterable[Window], levels: Sequence[Level], file: TextIO, most_empty: float = EMPTY_AT_MOST
) -> None:
    """Print what a run shows: its levels, then its bursts; nothing where nothing was counted.

    Bursts are not compared where more than a share `most_empty` of the answers held no row.
    """
    windows = list(windows)
    out = new_console(file, None if file.isatty() else WIDTH_WITHOUT_TERMINAL)
    bursts = [window for window in windows if window.phase.operations and window.tallies]
    if levels:
        shown = _ends_of(levels)
        out.print(_open_table(shown) if levels[0].is_open else _level_table(shown))
        _tell_of_rest(out, len(levels) - len(shown), "levels")
        out.print(OPEN_KEY if levels[0].is_open else CLOSED_KEY)
        for level in shown:
            if level.is_open and level.comparison and level.comparison.p99:
                out.print(_say_times(level, level.comparison))
    if bursts:
        bursts.sort(key=lambda window: window.phase.number)
        kinds = list(dict.fromkeys((window.phase.operation, window.phase.operations) for window in bursts))
        kept = set(_ends_of(kinds))
        out.print(
            _burst_table([one for one in bursts if (one.phase.operation, one.phase.operations) in kept], most_empty)
        )
        _tell_of_rest(out, len(kinds) - len(kept), "bursts")
        out.print(
            "The tutorial compares the columns 'one after another' and 'async gather': 1 in flight with all in flight. "
            "The fair neighbour of 'async gather' is 'threads', at most 64 in flight."
        )
    if any(window.errors for window in windows):
        out.print(_error_table(sorted(windows, key=lambda window: window.phase.number)))


def _error_table(windows: Sequence[Window]) -> Table:
    """What tasks raised while phases were measured."""
    table = Table(title="Exceptions in tasks")
    table.add_column("phase", justify="right")
    for name in ("mode", "exception", "raised at"):
        table.add_column(name)
    table.add_column("times", justify="right")
    for window in windows:
        for mode, kind, number in window.errors:
            table.add_row(str(window.phase.number + 1), mode.value, kind.name, kind.place, f"{number:,}")
    return table


def _ends_of(items: Sequence[T]) -> Sequence[T]:
    """All, or of many the first and the last."""
    half = SHOWN_AT_MOST // 2
    return items if len(items) <= SHOWN_AT_MOST else [*items[:half], *items[-half:]]


def _tell_of_rest(out: Console, number: int, name: str) -> None:
    if number:
        out.print(f"{number:,} {name} between them are not shown; the run record and its report have all.")


def _level_table(levels: Sequence[Level]) -> Table:
    table = Table(title="Sync and async, level by level")
    table.add_column("users", justify="right")
    table.add_column("operation")
    table.add_column("mode")
    checked = _are_checked(levels)
    for name in (*FIGURES, *(("recall",) if checked else ()), "ratio (95 %)"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for level in levels:
        _add_level(table, level, checked)
        table.add_section()
    return table


def _open_table(levels: Sequence[Level]) -> Table:
    table = Table(title="Sync and async, arrivals on a schedule")
    table.add_column("arrive", justify="right")
    table.add_column("operation")
    table.add_column("mode")
    checked = _are_checked(levels)
    names = ("done/s", *FIGURES[1:-2], "failed", "empty", *(("recall",) if checked else ()), "dropped", "p50 ratio")
    for name in (*names, "p99 ratio (95 %)"):
        table.add_column(name, justify="right", no_wrap=name.endswith("%)"))
    table.add_column("verdict")
    for level in levels:
        for mode in Mode:
            if (figures := _figures(level, mode, checked)) is None:
                continue
            compared = ("", "", "")
            if mode is Mode.ASYNC and level.comparison is not None:
                found = level.comparison
                middle = f"{found.p50.estimate:.2f}" if found.p50 else "-"
                compared = (middle, _ratio(found.p99), str(found.verdict))
            table.add_row(
                level.label,
                one_line(level.operation, LONGEST_NAME),
                mode.value,
                *figures,
                f"{level.dropped(mode):,}",
                *compared,
            )
        table.add_section()
    return table


def _say_times(level: Level, found: Comparison) -> str:
    """The two times that each ratio is of."""
    told = []
    for name, ratio in (("p50", found.p50), ("p99", found.p99)):
        if ratio is not None:
            times = " and ".join(f"{_milliseconds(ratio.value(mode))} ms with {mode}" for mode in Mode)
            told.append(f"{name} {times}, ratio {ratio.estimate:.2f}")
    return f"{one_line(level.operation, LONGEST_NAME)} at {level.label}: {'; '.join(told)}."


def _are_checked(levels: Sequence[Level]) -> bool:
    return any(level.recall(mode) is not None for level in levels for mode in Mode)


def _add_level(table: Table, level: Level, checked: bool) -> None:
    for mode in Mode:
        if (figures := _figures(level, mode, checked)) is None:
            continue
        compared = _compared(level.comparison) if mode is Mode.ASYNC else ("", "")
        table.add_row(level.label, one_line(level.operation, LONGEST_NAME), mode.value, *figures, *compared)


def _figures(level: Level, mode: Mode, checked: bool) -> list[str] | None:
    """Throughput, percentiles of response time, failures and, where searches were checked, recall.

    None where the mode did nothing.
    """
    tally = level.tally(mode)
    if tally is None:
        return None
    times = [_milliseconds(tally.percentile(percent)) for percent in (50, 95, 99)]
    rate = level.throughput(mode) if level.is_open else level.shown_throughput(mode)
    figures = [show_rate(rate), *times, f"{tally.failures:,}", f"{tally.outcomes[Outcome.EMPTY]:,}"]
    if checked:
        recall = level.recall(mode)
        figures.append("-" if recall is None else f"{recall:.3f}")
    return figures


def _compared(comparison: Comparison | None) -> tuple[str, str]:
    """The ratio with its interval, and the verdict."""
    if comparison is None:
        return "", ""
    return _ratio(comparison.throughput), str(comparison.verdict)


def _ratio(ratio: Ratio | None) -> str:
    return f"{ratio.estimate:.2f} ({ratio.low:.2f}-{ratio.high:.2f})" if ratio else "-"


def _milliseconds(seconds: float) -> str:
    return "-" if math.isnan(seconds) else f"{seconds * 1000:,.2f}"


def _burst_table(windows: Sequence[Window], most_empty: float) -> Table:
    table = Table(title="The tutorial's table: seconds for so many operations, here and (there)")
    columns = {"sync": "one after another", "threads": "threads", "async": "async gather"}
    styles = [style for style in columns if any(window.phase.style == style for window in windows)]
    table.add_column("operation")
    table.add_column("operations", justify="right")
    for style in styles:
        table.add_column(columns[style], justify="right")
    table.add_column("thr. / gather", justify="right")
    table.add_column("failures", justify="right")
    table.add_column("empty", justify="right")
    cells = {(w.phase.operation, w.phase.operations, w.phase.style): w for w in windows}
    for operation, number in dict.fromkeys((w.phase.operation, w.phase.operations) for w in windows):
        of_row = {style: cells[operation, number, style] for style in styles if (operation, number, style) in cells}
        shown = [_cell(operation, number, style, of_row.get(style)) for style in styles]
        tallies = [tally for window in of_row.values() for tally in window.tallies.values()]
        failures = sum(tally.failures for tally in tallies)
        empty = sum(tally.outcomes[Outcome.EMPTY] for tally in tallies)
        equal = not failures and all(share_empty(tally.outcomes) <= most_empty for tally in tallies)
        shown += [_quotient(of_row) if equal else "-", f"{failures:,}", f"{empty:,}"]
        table.add_row(one_line(operation, LONGEST_NAME), f"{number:,}", *shown)
    return table


def _cell(operation: str, number: int, style: str, window: Window | None) -> str:
    if window is None:
        return "-"
    there = SEED_SECONDS.get((operation, style, number))
    seed = f" ({there:,.2f})" if there is not None else ""
    return f"{show_seconds(window.seconds)}{seed}"


def _quotient(of_row: dict[str, Window]) -> str:
    """How many times faster `gather` was than threads: seconds of threads by seconds of gather."""
    if "threads" not in of_row or "async" not in of_row or not of_row["async"].seconds:
        return "-"
    return f"{of_row['threads'].seconds / of_row['async'].seconds:.2f}"
