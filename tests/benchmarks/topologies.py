"""`python -m tests.benchmarks.topologies`: writes the tables of its page, PAGE, from the records."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean

from loadgen.reports.markdown import table_lines
from loadgen.reports.summary import Summary, SummaryRow, summarize
from loadgen.reports.tables import make_table, milliseconds
from loadgen.results.record import Comparison
from loadgen.results.record.writing import read_record

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "explanation" / "threads-asyncio-processes.md"
NAMES = {"1": "one-process", "2": "two-processes"}
"""By number of processes."""
BLOCK = re.compile(r"(<!-- from the records: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Summaries = Mapping[str, Summary]


def read_summaries() -> Summaries:
    """The committed records, by number of processes."""
    return {number: summarize(read_record(DOCS / "records" / f"{name}.json")) for number, name in NAMES.items()}


def render(page: str, summaries: Summaries) -> str:
    """The page with its tables as the records have them."""

    def write(match: "re.Match[str]") -> str:
        lines = "\n".join(TABLES[match[2]](summaries))
        return f"{match[1]}{lines}\n{match[3]}"

    return BLOCK.sub(write, page)


def _figures(summaries: Summaries) -> Iterator[str]:
    """A row for each topology at each number of users."""
    head = (
        "processes",
        "users",
        "with",
        "searches/s",
        "p50 ms",
        "p99 ms",
        "CPU ms a search",
        "cores used",
        "core wait",
    )
    rows = [(number, row) for number, summary in summaries.items() for row in summary.rows_of("search")]
    yield from table_lines(make_table("", head, rows, lambda item: (item[0], *_cells(item[1])), 3))


def _cells(row: SummaryRow) -> tuple[str, ...]:
    series = row.series
    cpu = series.cost.cpu_seconds
    states = [phase.generator for phase in series.phases]
    return (
        f"{series.level.value:g}",
        series.variant,
        f"{row.throughput:,.0f}",
        milliseconds(row.percentile(50)),
        milliseconds(row.percentile(99)),
        "-" if cpu is None else f"{cpu * 1_000:.2f}",
        f"{fmean(state.cores_used or 0.0 for state in states):.2f}",
        f"{100 * fmean(state.core_wait_ratio or 0.0 for state in states):.0f} %",
    )


def _ratios(summaries: Summaries) -> Iterator[str]:
    """asyncio to threads, at each number of users."""
    head = ("processes", "users", "searches/s, asyncio to threads (95 %)", "p99, asyncio to threads (95 %)", "verdict")
    rows = [(number, one) for number, summary in summaries.items() for one in summary.compared("search")]

    def make_row(item: tuple[str, Comparison]) -> tuple[str, ...]:
        number, one = item
        verdict = {"variant": one.variant, "baseline": one.baseline}.get(one.verdict, one.verdict)
        return number, f"{one.concurrency}", _ratio(one, "throughput_ratio"), _ratio(one, "p99_ratio"), verdict

    yield from table_lines(make_table("", head, rows, make_row, 2))


def _count(processes: str) -> str:
    return "1 process" if processes == "1" else f"{processes} processes"


def _ratio(one: Comparison, name: str) -> str:
    ratio = getattr(one, name)
    if ratio.estimate is None:
        return "-"
    return f"{ratio.estimate:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _processes(summaries: Summaries) -> Iterator[str]:
    """Two processes to one, where both have the same number of users."""
    one, two = (
        {(row.series.level.value, row.series.variant): row for row in summaries[number].rows_of("search")}
        for number in ("1", "2")
    )
    head = ("users", "with", "searches/s, 2 processes to 1", "p99, 2 processes to 1", "CPU a search, 2 processes to 1")

    def make_row(key: tuple[float, str]) -> tuple[str, ...]:
        few, many = one[key], two[key]
        quotients = (
            many.throughput / few.throughput,
            (many.percentile(99) or 0.0) / (few.percentile(99) or 1.0),
            (many.series.cost.cpu_seconds or 0.0) / (few.series.cost.cpu_seconds or 1.0),
        )
        return f"{key[0]:g}", key[1], *(f"{quotient:.2f}" for quotient in quotients)

    yield from table_lines(make_table("", head, [key for key in two if key in one], make_row, 2))


def _machine(summaries: Summaries) -> Iterator[str]:
    """What was measured, with what, and how busy the machine was."""
    for number, summary in summaries.items():
        record, about = summary.record, summary.record.manifest
        states = [phase.generator for phase in record.phases]
        waits = [state.core_wait_ratio or 0.0 for state in states]
        late = sum(state.saturated for state in states)
        names = ("pymilvus", "grpcio", "uvloop", "locust")
        packages = ", ".join(f"{name} {about.packages[name]}" for name in names if name in about.packages)
        yield (
            f"- {_count(number)}: run {record.run_id}, {record.started_at:%Y-%m-%d %H:%M} UTC; {about.cpu_count} cores "
            f"({about.cpu_model}) for Milvus and the load; Milvus {about.server_version}, {about.rows:,} rows of "
            f"{about.settings['dim']} dimensions; {about.python}, {packages}. {len(record.phases)} phases of "
            f"{about.settings['phase_seconds']:g} s. The event loop's thread waited for a core in "
            f"{100 * fmean(waits):.0f} % of the time ({100 * max(waits):.0f} % in the worst phase); the tool was "
            f"saturated in {late} of the phases."
        )
    rows = [one for summary in summaries.values() for one in summary.compared("search")]
    invalid = sum(one.verdict == "invalid" for one in rows)
    if invalid:
        yield (
            f"\n**{invalid} of {len(rows)} comparisons are invalid**, by the tool's own rules: the load generator was "
            "late or lacked cores, so the figures describe the machine, not threads or asyncio. `loadgen report` names "
            "the phases. Repeat the runs on a machine that does nothing else."
        )


TABLES = {"figures": _figures, "ratios": _ratios, "processes": _processes, "machine": _machine}


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8"), read_summaries()), encoding="utf-8")
