"""The figures of a report as plain tables: beneath the pictures, in Markdown, and for programs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loadgen.record import Ratio, RunRecord
from loadgen.report.summary import PERCENTS, Row, Summary
from loadgen.results.estimates import Interval
from loadgen.results.series import place_of
from loadgen.sample import Outcome

Cells = tuple[str, ...]
NONE = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, a head, and rows of text; the first `names` columns are words, the others numbers."""

    caption: str
    head: Cells
    rows: tuple[Cells, ...]
    names: int = 1


def milliseconds(seconds: float | None) -> str:
    """A time in ms, or a dash."""
    return NONE if seconds is None else f"{seconds * 1_000:,.2f}"


def _range(interval: Interval | None, scale: float = 1.0) -> str:
    return f"{interval.low * scale:,.1f} to {interval.high * scale:,.1f}" if interval else NONE


def _ratio(ratio: Ratio) -> str:
    if ratio.estimate is None:
        return NONE
    if ratio.low is None or ratio.high is None:
        return f"{ratio.estimate:.2f}"
    return f"{ratio.estimate:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def level_table(summary: Summary, operation: str) -> Table:
    """Throughput and response times of each mode at each level."""
    head = ("load", "mode", "operations/s", "95 %", *(f"p{p:g} ms" for p in PERCENTS), "95 % of p99")
    return Table(
        f"{operation}: throughput and response times", head, tuple(map(_level_row, summary.rows_of(operation))), 2
    )


def _level_row(row: Row) -> Cells:
    found = row.estimates
    times = (milliseconds(row.percentile(percent)) for percent in PERCENTS)
    return (
        str(row.series.place),
        row.series.mode.value,
        f"{row.series.throughput:,.1f}",
        _range(found.throughput if found else None),
        *times,
        _range(found.p99 if found else None, 1_000),
    )


def ratio_table(summary: Summary, operation: str) -> Table:
    """Async to sync at each level."""
    rows = tuple(
        (str(place), _ratio(one.throughput_ratio), _ratio(one.p50_ratio), _ratio(one.p99_ratio), one.verdict)
        for place, one in summary.compared(operation).items()
    )
    head = ("load", "throughput (95 %)", "p50 (95 %)", "p99 (95 %)", "verdict")
    return Table(f"{operation}: async to sync", head, rows)


def outcome_table(summary: Summary) -> Table:
    """How the operations ended, and recall where it was measured."""
    seen = [kind for kind in Outcome if any(row.series.outcomes[kind] for row in summary.rows)]
    rows = tuple(
        (
            row.series.operation,
            str(row.series.place),
            row.series.mode.value,
            f"{row.series.count:,}",
            *(f"{row.series.outcomes[kind]:,}" for kind in seen),
            f"{row.series.dropped:,}",
            NONE if row.series.recall is None else f"{row.series.recall:.4f}",
        )
        for row in summary.rows
    )
    head = ("operation", "load", "mode", "operations", *(kind.value for kind in seen), "dropped", "recall")
    return Table("How the operations ended", head, rows, 3)


def burst_table(summary: Summary) -> Table:
    """Seconds for so many operations, in each style."""
    styles = {"sync": "one after another s", "threads": "threads s", "async": "async gather s"}
    rows = tuple(
        (
            burst.operation,
            f"{burst.operations:,}",
            *(f"{burst.seconds[style]:,.3f}" if style in burst.seconds else NONE for style in styles),
            NONE if burst.quotient is None else f"{burst.quotient:.2f}",
            f"{burst.failures:,}",
        )
        for burst in summary.bursts
    )
    head = ("operation", "operations", *styles.values(), "threads / gather", "failures")
    return Table("Seconds for so many operations", head, rows)


def phase_table(record: RunRecord) -> Table:
    """Every phase in its order, with the state of the load generator."""
    head = (
        "phase",
        "began at",
        "mode",
        "load",
        "seconds",
        "CPU of a core",
        "loop late p99 ms",
        "hub late p99 ms",
        "arrivals late p99 ms",
        "in flight",
        "left unfinished",
        "limit",
    )
    rows = []
    for number, phase in enumerate(record.phases, 1):
        state = phase.generator
        at_limit = ["generator"] if state.saturated else []
        at_limit += ["generator not watched"] if state.is_unwatched else []
        at_limit += [f"{phase.workers_lost} workers lost"] if phase.workers_lost else []
        rows.append(
            (
                str(number),
                f"{phase.started_at:%H:%M:%S}" if phase.started_at else NONE,
                phase.mode.value + (f" ({phase.style})" if phase.style else ""),
                str(place_of(phase.concurrency, phase.rate)),
                f"{phase.seconds:,.2f}",
                NONE if state.cpu_ratio is None else f"{state.cpu_ratio:.0%}".replace("%", " %"),
                milliseconds(state.loop_lag_p99_seconds),
                milliseconds(state.hub_lag_p99_seconds),
                milliseconds(state.pace_lag_p99_seconds),
                NONE if state.in_flight_mean is None else f"{state.in_flight_mean:,.1f}",
                f"{phase.unfinished:,}",
                ", ".join(at_limit) or "no",
            )
        )
    return Table("Phases and the state of the load generator", head, tuple(rows), 4)


def manifest_tables(record: RunRecord) -> Iterator[Table]:
    """What was measured, with what, and where."""
    found = record.manifest
    memory = NONE if found.memory_bytes is None else f"{found.memory_bytes / 2**30:.1f} GiB"
    facts = {
        "run": record.run_id,
        "began at": f"{record.started_at:%Y-%m-%d %H:%M:%S %Z}",
        "server": f"{found.server_type} {found.server_version}",
        "rows before the load": f"{found.rows:,}",
        "index": _values(found.index),
        "seed": str(found.seed),
        "processes that made load": str(found.workers),
        "processor": f"{found.cpu_model}, {found.cpu_count} cores for this process",
        "memory": memory,
        "Python": found.python,
        "command": found.command_line,
    }
    yield Table("The run", ("what", "value"), tuple(facts.items()), 2)
    settings = {name: _value(value) for name, value in found.settings.items()}
    yield Table("Settings", ("setting", "value"), tuple(settings.items()), 2)
    yield Table("Packages", ("package", "version"), tuple(found.packages.items()), 2)


def _values(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return _values(value)
    if isinstance(value, list):
        return ", ".join(_value(part) for part in value)
    return "yes" if value is True else "no" if value is False else str(value)


def all_tables(summary: Summary) -> list[Table]:
    """Every table that has rows, in the order of a report."""
    tables = [
        table for name in summary.operations for table in (level_table(summary, name), ratio_table(summary, name))
    ]
    tables += [burst_table(summary), outcome_table(summary), phase_table(summary.record)]
    return [table for table in [*tables, *manifest_tables(summary.record)] if table.rows]
