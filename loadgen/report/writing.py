"""Records read, put into one of the forms, and written."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from loadgen.record import read_record
from loadgen.report.summary import Summary, summarize

STANDARD_OUTPUT = "-"


def make_report(paths: Sequence[Path], form: str) -> str:
    """The report of these records, in their order. Raises RecordError."""
    return _render([summarize(read_record(path)) for path in paths], form)


def _render(summaries: Sequence[Summary], form: str) -> str:
    if form == "html":
        from loadgen.report.html import to_html  # the plotting library takes a second to import

        return to_html(summaries)
    if form == "markdown":
        from loadgen.report.markdown import to_markdown

        return to_markdown(summaries)
    from loadgen.report.plain import to_csv, to_json

    return to_json(summaries) if form == "json" else to_csv(summaries)


def write_text(text: str, output: str) -> None:
    """Write a file whole, or to standard output for `-`. Raises OSError."""
    if output == STANDARD_OUTPUT:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    path = Path(output)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        unfinished = Path(folder) / path.name
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
