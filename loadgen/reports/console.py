"""The tables printed at the end of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO, TypeVar

from rich.console import Console

from loadgen.measure.sample import EMPTY_AT_MOST, Outcome, count_failures, share_empty
from loadgen.reports.console_faults import print_faults
from loadgen.reports.console_scaling import print_scaling
from loadgen.reports.console_stages import print_stages
from loadgen.reports.cost import COST_HEAD, COST_TITLE, cost_cells
from loadgen.results.comparison import ComparisonResult
from loadgen.results.figures import per_second
from loadgen.results.levels import LevelResult
from loadgen.results.phase_result import PhaseResult
from loadgen.results.record import PhaseRecord
from loadgen.results.requirements import CHECKED
from loadgen.results.series import Series, percentile
from loadgen.results.verdict.phrases import name_pairs, show_estimate, show_rate, show_seconds
from loadgen.text.fitting import LONGEST_NAME, Column, ColumnRole, print_fitting
from loadgen.text.plain_text import new_console, one_line

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
"""Figures printed by the Milvus tutorial "RAG with LlamaIndex and the Milvus async API", on its own machine."""
WIDTH_WITHOUT_TERMINAL = 160
SHOWN_AT_MOST = 60
"""Maximum levels of an operation, or bursts; beyond that, the first and the last half of these."""
TIMES = (Column("p50 ms"), Column("p95 ms"), Column("p99 ms"))
TYPICAL = "a typical phase of each variant (geometric mean, steady drift removed)"
ALONE_KEY = "Percentiles are of answered operations and timeouts."
CLOSED_KEY = (
    f"{ALONE_KEY} Ratio: operations/s {{about}}, 95 % interval. "
    f"Operations/s next to a ratio are the two figures that it divides: {TYPICAL}."
)
OPEN_KEY = (
    "Response times, from when an operation was due, of answered operations and timeouts. Ratios: {about}, below 1 "
    "{side} is faster; the 95 % interval of p99 decides. Dropped: arrivals that got no concurrency slot. "
    f"Percentiles are of all operations, ratios of {TYPICAL}; the figures that they divide are below."
)
GOOD_KEY = "Good/s: operations per second that were answered and met --objective{same}."
OPEN_ALONE_KEY = (
    "Response times, from when an operation was due, of answered operations and timeouts. Dropped: arrivals that got "
    "no concurrency slot."
)


def print_tables(
    results: Sequence[PhaseResult], levels: Sequence[LevelResult], file: TextIO, most_empty: float = EMPTY_AT_MOST
) -> None:
    """Print the results of a run: its levels, then its bursts; nothing if nothing was counted.

    Bursts with a share of empty answers above `most_empty` are not compared.
    """
    out = new_console(file, None if file.isatty() else WIDTH_WITHOUT_TERMINAL)
    bursts = [result for result in results if result.phase.operations and result.record.operations]
    if levels:
        shown = _ends_of(levels)
        compared = [one for level in shown for one in level.comparisons.values()]
        about = one_line(name_pairs([one.pair for one in compared])) if compared else ""
        _print_levels(out, shown, about)
        print_stages(out, shown)
        _print_items(out, shown)
        _tell_of_rest(out, len(levels) - len(shown), "levels")
        _explain(out, shown, about)
        if any(level.is_judged for level in shown):
            out.print(GOOD_KEY.format(same=", of the same typical phase" if compared else ""))
        _print_costs(out, shown)
        print_scaling(out, results)
    if bursts:
        kinds = list(dict.fromkeys((burst.phase.operation, burst.phase.operations) for burst in bursts))
        kept = set(_ends_of(kinds))
        _print_bursts(out, [b for b in bursts if (b.phase.operation, b.phase.operations) in kept], most_empty)
        _tell_of_rest(out, len(kinds) - len(kept), "bursts")
        out.print(
            "The tutorial compares the columns 'one after another' and 'async gather': 1 in flight with all in flight. "
            "The like-for-like comparison is 'async gather' with 'threads', at most 64 in flight."
        )
    print_faults(out, results)
    if any(result.record.task_errors for result in results):
        _print_errors(out, results)


def _explain(out: Console, levels: Sequence[LevelResult], about: str) -> None:
    """Explains the columns, and in the open model the times that ratios divide; `about` names what ratios compare."""
    is_open = levels[0].level.is_open
    if not about:
        out.print(OPEN_ALONE_KEY if is_open else ALONE_KEY)
        return
    compared = [(level, one) for level in levels for one in level.comparisons.values()]
    names = {one.pair.variant for _, one in compared}
    if is_open:
        side = one_line(names.pop(), LONGEST_NAME) if len(names) == 1 else "the variant"
        out.print(OPEN_KEY.format(about=about, side=side))
    else:
        out.print(CLOSED_KEY.format(about=about if len(names) == 1 else f"of {about}"))
    for level, one in compared if is_open else ():
        if one.p99:
            out.print(_say_times(level, one))


def _print_errors(out: Console, results: Sequence[PhaseResult]) -> None:
    """Task exceptions during the phases."""
    words = (Column("variant", is_word=True), Column("exception", is_word=True), Column("raised at", is_word=True))
    rows = [
        [str(result.number), part.variant, part.error, part.place, f"{part.count:,}"]
        for result in results
        for part in result.record.task_errors
    ]
    title = "Exceptions in tasks"
    print_fitting(out, (title, title), (Column("phase", ColumnRole.KEY), *words, Column("times")), [rows])


def _ends_of(items: Sequence[T]) -> Sequence[T]:
    """All rows, or of many the first and the last."""
    half = SHOWN_AT_MOST // 2
    return items if len(items) <= SHOWN_AT_MOST else [*items[:half], *items[-half:]]


def _tell_of_rest(out: Console, number: int, name: str) -> None:
    if number:
        out.print(f"{number:,} {name} between them are omitted; the run record and its report have all.")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured of any level, and so has a column."""

    checked: tuple[str, ...]
    """Of recall and MRR."""
    goodput: bool


def _print_items(out: Console, levels: Sequence[LevelResult]) -> None:
    """What the operations processed besides rows, per second, if they report any; a table for each operation."""
    for operation in dict.fromkeys(level.operation for level in levels):
        own = [level for level in levels if level.operation == operation]
        every = [series for level in own for name in level.variants if (series := level.series(name)) is not None]
        names = sorted({name for series in every for name in series.items})
        if names:
            rows = [
                [series.level.short, operation, series.variant]
                + [show_rate(per_second(series.items[name], series.seconds)) for name in names]
                for series in every
            ]
            load = Column("arrive" if own[0].level.is_open else "users", ColumnRole.KEY)
            words = (Column(word, ColumnRole.KEY, is_word=True) for word in ("operation", "variant"))
            title = f"What {operation} processed, all rounds together"
            print_fitting(out, (title, title), (load, *words, *(Column(f"{name}/s") for name in names)), [rows])


def _print_levels(out: Console, levels: Sequence[LevelResult], about: str) -> None:
    """The figures and comparisons of every variant at each level; `about` names what ratios compare."""
    every = [series for level in levels for name in level.variants if (series := level.series(name)) is not None]
    checked = tuple(name for name in CHECKED if any(getattr(series, name) is not None for series in every))
    seen = Seen(checked, any(level.is_judged for level in levels))
    recall = tuple(Column(name.upper() if name == "mrr" else name) for name in checked)
    operation = Column("operation", ColumnRole.KEY, short="op", is_word=True)
    keys = (operation, Column("variant", ColumnRole.KEY, is_word=True))
    good = (Column("good/s"),) if seen.goodput else ()
    verdict = Column("verdict", ColumnRole.RESULT, is_word=True)
    results: tuple[Column, ...]
    if levels[0].level.is_open:
        title = "Variants, arrivals on a schedule"
        figures = (Column("done/s"), *good, *TIMES, Column("failed", short="fail"), Column("empty"), *recall)
        figures = (*figures, Column("dropped", short="drop"))
        results = (Column("p50 ratio", ColumnRole.RESULT), Column("p99 ratio (95 %)", ColumnRole.RESULT), verdict)
        columns = (Column("arrive", ColumnRole.KEY, short="rate"), *keys, *figures)
    else:
        title = "Variants, level by level"
        figures = (Column("operations/s", short="op/s"), *good, *TIMES)
        figures = (*figures, Column("failures", short="failed"), Column("empty"))
        results = (Column("ratio (95 %)", ColumnRole.RESULT), verdict)
        columns = (Column("users", ColumnRole.KEY), *keys, *figures, *recall)
    shown = (*columns, *results) if about else columns
    print_fitting(out, (title, about), shown, [_rows_of(level, seen, bool(about)) for level in levels])


def _print_costs(out: Console, levels: Sequence[LevelResult]) -> None:
    """What an operation of any kind costs the load generator, by level and variant; nothing where it is unknown."""
    result = {(level.level, name): level.series(name) for level in levels for name in level.variants}
    rows = [
        [level.short, name, *cost_cells(series.cost)[1:]]
        for (level, name), series in result.items()
        if series is not None and series.cost.cpu_seconds is not None
    ]
    if rows:
        keys = (Column("load", ColumnRole.KEY), Column("variant", ColumnRole.KEY, is_word=True))
        print_fitting(out, (COST_TITLE, COST_TITLE), (*keys, *map(Column, COST_HEAD[1:])), [rows])


def _rows_of(level: LevelResult, seen: Seen, is_compared: bool) -> list[list[str]]:
    """A row per variant with operations; a comparison is in the variant's row, not the baseline's."""
    rows = []
    for name in level.variants:
        if (series := level.series(name)) is not None:
            dropped = [f"{series.dropped:,}"] if series.level.is_open else []
            compared = _compared(level, level.comparisons.get(name)) if is_compared else []
            figures = _figures(level, series, seen)
            rows.append([level.level.short, level.operation, name, *figures, *dropped, *compared])
    return rows


def _say_times(level: LevelResult, comparison: ComparisonResult) -> str:
    """The two times that each ratio divides."""
    reported = []
    for figure, ratio in (("p50", comparison.p50), ("p99", comparison.p99)):
        if ratio is not None:
            sides = zip(comparison.pair, (ratio.baseline_value, ratio.variant_value), strict=True)
            times = " and ".join(
                f"{_milliseconds(value)} ms with {one_line(name, LONGEST_NAME)}" for name, value in sides
            )
            reported.append(f"{figure} {times}, ratio {ratio.estimate:.2f}")
    return f"{one_line(level.operation, LONGEST_NAME)} at {level.level.short}: {'; '.join(reported)}."


def _figures(level: LevelResult, series: Series, seen: Seen) -> list[str]:
    """Throughput, percentiles of response time, failures and, where they were measured, goodput, recall and MRR."""
    histogram = series.times()
    times = [_milliseconds(percentile(histogram, percent)) for percent in (50, 95, 99)]
    rate = series.throughput if series.level.is_open else level.shown_throughput(series.variant)
    good = level.shown_goodput(series.variant) if seen.goodput else None
    goodput = ["-" if good is None else show_rate(good)] if seen.goodput else []
    figures = [show_rate(rate), *goodput, *times, f"{series.failures:,}", f"{series.outcomes[Outcome.EMPTY]:,}"]
    known = [getattr(series, name) for name in seen.checked]
    return figures + ["-" if value is None else f"{value:.3f}" for value in known]


def _compared(level: LevelResult, comparison: ComparisonResult | None) -> list[str]:
    """The ratios, the interval of the deciding one, and the winner."""
    if comparison is None:
        return [""] * (3 if level.level.is_open else 2)
    if not level.level.is_open:
        return [show_estimate(comparison.throughput, narrow=True), comparison.winner]
    return [
        f"{comparison.p50.estimate:.2f}" if comparison.p50 else "-",
        show_estimate(comparison.p99, narrow=True),
        comparison.winner,
    ]


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:,.2f}"


def _print_bursts(out: Console, bursts: Sequence[PhaseResult], most_empty: float) -> None:
    names = {"sync": "one after another", "threads": "threads", "async": "async gather"}
    styles = [style for style in names if any(burst.phase.style == style for burst in bursts)]
    seconds = [Column(names[style]) for style in styles]
    keys = (Column("operation", ColumnRole.KEY, is_word=True), Column("operations", ColumnRole.KEY, short="number"))
    ends = tuple(Column(name, ColumnRole.RESULT) for name in ("thr. / gather", "failures", "empty"))
    cells = {(b.phase.operation, b.phase.operations, b.phase.style): b.record for b in bursts}
    rows = []
    for operation, number in dict.fromkeys((b.phase.operation, b.phase.operations) for b in bursts):
        of_row = {style: cells[operation, number, style] for style in styles if (operation, number, style) in cells}
        shown = [_cell(operation, number, style, of_row.get(style)) for style in styles]
        parts = [part for record in of_row.values() for part in record.operations]
        failures = sum(count_failures(part.totals) for part in parts)
        empty = sum(part.outcomes.get(Outcome.EMPTY, 0) for part in parts)
        equal = not failures and all(share_empty(part.outcomes) <= most_empty for part in parts)
        rows.append(
            [operation, f"{number:,}", *shown, _quotient(of_row) if equal else "-", f"{failures:,}", f"{empty:,}"]
        )
    title = "The tutorial's table: seconds for n operations, here and (in the tutorial)"
    print_fitting(out, (title, "threads to gather"), (*keys, *seconds, *ends), [rows])


def _cell(operation: str, number: int, style: str, record: PhaseRecord | None) -> str:
    if record is None:
        return "-"
    there = SEED_SECONDS.get((operation, style, number))
    seed = f" ({there:,.2f})" if there is not None else ""
    return f"{show_seconds(record.seconds)}{seed}"


def _quotient(of_row: dict[str, PhaseRecord]) -> str:
    """The speedup of `gather` over threads: seconds of threads divided by seconds of gather."""
    if "threads" not in of_row or "async" not in of_row or not of_row["async"].seconds:
        return "-"
    return f"{of_row['threads'].seconds / of_row['async'].seconds:.2f}"
