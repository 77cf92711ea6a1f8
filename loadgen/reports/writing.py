"""Read records, render them in one of the formats, and write the report."""

import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from loadgen.reports.summary import Summary, summarize
from loadgen.results.record import read_record

STANDARD_OUTPUT = "-"


def make_report(paths: Sequence[Path], form: str) -> str:
    """The report on these records, in order. Raises RecordError, or ValueError for an impossible figure."""
    records = [read_record(path) for path in paths]
    try:
        with warnings.catch_warnings(action="ignore"):  # a library's error for figures that no run writes
            return _render([summarize(record) for record in records], form)
    except (ArithmeticError, LookupError, TypeError) as error:  # no run has written this
        shown = ", ".join(map(str, paths))
        raise ValueError(f"{shown} cannot be drawn: {type(error).__name__}: {error}") from None


def _render(summaries: Sequence[Summary], form: str) -> str:
    if form == "html":
        from loadgen.reports.html import to_html  # the plotting library takes a second to import

        return to_html(summaries)
    if form == "markdown":
        from loadgen.reports.markdown import to_markdown

        return to_markdown(summaries)
    from loadgen.reports.data_formats import to_csv, to_json

    return to_json(summaries) if form == "json" else to_csv(summaries)


def write_text(text: str, output: str) -> None:
    """Write a file atomically, or to standard output for `-`. Raises OSError."""
    if output == STANDARD_OUTPUT:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    path = Path(output)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        unfinished = Path(folder) / path.name
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
