"""The tables that a run ends with."""

import math
from collections.abc import Iterable, Sequence
from typing import TextIO, TypeVar

from rich.console import Console

from loadgen.compare import Comparison, Ratio
from loadgen.fitting import LONGEST_NAME, Column, Part, print_fitting
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
TIMES = (Column("p50 ms"), Column("p95 ms"), Column("p99 ms"))
TYPICAL = "a typical phase of each mode (geometric mean, steady drift removed)"
ALONE_KEY = "Percentiles are of answered operations and timeouts."
CLOSED_KEY = (
    f"{ALONE_KEY} Ratio: operations/s async to sync, 95 % interval. "
    f"Operations/s beside a ratio are the two figures that it divides: {TYPICAL}."
)
OPEN_KEY = (
    "Response times, from when an operation was due, of answered operations and timeouts. Ratios: async to sync, "
    "below 1 async answers sooner; the 95 % interval of p99 decides. Dropped: arrivals that found no place in flight. "
    f"Percentiles are of all operations, ratios of {TYPICAL}; the figures that they divide are below."
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
        _print_levels(out, shown)
        _tell_of_rest(out, len(levels) - len(shown), "levels")
        compared = any(level.comparison for level in shown)
        out.print(OPEN_KEY if levels[0].is_open else CLOSED_KEY if compared else ALONE_KEY)
        for level in shown:
            if level.is_open and level.comparison and level.comparison.p99:
                out.print(_say_times(level, level.comparison))
    if bursts:
        bursts.sort(key=lambda window: window.phase.number)
        kinds = list(dict.fromkeys((window.phase.operation, window.phase.operations) for window in bursts))
        kept = set(_ends_of(kinds))
        _print_bursts(out, [w for w in bursts if (w.phase.operation, w.phase.operations) in kept], most_empty)
        _tell_of_rest(out, len(kinds) - len(kept), "bursts")
        out.print(
            "The tutorial compares the columns 'one after another' and 'async gather': 1 in flight with all in flight. "
            "The fair neighbour of 'async gather' is 'threads', at most 64 in flight."
        )
    if any(window.errors for window in windows):
        _print_errors(out, sorted(windows, key=lambda window: window.phase.number))


def _print_errors(out: Console, windows: Sequence[Window]) -> None:
    """What tasks raised while phases were measured."""
    words = (Column("mode", is_word=True), Column("exception", is_word=True), Column("raised at", is_word=True))
    rows = [
        [str(window.phase.number + 1), mode.value, kind.name, kind.place, f"{number:,}"]
        for window in windows
        for mode, kind, number in window.errors
    ]
    print_fitting(out, "Exceptions in tasks", (Column("phase", Part.KEY), *words, Column("times")), [rows])


def _ends_of(items: Sequence[T]) -> Sequence[T]:
    """All, or of many the first and the last."""
    half = SHOWN_AT_MOST // 2
    return items if len(items) <= SHOWN_AT_MOST else [*items[:half], *items[-half:]]


def _tell_of_rest(out: Console, number: int, name: str) -> None:
    if number:
        out.print(f"{number:,} {name} between them are not shown; the run record and its report have all.")


def _print_levels(out: Console, levels: Sequence[Level]) -> None:
    """The figures of both modes at each level, and how they compare."""
    checked = any(level.recall(mode) is not None for level in levels for mode in Mode)
    recall = (Column("recall"),) if checked else ()
    keys = (Column("operation", Part.KEY, short="op", is_word=True), Column("mode", Part.KEY, is_word=True))
    verdict = Column("verdict", Part.RESULT, is_word=True)
    if levels[0].is_open:
        title = "Sync and async, arrivals on a schedule"
        figures = (Column("done/s"), *TIMES, Column("failed", short="fail"), Column("empty"), *recall)
        figures = (*figures, Column("dropped", short="drop"))
        results = (Column("p50 ratio", Part.RESULT), Column("p99 ratio (95 %)", Part.RESULT), verdict)
        columns = (Column("arrive", Part.KEY, short="rate"), *keys, *figures, *results)
    else:
        title = "Sync and async, level by level"
        figures = (Column("operations/s", short="op/s"), *TIMES, Column("failures", short="failed"), Column("empty"))
        columns = (Column("users", Part.KEY), *keys, *figures, *recall, Column("ratio (95 %)", Part.RESULT), verdict)
    print_fitting(out, title, columns, [_rows_of(level, checked) for level in levels])


def _rows_of(level: Level, checked: bool) -> list[list[str]]:
    """A row for each mode that did anything; the comparison is in that of async."""
    rows = []
    for mode in Mode:
        if (figures := _figures(level, mode, checked)) is not None:
            dropped = [f"{level.dropped(mode):,}"] if level.is_open else []
            compared = _compared(level, level.comparison if mode is Mode.ASYNC else None)
            rows.append([level.label, level.operation, mode.value, *figures, *dropped, *compared])
    return rows


def _say_times(level: Level, found: Comparison) -> str:
    """The two times that each ratio is of."""
    told = []
    for name, ratio in (("p50", found.p50), ("p99", found.p99)):
        if ratio is not None:
            times = " and ".join(f"{_milliseconds(ratio.value(mode))} ms with {mode}" for mode in Mode)
            told.append(f"{name} {times}, ratio {ratio.estimate:.2f}")
    return f"{one_line(level.operation, LONGEST_NAME)} at {level.label}: {'; '.join(told)}."


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


def _compared(level: Level, found: Comparison | None) -> list[str]:
    """The ratios with the interval of the one that decides, and the verdict."""
    if found is None:
        return [""] * (3 if level.is_open else 2)
    if not level.is_open:
        return [_ratio(found.throughput), str(found.verdict)]
    return [f"{found.p50.estimate:.2f}" if found.p50 else "-", _ratio(found.p99), str(found.verdict)]


def _ratio(ratio: Ratio | None) -> str:
    return f"{ratio.estimate:.2f} ({ratio.low:.2f}-{ratio.high:.2f})" if ratio else "-"


def _milliseconds(seconds: float) -> str:
    return "-" if math.isnan(seconds) else f"{seconds * 1000:,.2f}"


def _print_bursts(out: Console, windows: Sequence[Window], most_empty: float) -> None:
    names = {"sync": "one after another", "threads": "threads", "async": "async gather"}
    styles = [style for style in names if any(window.phase.style == style for window in windows)]
    seconds = [Column(names[style]) for style in styles]
    keys = (Column("operation", Part.KEY, is_word=True), Column("operations", Part.KEY, short="number"))
    ends = (Column("thr. / gather", Part.RESULT), Column("failures", Part.RESULT), Column("empty", Part.RESULT))
    cells = {(w.phase.operation, w.phase.operations, w.phase.style): w for w in windows}
    rows = []
    for operation, number in dict.fromkeys((w.phase.operation, w.phase.operations) for w in windows):
        of_row = {style: cells[operation, number, style] for style in styles if (operation, number, style) in cells}
        shown = [_cell(operation, number, style, of_row.get(style)) for style in styles]
        tallies = [tally for window in of_row.values() for tally in window.tallies.values()]
        failures = sum(tally.failures for tally in tallies)
        empty = sum(tally.outcomes[Outcome.EMPTY] for tally in tallies)
        equal = not failures and all(share_empty(tally.outcomes) <= most_empty for tally in tallies)
        rows.append(
            [operation, f"{number:,}", *shown, _quotient(of_row) if equal else "-", f"{failures:,}", f"{empty:,}"]
        )
    title = "The tutorial's table: seconds for so many operations, here and (there)"
    print_fitting(out, title, (*keys, *seconds, *ends), [rows])


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
