"""The first page of a report: as much of the verdict as fits on a sheet, and the conditions of the run."""

from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.reports.summary import Summary
from loadgen.results.record import PhaseRecord, RunRecord
from loadgen.results.verdict.phrases import NONE
from loadgen.text.listing import count_of, join_some
from loadgen.text.plain_text import one_line

HEADLINES, FINDINGS, WARNINGS, CONDITION = 420, 420, 420, 200
"""Maximum characters of each part, so that all of them and a chart fit on a sheet of A4."""
LINES_AT_MOST = 4
"""Maximum lines of each part."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of text that fit on the first page, and those that follow after it."""

    shown: tuple[str, ...]
    more: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cover:
    """The words of a first page."""

    headlines: Lines
    findings: Lines
    warnings: Lines
    conditions: tuple[tuple[str, str], ...]

    @property
    def more(self) -> tuple[str, ...]:
        """What the verdict also says, after the first page."""
        return self.headlines.more + self.findings.more


def make_cover(summary: Summary) -> Cover:
    """The first page of a record."""
    reported = summary.explanation
    return Cover(
        fit(reported.headlines, HEADLINES),
        fit(reported.findings, FINDINGS),
        fit(reported.warnings, WARNINGS),
        tuple((name, one_line(text, CONDITION)) for name, text in _conditions(summary.record)),
    )


def fit(lines: Sequence[str], characters: int) -> Lines:
    """The first lines, together at most so long. A first line that is too long alone is cut, and follows in full."""
    left, shown = characters, 0
    for line in lines[:LINES_AT_MOST]:
        left -= len(line)
        if left < 0:
            break
        shown += 1
    if lines and not shown:
        return Lines((one_line(lines[0], characters),), tuple(lines))
    return Lines(tuple(lines[:shown]), tuple(lines[shown:]))


def _conditions(record: RunRecord) -> list[tuple[str, str]]:
    result = record.manifest
    memory = "" if result.memory_bytes is None else f", {result.memory_bytes / 2**30:.1f} GiB"
    dim = f" of {result.settings['dim']} dimensions" if result.settings.get("dim") else ""
    index = ", ".join(str(value) if name == "index_type" else f"{name} {value}" for name, value in result.index.items())
    packages = [name for name in ("milvus-loadgen", "locust", "pymilvus") if name in result.packages]
    processes = "1 process" if result.workers == 1 else f"{result.workers} processes"
    collection = f", collection {result.settings['collection']}" if result.settings.get("collection") else ""
    return [
        ("Server", f"{result.server_type} {result.server_version}"),
        ("Data", f"{result.rows:,} rows{dim}, {result.dataset}{collection}"),
        ("Index", index or NONE),
        ("Load", _say_load(record)),
        ("Generator", f"{processes}, {result.cpu_model}, {result.cpu_count} cores{memory}"),
        ("Versions", ", ".join(f"{name} {result.packages[name]}" for name in packages) or NONE),
    ]


def _say_load(record: RunRecord) -> str:
    timed = [phase for phase in record.phases if not phase.style]
    if not timed:
        return count_of(len(record.phases), "burst")
    users = sorted({phase.concurrency for phase in timed if phase.rate is None and phase.concurrency})
    rates = sorted({phase.rate for phase in timed if phase.rate is not None})
    shown = [f"{join_some([f'{one:,}' for one in users])} users"] if users else []
    shown += [f"{join_some([f'{one:g}' for one in rates])} arrivals per second"] if rates else []
    return f"{', '.join(shown)}; {count_of(len(timed), 'phase')}{_say_length(timed)}"


def _say_length(timed: Sequence[PhaseRecord]) -> str:
    lengths = sorted({round(phase.seconds, 1) for phase in timed})
    return f" of {lengths[0]:g} s" if len(lengths) == 1 else f" of {lengths[0]:g} to {lengths[-1]:g} s"
