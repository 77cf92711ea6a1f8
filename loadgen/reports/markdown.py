"""A report as Markdown, for an issue, a wiki or a terminal."""

import re
from collections.abc import Iterator, Sequence

from loadgen.reports.cost import cost_table
from loadgen.reports.fault_tables import command_table, fault_check_table, fault_table
from loadgen.reports.items import item_table
from loadgen.reports.methods import METHODS
from loadgen.reports.rates import finding_table, step_table
from loadgen.reports.scaling import scaling_table
from loadgen.reports.server_work import server_table
from loadgen.reports.stages import stage_rows, stage_table
from loadgen.reports.summary import Summary
from loadgen.reports.sweeps import sweep_table
from loadgen.reports.tables import (
    Table,
    burst_table,
    level_table,
    manifest_tables,
    outcome_table,
    phase_table,
    ratio_table,
    variant_table,
)
from loadgen.reports.token_times import token_tables
from loadgen.reports.traces import trace_table
from loadgen.reports.work import goodput_table
from loadgen.results.scaling import say_law
from loadgen.text.plain_text import one_line

LONGEST = 20_000
"""Maximum characters of one text; a warning may name many phases."""
SPECIAL = re.compile(r"([\\`*_\[\]<>|&~$])")
FIRST = re.compile(r"^(?:([#+=-])(?=.)|(\d+)(?=[.)](?:\s|$)))")
"""Matches the start of a heading, a rule or a list."""


def to_markdown(summaries: Sequence[Summary]) -> str:
    """Verdict first, then every table, then how it was measured."""
    lines = [line for summary in summaries for line in _run(summary)]
    lines += [
        "## How each figure was measured",
        "",
        *(f"- **{escape(term)}**: {escape(text)}" for term, text in METHODS),
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Plain text as one line of Markdown, without unprintable characters."""
    return FIRST.sub(_escape_first, SPECIAL.sub(r"\\\1", one_line(text, LONGEST)))


def _escape_first(match: re.Match[str]) -> str:
    return f"\\{match[1]}" if match[1] else f"{match[2]}\\"


def _run(summary: Summary) -> Iterator[str]:
    reported = summary.explanation
    yield from (f"# {escape(summary.question)} Run {escape(summary.record.run_id)}", "")
    for line in reported.headlines:
        yield from (f"**{escape(line)}**", "")
    for line in reported.findings:
        yield from (escape(line), "")
    for line in reported.warnings:
        yield f"- Warning: {escape(line)}"
    if reported.warnings:
        yield ""
    for one in summary.record.scaling:
        yield from (escape(say_law(one)), "")
    for table in all_tables(summary):
        yield from (f"## {escape(table.caption)}", "", *table_lines(table), "")


def all_tables(summary: Summary) -> list[Table]:
    """Every table that has rows, in the order of a report."""
    search = summary.record.rate_search
    tables = [variant_table(summary), finding_table(search), step_table(search)]
    for name in summary.operations:
        tables += [level_table(summary, name), ratio_table(summary, name), stage_table(name, stage_rows(summary, name))]
        tables += [*token_tables(summary, name), goodput_table(summary, name), item_table(summary, name)]
    tables += [
        scaling_table(summary),
        sweep_table(summary),
        burst_table(summary),
        outcome_table(summary),
        *(fault_table(summary), fault_check_table(summary), command_table(summary)),
        cost_table(summary),
        server_table(summary),
        trace_table(summary.record),
        phase_table(summary.record),
    ]
    return [table for table in [*tables, *manifest_tables(summary.record)] if table.rows]


def table_lines(table: Table) -> Iterator[str]:
    """The lines of a table, words left-aligned and numbers right-aligned."""
    yield _line(table.head)
    yield _line(tuple("---" if column < table.names else "---:" for column in range(len(table.head))), plain=True)
    for row in table.rows:
        yield _line(row)
    if table.note:
        yield from ("", escape(table.note))


def _line(cells: Sequence[str], *, plain: bool = False) -> str:
    return f"| {' | '.join(cells if plain else map(escape, cells))} |"
