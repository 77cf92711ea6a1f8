"""`loadgen report`: render run records."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadgen.text.plain_text import one_line

REFUSED = 2
FORMATS = ("html", "markdown", "json", "csv")


def add_report(commands: Any) -> None:
    """`loadgen report` and its flags, on argparse's subparsers."""
    text = "render run records as one self-contained HTML page, Markdown, JSON or CSV"
    add_flags(commands.add_parser("report", help=text, description=text))


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags, and what to call."""
    parser.add_argument(
        "records", nargs="+", type=Path, metavar="RECORD", help="a file that a run wrote: runs/<id>.json"
    )
    parser.add_argument("--format", choices=FORMATS, default="html", help="form of the report [default: %(default)s]")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="where to write, - for standard output [default: html next to the first record; other formats standard "
        "output]",
    )
    parser.set_defaults(command=report)


def report(given: argparse.Namespace) -> int:
    """Write the report: 0; 2 if a record cannot be read or the file cannot be written."""
    from loadgen.reports.writing import STANDARD_OUTPUT, make_report, write_text

    output = given.output or (_beside(given.records) if given.format == "html" else STANDARD_OUTPUT)
    try:
        if output != STANDARD_OUTPUT and _is_one_of(Path(output), given.records):
            return _refuse(f"{output} is a record: name another file with --output")
        write_text(make_report(given.records, given.format), output)
    except ValueError as error:  # a RecordError, or an invalid histogram in it
        return _refuse(str(error))
    except BrokenPipeError:  # the pager was closed
        return 0
    except OSError as error:
        return _refuse(f"{output} cannot be written ({error.strerror or error})")
    if output != STANDARD_OUTPUT:
        print(one_line(f"Report: {output}"))  # noqa: T201 - this is a command
    return 0


def _is_one_of(output: Path, records: Sequence[Path]) -> bool:
    """Whether both are the same file; False if one does not exist."""
    return any(os.path.realpath(output) == os.path.realpath(path) for path in records)


def _beside(records: Sequence[Path]) -> str:
    """The default path: next to the only record, or a separate name for several."""
    first, others = records[0], len(records) - 1
    if not first.name:  # the working folder, which is refused as a record
        return "report.html"
    return str(first.with_name(f"{first.stem}-and-{others}-more.html") if others else first.with_suffix(".html"))


def _refuse(problem: str) -> int:
    print(one_line(f"loadgen report: {problem}"), file=sys.stderr)  # noqa: T201 - this is a command
    return REFUSED


if __name__ == "__main__":  # a run renders its report like this, in a process that imports nothing else
    parser = argparse.ArgumentParser(prog="loadgen report")
    add_flags(parser)
    given = parser.parse_args()
    sys.exit(given.command(given))
