"""Two records side by side, as text, Markdown or JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from typing import Any

from rich.table import Table as RichTable

from loadgen.reports.markdown import escape, table_lines
from loadgen.reports.tables import Table, make_table, milliseconds
from loadgen.results.changes import Change, find_changes
from loadgen.results.record import RunRecord
from loadgen.results.regressions import RegressionFinding, RegressionVerdict, find_regressions
from loadgen.results.verdict.phrases import NONE, SENTENCES, first_of, show_estimate, show_rate
from loadgen.text.listing import count_of
from loadgen.text.plain_text import escape_json, new_console, one_line

WIDTH = 132
LONGEST_VERDICT = 20_000
"""Characters of a line that lists regressions."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed between two runs, and the effect on their figures."""

    old: RunRecord
    new: RunRecord
    tolerance: float
    changes: tuple[Change, ...]
    findings: tuple[RegressionFinding, ...]

    def having(self, verdict: RegressionVerdict) -> list[RegressionFinding]:
        """The findings with this verdict."""
        return [finding for finding in self.findings if finding.verdict is verdict]

    @property
    def is_judged(self) -> bool:
        """True if at least one performance figure is comparable."""
        return any(finding.ratio and finding.verdict is not RegressionVerdict.INVALID for finding in self.findings)


def find_difference(old: RunRecord, new: RunRecord, tolerance: float) -> Difference:
    """Compare two records that are comparable."""
    changes = tuple(find_changes(old, new))
    return Difference(old, new, tolerance, changes, tuple(find_regressions(old, new, tolerance)))


def verdict_lines(difference: Difference) -> list[str]:
    """The verdict in words, most important first."""
    share = f"{100 * difference.tolerance:g} %"
    worse, better = difference.having(RegressionVerdict.REGRESSION), difference.having(RegressionVerdict.IMPROVEMENT)
    invalid = difference.having(RegressionVerdict.INVALID)
    if not difference.is_judged:
        lines = ["No verdict: no performance figure is comparable."]
    elif worse:
        lines = [f"{count_of(len(worse), 'regression')} beyond {share}: {_say_some(worse)}."]
    else:
        lines = [f"No significant regression beyond {share}."]
    if better:
        lines.append(f"{count_of(len(better), 'improvement')} beyond {share}: {_say_some(better)}.")
    reasons = dict.fromkeys(f"Invalid: {_place(finding)}: {finding.reason}." for finding in invalid)
    lines += first_of(reasons, "like these: `--format json` has them all.")
    return lines + _undetected(difference)


def _undetected(difference: Difference) -> list[str]:
    """The smallest change that this comparison could detect."""
    ends = [
        f.ratio.high / f.ratio.estimate
        for f in difference.findings
        if f.ratio and f.verdict is not RegressionVerdict.INVALID
    ]
    if not ends:
        return []
    text = f"A change smaller than {100 * (max(ends) - 1):.0f} % may be undetected in the least certain figure"
    return [f"{text}; more --rounds detect smaller changes."]


def _say_some(findings: Sequence[RegressionFinding]) -> str:
    """The first findings, and the number omitted: the table has more."""
    reported = [_say(finding) for finding in findings[:SENTENCES]]
    return "; ".join(reported + ([f"and {len(findings) - SENTENCES:,} more"] if len(findings) > SENTENCES else []))


def _say(finding: RegressionFinding) -> str:
    where = f"{_place(finding)} {finding.figure}"
    if finding.ratio is None:
        return f"{where} {_value(finding, finding.old)} -> {_value(finding, finding.new)}"
    return f"{where} {show_estimate(finding.ratio)}"


def _place(finding: RegressionFinding) -> str:
    series = finding.series
    return f"{series.operation} {series.variant} at {series.level}"


def _value(finding: RegressionFinding, value: float | None) -> str:
    if value is None:
        return NONE
    if finding.figure in ("p50", "p99"):
        return f"{milliseconds(value)} ms"
    if finding.figure in ("throughput", "goodput"):
        return f"{show_rate(value)}/s"
    return f"{100 * value:.2f} %" if finding.figure == "failures" else f"{value:.4f}"


def figure_table(difference: Difference) -> Table:
    """A row for each figure."""
    head = ("operation", "variant", "load", "figure", "OLD", "NEW", "NEW / OLD", "verdict")
    return make_table("NEW to OLD; simultaneous 95 % intervals", head, difference.findings, _figure_row, 4)


def _figure_row(f: RegressionFinding) -> tuple[str, ...]:
    return (
        f.series.operation, f.series.variant, str(f.series.level), f.figure, _value(f, f.old), _value(f, f.new),
        show_estimate(f.ratio), f.verdict.value,
    )  # fmt: skip


def _heads(difference: Difference) -> list[str]:
    return [
        f"{name}: {record.run_id}, {record.started_at:%Y-%m-%d %H:%M %Z}, {record.manifest.server_type} "
        f"{record.manifest.server_version}"
        for name, record in (("OLD", difference.old), ("NEW", difference.new))
    ]


def _changed(changes: Sequence[Change]) -> list[str]:
    return [str(change) for change in changes] or ["nothing recorded: differences are chance, or have other causes"]


def to_text(difference: Difference) -> str:
    """As text, for a terminal or a log."""
    out = StringIO()
    console = new_console(out, WIDTH, soft_wrap=True)
    for line in [*_heads(difference), "What changed:", *(f"  {line}" for line in _changed(difference.changes))]:
        console.print(one_line(line))
    table = figure_table(difference)
    shown = RichTable(title=table.caption)
    for column, name in enumerate(table.head):
        shown.add_column(name, justify="left" if column < table.names else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*map(one_line, row))
    console.print(shown)
    if table.note:
        console.print(table.note)
    for line in verdict_lines(difference):
        console.print(one_line(line, LONGEST_VERDICT))
    return out.getvalue()


def to_markdown(difference: Difference) -> str:
    """As Markdown, for a review comment."""
    lines = ["# NEW against OLD", "", *(f"**{escape(line)}**\n" for line in verdict_lines(difference))]
    lines += [f"- {escape(line)}" for line in _heads(difference)]
    lines += ["", "## What changed", "", *(f"- {escape(line)}" for line in _changed(difference.changes)), ""]
    table = figure_table(difference)
    return "\n".join([*lines, f"## {table.caption}", "", *table_lines(table)]) + "\n"


def to_json(difference: Difference) -> str:
    """As JSON, times in seconds."""
    clients = {one.name: one.client for one in difference.new.manifest.variants}
    values: dict[str, Any] = {
        "old": difference.old.run_id,
        "new": difference.new.run_id,
        "tolerance": difference.tolerance,
        "regressions": len(difference.having(RegressionVerdict.REGRESSION)),
        "verdict": verdict_lines(difference),
        "changes": [asdict(change) for change in difference.changes],
        "findings": [_finding(finding, clients) for finding in difference.findings],
    }
    return escape_json(json.dumps(values, indent=1, ensure_ascii=False)) + "\n"


def _finding(finding: RegressionFinding, clients: Mapping[str, str]) -> dict[str, Any]:
    """Plain values; `clients` are the client layers of NEW's variants."""
    level = finding.series.level
    return {
        "operation": finding.series.operation,
        "variant": finding.series.variant,
        "mode": finding.series.phases[0].mode.value,
        "client": clients.get(finding.series.variant),
        "concurrency": None if level.is_open else int(level.value),
        "rate": level.value if level.is_open else None,
        "figure": finding.figure,
        "old": finding.old,
        "new": finding.new,
        "ratio": asdict(finding.ratio) if finding.ratio else None,
        "verdict": finding.verdict.value,
        "reason": finding.reason,
    }
