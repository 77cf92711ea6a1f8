"""`python -m tests.benchmarks.examples`: writes the examples of the output into README and docs.

They are rendered from records and tables of benchmarks in docs/records, or by the code that prints them in a run.
"""

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
from tests.benchmarks.kept import read_kept
from tests.benchmarks.messages import MESSAGES

HOUSE = Path(__file__).parents[2]
README = HOUSE / "README.md"
RECORDS = HOUSE / "docs" / "records"
PAGES = (README, *sorted((HOUSE / "docs").rglob("*.md")))
BLOCK = re.compile(
    r"(<!-- (output|tables|levels|verdict|findings|setup) of the record ([a-z]+) -->\n```text\n).*?(```)", re.DOTALL
)
MESSAGE = re.compile(r"( *)(<!-- message: ([a-z ]+) -->\n *```text\n).*?( *```)", re.DOTALL)
FIGURES = re.compile(r"(<!-- figures of the benchmark ([a-z-]+) -->\n)(?:\|.*\n)*")
WIDTH = 128
"""Of the lines below the tables, which a terminal would wrap."""
TABLE = (" ", "┏", "┃", "┡", "│", "├", "└")
"""How the lines of tables begin, with their titles."""
DATA = ("index_type", "metric", "consistency")
PACKAGES = ("llama-index-vector-stores-milvus", "pymilvus", "grpcio", "uvloop", "locust")


def render(page: str) -> str:
    """The page with its examples as this version prints them."""

    def write(match: "re.Match[str]") -> str:
        lines = SHOWN[match[2]](read_record(RECORDS / f"{match[3]}.json"))
        return match[1] + "".join(f"{line}\n" for line in lines) + match[4]

    def tell(match: "re.Match[str]") -> str:
        lines = [piece for line in MESSAGES[match[3]]().splitlines() for piece in _wrap_message(line)]
        return match[1] + match[2] + textwrap.indent("".join(f"{line}\n" for line in lines), match[1]) + match[4]

    def tabulate(match: "re.Match[str]") -> str:
        return match[1] + read_kept(match[2]).to_markdown()

    return FIGURES.sub(tabulate, MESSAGE.sub(tell, BLOCK.sub(write, page)))


def show(run: record.RunRecord) -> list[str]:
    """What the end of a run prints, from its record: tables, verdict, and where its files are."""
    files = [f"Run record: runs/{run.run_id}.json", f"Report: runs/{run.run_id}.html"]
    return [*_printed(run), *show_verdict(run), *files]


def show_tables(run: record.RunRecord) -> list[str]:
    """The tables alone."""
    return [line for line in _printed(run) if line.startswith(TABLE)]


def show_levels(run: record.RunRecord) -> list[str]:
    """The table of variants by level alone."""
    lines = show_tables(run)
    return lines[: lines.index(next(line for line in lines if line.startswith("└"))) + 1]


def show_findings(run: record.RunRecord) -> list[str]:
    """The verdict without its warnings."""
    return [piece for line in explain(run).lines() if not line.startswith("Warning: ") for piece in _wrap(line)]


def show_verdict(run: record.RunRecord) -> list[str]:
    """The verdict in words, with its warnings."""
    return [piece for line in explain(run).lines() for piece in _wrap(line)]


def show_setup(run: record.RunRecord) -> list[str]:
    """What was measured, with what."""
    about = run.manifest
    of = about.settings
    packages = ", ".join(f"{name} {about.packages[name]}" for name in PACKAGES if name in about.packages)
    lines = {
        "run": f"{run.run_id}, {run.started_at:%Y-%m-%d %H:%M} UTC",
        "machine": f"{about.cpu_count} cores ({about.cpu_model}), for Milvus and the load",
        "server": f"Milvus {about.server_version}",
        "client": f"{about.python}, {packages}",
        "data": f"{about.rows:,} vectors of {of['dim']} dimensions, {', '.join(map(str, (of[name] for name in DATA)))}",
        "length": f"{of['rounds']} round at each level, phases of {of['phase_seconds']:g} s",
    }
    return [piece for name, text in lines.items() for piece in _wrap(f"{name:<8} {text}")]


SHOWN = {
    "output": show,
    "tables": show_tables,
    "levels": show_levels,
    "verdict": show_verdict,
    "findings": show_findings,
    "setup": show_setup,
}
"""By the first word of the comment above a block."""


def _printed(run: record.RunRecord) -> list[str]:
    results = [_result(number, phase) for number, phase in enumerate(run.phases)]
    out = io.StringIO()
    print_tables(results, _levels(run, results), out)
    return [piece for line in _unwrap(out.getvalue()) for piece in _wrap(line)]


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


def _wrap_message(line: str) -> list[str]:
    indent = " " * 4 if line.startswith(" ") else ""
    return textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


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


def _comparisons(run: record.RunRecord, users: float, operation: str) -> dict[str, comparison.ComparisonResult]:
    return {
        one.variant: comparison.ComparisonResult(
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


def _ratio(one: record.Ratio) -> comparison.RatioEstimate | None:
    if one.estimate is None or one.low is None or one.high is None:
        return None
    return comparison.RatioEstimate(
        one.estimate, one.low, one.high, one.baseline_value or 0.0, one.variant_value or 0.0
    )


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(render(path.read_text(encoding="utf-8")), encoding="utf-8")
