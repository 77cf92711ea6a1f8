"""`python -m tests.benchmarks.examples`: writes the README's examples of the output from records in docs/records."""

import io
import re
import textwrap
from pathlib import Path

from loadgen.measure.phase import Phase
from loadgen.measure.recall import Recalls
from loadgen.reports.console import WIDTH_WITHOUT_TERMINAL, print_tables
from loadgen.results import comparison, record
from loadgen.results.comparison_plan import ComparisonPlan
from loadgen.results.figures import load_level
from loadgen.results.levels import LevelResult
from loadgen.results.phase_result import PhaseResult
from loadgen.results.record.writing import read_record
from loadgen.results.verdict import explain

HOUSE = Path(__file__).parents[2]
README = HOUSE / "README.md"
RECORDS = HOUSE / "docs" / "records"
BLOCK = re.compile(r"(<!-- (output|tables) of the record ([a-z]+) -->\n```text\n).*?(```)", re.DOTALL)
WIDTH = 128
"""Of the lines below the tables, which a terminal would wrap."""
TABLE = (" ", "┏", "┃", "┡", "│", "├", "└")
"""How the lines of tables begin, with their titles."""


def render(page: str) -> str:
    """The page with what a run of each record prints at its end, or with the tables of it."""

    def write(match: "re.Match[str]") -> str:
        lines = show(read_record(RECORDS / f"{match[3]}.json"))
        shown = lines if match[2] == "output" else [line for line in lines if line.startswith(TABLE)]
        return match[1] + "".join(f"{line}\n" for line in shown) + match[4]

    return BLOCK.sub(write, page)


def show(run: record.RunRecord) -> list[str]:
    """What the end of a run prints, from its record: tables, verdict, and where its files are."""
    results = [_result(number, phase) for number, phase in enumerate(run.phases)]
    out = io.StringIO()
    print_tables(results, _levels(run, results), out)
    files = [f"Run record: runs/{run.run_id}.json", f"Report: runs/{run.run_id}.html"]
    lines = [*_unwrap(out.getvalue()), *explain(run).lines(), *files]
    return [piece for line in lines for piece in _wrap(line)]


def _unwrap(text: str) -> list[str]:
    """The lines of a text, with those in one piece that were too long for it."""
    lines: list[str] = []
    for line in map(str.rstrip, text.splitlines()):
        is_words = lines and not line.startswith(TABLE) and not lines[-1].startswith(TABLE)
        last = lines[-1].rpartition("\n")[2] if lines else ""
        if is_words and len(last) + len(line.split(" ")[0]) >= WIDTH_WITHOUT_TERMINAL:
            lines[-1] += f"\n{line}"
        else:
            lines.append(line)
    return [line.replace("\n", " ") for line in lines]


def _wrap(line: str) -> list[str]:
    if line.startswith(TABLE):
        return [line]
    return textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False) or [""]


def _result(number: int, phase: record.PhaseRecord) -> PhaseResult:
    parts = {part.operation: part for part in phase.operations}
    burst = next(iter(parts), "") if phase.style else ""
    planned = Phase(
        number,
        phase.mode,
        phase.concurrency or 0,
        phase.seconds,
        style=phase.style,
        operation=burst,
        operations=parts[burst].count if burst else 0,
        variant=phase.variant,
    )
    return PhaseResult(planned, phase, (), (), 1, (), Recalls(), parts, {})


def _levels(run: record.RunRecord, results: list[PhaseResult]) -> list[LevelResult]:
    timed = [one for one in results if not one.phase.operations]
    plan = ComparisonPlan(tuple(run.variant_names), run.manifest.baseline)
    levels = dict.fromkeys(load_level(one.record.concurrency, one.record.rate) for one in timed)
    return [
        LevelResult(level, operation, own, plan, _comparisons(run, level.value, operation))
        for level in levels
        if (own := tuple(one for one in timed if one.record.concurrency == level.value))
        for operation in sorted({name for one in own for name in one.parts})
    ]


def _comparisons(run: record.RunRecord, users: float, operation: str) -> dict[str, comparison.Comparison]:
    return {
        one.variant: comparison.Comparison(
            comparison.Pair(one.baseline, one.variant),
            _ratio(one.throughput_ratio),
            _ratio(one.p50_ratio),
            _ratio(one.p99_ratio),
            one.share_ahead or 0.0,
            comparison.Verdict(one.verdict),
            one.reasons,
        )
        for one in run.comparisons
        if (one.concurrency, one.operation) == (users, operation)
    }


def _ratio(one: record.Ratio) -> comparison.Ratio | None:
    if one.estimate is None or one.low is None or one.high is None:
        return None
    return comparison.Ratio(one.estimate, one.low, one.high, one.baseline_value or 0.0, one.variant_value or 0.0)


if __name__ == "__main__":
    README.write_text(render(README.read_text(encoding="utf-8")), encoding="utf-8")
