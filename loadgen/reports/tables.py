"""The figures of a report as plain tables, for HTML, Markdown and programs."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from loadgen.measure.sample import Outcome
from loadgen.reports.summary import PERCENTS, Summary, SummaryRow
from loadgen.results.bursts import Burst
from loadgen.results.comparison import name_winner
from loadgen.results.estimates import Interval
from loadgen.results.figures import load_level
from loadgen.results.record import Comparison, PhaseRecord, Ratio, RunRecord, VariantRecord
from loadgen.results.verdict.comparing import pair_of
from loadgen.results.verdict.phrases import NONE, name_pairs, show_estimate, show_rate, show_seconds
from loadgen.text.listing import count_of

Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, a head, and rows of text; the first `names` columns are words, the others numbers."""

    caption: str
    head: Cells
    rows: tuple[Cells, ...]
    names: int = 1
    note: str = ""
    """A sentence below it."""


ROWS_SHOWN = 400
HOLDERS = 2
"""Stages shown of those that held the event loop."""
SMALL_SHARE = 0.01
"""Maximum rows of a table; an even number, half from each end."""
T = TypeVar("T")


def make_table(caption: str, head: Cells, items: Iterable[T], make_row: Callable[[T], Cells], names: int = 1) -> Table:
    """A row per item; of very many the first and the last, with a note on the rest."""
    every = list(items)
    left_out, half = len(every) - ROWS_SHOWN, ROWS_SHOWN // 2
    if left_out <= 0:
        return Table(caption, head, tuple(map(make_row, every)), names)
    where = "The run record has them, and `--format json` has every operation and variant at every load"
    note = f"{left_out:,} of {len(every):,} rows, between the first and the last {half}, are omitted. {where}."
    return Table(caption, head, tuple(map(make_row, [*every[:half], *every[-half:]])), names, note)


def milliseconds(seconds: float | None) -> str:
    """A time in ms, or a dash."""
    return NONE if seconds is None else f"{seconds * 1_000:,.2f}"


def _range(interval: Interval | None, scale: float = 1.0) -> str:
    return f"{interval.low * scale:,.1f} to {interval.high * scale:,.1f}" if interval else NONE


def level_table(summary: Summary, operation: str) -> Table:
    """Throughput, goodput if there is an objective, and response times of each variant at each level."""
    is_judged = summary.is_judged(operation)
    head = (
        "load",
        "variant",
        "operations/s",
        "95 %",
        *(("good/s", "95 % of good/s") if is_judged else ()),
        *(f"p{p:g} ms" for p in PERCENTS),
        "95 % of p99",
        "failures",
        "empty",
    )
    title = f"{operation}: throughput and response times"
    return make_table(title, head, summary.rows_of(operation), partial(_level_row, is_judged=is_judged), 2)


def _level_row(row: SummaryRow, *, is_judged: bool) -> Cells:
    result = row.estimates
    goodput = NONE if row.goodput is None else show_rate(row.goodput)
    times = (milliseconds(row.percentile(percent)) for percent in PERCENTS)
    return (
        str(row.series.level),
        row.series.variant,
        show_rate(row.throughput),
        _range(result.throughput if result else None),
        *((goodput, _range(row.good_estimate)) if is_judged else ()),
        *times,
        _range(result.p99 if result else None, 1_000),
        f"{row.series.failures:,}",
        f"{row.series.outcomes[Outcome.EMPTY]:,}",
    )


def ratio_table(summary: Summary, operation: str) -> Table:
    """Each variant to the baseline at each level, with the recall of both where it was checked."""
    compared = summary.compared(operation)
    recalls = {
        (row.series.level, row.series.variant): row.series.recall
        for row in summary.rows_of(operation)
        if row.series.recall is not None
    }

    def make_row(one: Comparison) -> Cells:
        level = load_level(one.concurrency, one.rate)
        result = [recalls.get((level, name)) for name in pair_of(one)] if recalls else []
        shown = tuple(NONE if recall is None else f"{recall:.4f}" for recall in result)
        return _ratio_row(one, shown, is_judged=is_judged)

    is_judged = any(one.goodput_ratio is not None for one in compared)
    units = {"/s": "ratio", "good/s": "ratio of good/s", "p50 ms": "ratio of p50", "p99 ms": "ratio of p99"}
    shown = {unit: name for unit, name in units.items() if is_judged or unit != "good/s"}
    figures = [(f"baseline {unit}", f"variant {unit}") for unit in shown]
    names = [f"{name} (95 %)" for name in shown.values()]
    head = [part for pair, name in zip(figures, names, strict=True) for part in (*pair, name)]
    recall = ("baseline recall", "variant recall") if recalls else ()
    about = name_pairs([pair_of(one) for one in compared]) if compared else "each variant to the baseline"
    caption = f"{operation}: {about}, each ratio with the two figures that it divides"
    return make_table(caption, ("load", "variant", *head, *recall, "verdict"), compared, make_row, 2)


def _ratio_row(one: Comparison, recalls: Cells, *, is_judged: bool) -> Cells:
    good = (_ratio_cells(one.goodput_ratio, show_rate),) if is_judged else ()
    ratios = (
        _ratio_cells(one.throughput_ratio, show_rate),
        *good,
        _ratio_cells(one.p50_ratio, milliseconds),
        _ratio_cells(one.p99_ratio, milliseconds),
    )
    level = load_level(one.concurrency, one.rate)
    figures = (cell for cells in ratios for cell in cells)
    return (str(level), one.variant, *figures, *recalls, name_winner(one.verdict, pair_of(one)))


def _ratio_cells(ratio: Ratio | None, show: Callable[[float], str]) -> Cells:
    """The two figures that it divides, and the ratio with its interval."""
    if ratio is None:
        return (NONE,) * 3
    values = (NONE if value is None else show(value) for value in (ratio.baseline_value, ratio.variant_value))
    return (*values, show_estimate(ratio))


def variant_table(summary: Summary) -> Table:
    """The variants; empty if their names are self-explanatory."""
    baseline = summary.record.manifest.baseline

    def make_row(item: tuple[str, VariantRecord | None]) -> Cells:
        name, one = item
        what = (one.mode.value, one.client, _settings(one.settings) or "none") if one else (NONE,) * 3
        return (name, *what, "yes" if name == baseline else "", summary.plot_styles[name].words)

    head = ("variant", "mode", "client", "settings that differ", "baseline", "drawn as")
    items = () if summary.is_plain else summary.variants.items()
    return make_table("Variants, in the order of a round", head, items, make_row, len(head))


def _settings(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name.replace('_', '-')} {_value(value)}" for name, value in values.items())


def outcome_table(summary: Summary) -> Table:
    """Outcomes of the operations, recall if measured, and the mean reciprocal rank where it is known."""
    total = sum((row.series.outcomes for row in summary.rows), Counter[Outcome]())
    seen = [kind for kind in Outcome if total[kind] or kind is Outcome.EMPTY]

    ranks = any(row.series.mrr is not None for row in summary.rows)

    def make_row(row: SummaryRow) -> Cells:
        outcomes = row.series.outcomes
        return (
            row.series.operation,
            str(row.series.level),
            row.series.variant,
            f"{outcomes.total():,}",
            *(f"{outcomes[kind]:,}" for kind in seen),
            f"{row.series.dropped:,}",
            _checked(row.series.recall),
            *([_checked(row.series.mrr)] if ranks else ()),
        )

    head = ("operation", "load", "variant", "operations", *(kind.value for kind in seen), "dropped", "recall")
    head = (*head, "MRR") if ranks else head
    return make_table("How the operations ended", head, summary.rows, make_row, 3)


def _checked(share: float | None) -> str:
    return NONE if share is None else f"{share:.4f}"


def burst_table(summary: Summary) -> Table:
    """Seconds for n operations, in each style."""
    styles = {"sync": "one after another s", "threads": "threads s", "async": "async gather s"}

    def make_row(burst: Burst) -> Cells:
        return (
            burst.operation,
            f"{burst.operations:,}",
            *(show_seconds(burst.seconds[style]) if style in burst.seconds else NONE for style in styles),
            NONE if burst.quotient is None else f"{burst.quotient:.2f}",
            f"{burst.failures:,}",
            f"{burst.empty:,}",
        )

    head = ("operation", "operations", *styles.values(), "threads / gather", "failures", "empty")
    return make_table("Seconds for n operations", head, summary.bursts, make_row)


def phase_table(record: RunRecord) -> Table:
    """Every phase in order, with the state of the load generator."""
    head = (
        "phase",
        "began at",
        "variant",
        "load",
        "limit",
        "seconds",
        "CPU of a core",
        "loop waits for a core",
        "loop held by",
        "loop late p99 ms",
        "hub late p99 ms",
        "arrivals late p99 ms",
        "in flight",
        "unfinished",
    )
    return make_table("Phases and the state of the load generator", head, enumerate(record.phases, 1), _phase_row, 5)


def _phase_row(numbered: tuple[int, PhaseRecord]) -> Cells:
    number, phase = numbered
    state = phase.generator
    at_limit = ["generator"] if state.saturated else []
    at_limit += ["generator not monitored"] if state.is_unwatched else []
    at_limit += [f"{count_of(phase.workers_lost, 'worker')} lost"] if phase.workers_lost else []
    return (
        str(number),
        f"{phase.started_at:%H:%M:%S}" if phase.started_at else NONE,
        phase.variant + (f" ({phase.style})" if phase.style else ""),
        str(load_level(phase.concurrency, phase.rate)),
        ", ".join(at_limit) or "no",
        f"{phase.seconds:,.2f}",
        _share(state.cpu_ratio),
        _share(state.core_wait_ratio),
        _holders(state.loop_held_ratios),
        milliseconds(state.loop_lag_p99_seconds),
        milliseconds(state.hub_lag_p99_seconds),
        milliseconds(state.pace_lag_p99_seconds),
        NONE if state.in_flight_mean is None else f"{state.in_flight_mean:,.1f}",
        f"{phase.unfinished:,}",
    )


def _holders(shares: Mapping[str, float]) -> str:
    """The stages that held the loop longest, with their shares; those below 1 % are omitted."""
    longest = sorted(shares, key=shares.__getitem__, reverse=True)[:HOLDERS]
    return ", ".join(f"{one} {_share(shares[one])}" for one in longest if shares[one] >= SMALL_SHARE) or NONE


def _share(ratio: float | None) -> str:
    return NONE if ratio is None else f"{ratio:.0%}".replace("%", " %")


def manifest_tables(record: RunRecord) -> Iterator[Table]:
    """What was measured, with what, and where."""
    result = record.manifest
    memory = NONE if result.memory_bytes is None else f"{result.memory_bytes / 2**30:.1f} GiB"
    facts = {
        "run": record.run_id,
        "began at": f"{record.started_at:%Y-%m-%d %H:%M:%S %Z}",
        "server": f"{result.server_type} {result.server_version}",
        "collection": str(result.settings.get("collection", NONE)),
        "rows before the load": f"{result.rows:,}",
        "dataset": f"{result.dataset}, fingerprint {result.fingerprint or NONE}",
        "index": _values(result.index),
        "seed": str(result.seed),
        "processes that generated load": str(result.workers),
        "processor": f"{result.cpu_model}, {result.cpu_count} cores for this process",
        "memory": memory,
        "Python": result.python,
        "command": result.command_line,
    }
    settings = {name: _value(value) for name, value in result.settings.items()}
    yield make_table("The run", ("what", "value"), facts.items(), tuple, 2)
    yield make_table("Settings", ("setting", "value"), settings.items(), tuple, 2)
    yield make_table("Packages", ("package", "version"), result.packages.items(), tuple, 2)


def _values(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return _values(value)
    if isinstance(value, list):
        return ", ".join(_value(part) for part in value)
    return "yes" if value is True else "no" if value is False else str(value)
