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
from loadgen.results.regressions import Finding, Word, find_regressions
from loadgen.results.verdict.phrases import NONE, SENTENCES, first_of, show_estimate, show_rate
from loadgen.text.plain_text import escape_json, new_console, one_line

WIDTH = 132
LONGEST_VERDICT = 20_000
"""Characters of a line that lists regressions."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed between two runs, and what came of it."""

    old: RunRecord
    new: RunRecord
    tolerance: float
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]

    def having(self, word: Word) -> list[Finding]:
        """The findings with this word."""
        return [finding for finding in self.findings if finding.word is word]

    @property
    def is_judged(self) -> bool:
        """True where at least one figure of speed counts."""
        return any(finding.ratio and finding.word is not Word.INVALID for finding in self.findings)


def find_difference(old: RunRecord, new: RunRecord, tolerance: float) -> Difference:
    """Compare two records that are comparable."""
    changes = tuple(find_changes(old, new))
    return Difference(old, new, tolerance, changes, tuple(find_regressions(old, new, tolerance)))


def verdict_lines(found: Difference) -> list[str]:
    """The verdict in words, most important first."""
    share = f"{100 * found.tolerance:g} %"
    worse, better = found.having(Word.REGRESSION), found.having(Word.IMPROVEMENT)
    invalid = found.having(Word.INVALID)
    if not found.is_judged:
        lines = ["No verdict: no figure of speed can be compared."]
    elif worse:
        noun = "regression" if len(worse) == 1 else "regressions"
        lines = [f"{len(worse)} {noun} beyond {share}: {_say_some(worse)}."]
    else:
        lines = [f"No regression beyond {share} was shown."]
    if better:
        noun = "improvement" if len(better) == 1 else "improvements"
        lines.append(f"{len(better)} {noun} beyond {share}: {_say_some(better)}.")
    reasons = dict.fromkeys(f"Invalid: {_place(finding)}: {finding.reason}." for finding in invalid)
    lines += first_of(reasons, "like these: `--format json` has them all.")
    return lines + _missing(found)


def _missing(found: Difference) -> list[str]:
    """How large a change could have stayed unseen."""
    ends = [f.ratio.high / f.ratio.estimate for f in found.findings if f.ratio and f.word is not Word.INVALID]
    if not ends:
        return []
    text = f"A change smaller than {100 * (max(ends) - 1):.0f} % may have stayed unseen in the least certain figure"
    return [f"{text}; more --rounds see more."]


def _say_some(findings: Sequence[Finding]) -> str:
    """The first of them, and how many more there are: the table has all that fit."""
    told = [_say(finding) for finding in findings[:SENTENCES]]
    return "; ".join(told + ([f"and {len(findings) - SENTENCES:,} more"] if len(findings) > SENTENCES else []))


def _say(finding: Finding) -> str:
    where = f"{_place(finding)} {finding.figure}"
    if finding.ratio is None:
        return f"{where} {_value(finding, finding.old)} -> {_value(finding, finding.new)}"
    return f"{where} {show_estimate(finding.ratio)}"


def _place(finding: Finding) -> str:
    series = finding.series
    return f"{series.operation} {series.variant} at {series.level}"


def _value(finding: Finding, value: float | None) -> str:
    if value is None:
        return NONE
    if finding.figure in ("p50", "p99"):
        return f"{milliseconds(value)} ms"
    if finding.figure == "throughput":
        return f"{show_rate(value)}/s"
    return f"{100 * value:.2f} %" if finding.figure == "failures" else f"{value:.4f}"


def figure_table(found: Difference) -> Table:
    """A row for each figure."""
    head = ("operation", "variant", "load", "figure", "OLD", "NEW", "NEW / OLD", "verdict")
    return make_table("NEW to OLD; the intervals hold all together with 95 %", head, found.findings, _figure_row, 4)


def _figure_row(f: Finding) -> tuple[str, ...]:
    return (
        f.series.operation, f.series.variant, str(f.series.level), f.figure, _value(f, f.old), _value(f, f.new),
        show_estimate(f.ratio), f.word.value,
    )  # fmt: skip


def _heads(found: Difference) -> list[str]:
    return [
        f"{name}: {record.run_id}, {record.started_at:%Y-%m-%d %H:%M %Z}, {record.manifest.server_type} "
        f"{record.manifest.server_version}"
        for name, record in (("OLD", found.old), ("NEW", found.new))
    ]


def _changed(changes: Sequence[Change]) -> list[str]:
    return [str(change) for change in changes] or ["nothing: what differs is chance, or is not in a record"]


def to_text(found: Difference) -> str:
    """For a terminal or a log."""
    out = StringIO()
    console = new_console(out, WIDTH, soft_wrap=True)
    for line in [*_heads(found), "What changed:", *(f"  {line}" for line in _changed(found.changes))]:
        console.print(one_line(line))
    table = figure_table(found)
    shown = RichTable(title=table.caption)
    for column, name in enumerate(table.head):
        shown.add_column(name, justify="left" if column < table.names else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*map(one_line, row))
    console.print(shown)
    if table.note:
        console.print(table.note)
    for line in verdict_lines(found):
        console.print(one_line(line, LONGEST_VERDICT))
    return out.getvalue()


def to_markdown(found: Difference) -> str:
    """For a comment on a change."""
    lines = ["# NEW against OLD", "", *(f"**{escape(line)}**\n" for line in verdict_lines(found))]
    lines += [f"- {escape(line)}" for line in _heads(found)]
    lines += ["", "## What changed", "", *(f"- {escape(line)}" for line in _changed(found.changes)), ""]
    table = figure_table(found)
    return "\n".join([*lines, f"## {table.caption}", "", *table_lines(table)]) + "\n"


def to_json(found: Difference) -> str:
    """For programs; times in seconds."""
    clients = {one.name: one.client for one in found.new.manifest.variants}
    values: dict[str, Any] = {
        "old": found.old.run_id,
        "new": found.new.run_id,
        "tolerance": found.tolerance,
        "regressions": len(found.having(Word.REGRESSION)),
        "verdict": verdict_lines(found),
        "changes": [asdict(change) for change in found.changes],
        "findings": [_finding(finding, clients) for finding in found.findings],
    }
    return escape_json(json.dumps(values, indent=1, ensure_ascii=False)) + "\n"


def _finding(finding: Finding, clients: Mapping[str, str]) -> dict[str, Any]:
    """Plain values; `clients` are the layers that the variants of NEW called."""
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
        "verdict": finding.word.value,
        "reason": finding.reason,
    }
