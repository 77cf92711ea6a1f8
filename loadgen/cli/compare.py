"""`loadgen compare OLD NEW`: report regressions, also by exit code."""

import argparse
import re
import sys
import warnings
from pathlib import Path
from typing import Any

from loadgen.text.plain_text import one_line

SAME, WORSE, REFUSED = 0, 1, 2
FORMATS = ("text", "json", "markdown")
SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def add_compare(commands: Any) -> None:
    """`loadgen compare` and its flags, on argparse's subparsers."""
    text = "compare two run records, and fail if the new one is worse"
    codes = "Exit code 0: no regression, 1: worse beyond the tolerance, 2: not comparable"
    parser = commands.add_parser("compare", help=text, description=f"{text}. {codes}")
    parser.add_argument("old", type=Path, metavar="OLD", help="the record before the change")
    parser.add_argument("new", type=Path, metavar="NEW", help="the record after the change")
    parser.add_argument(
        "--tolerance",
        type=_share,
        default="5%",
        metavar="SHARE",
        help="tolerated change for the worse [default: %(default)s]",
    )
    parser.add_argument(
        "--changed",
        action="append",
        default=[],
        metavar="SETTING",
        help="a setting of the data or the operations that differs on purpose, such as rows; repeatable",
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="form of the output [default: %(default)s]")
    parser.set_defaults(command=compare)


def _share(text: str) -> float:
    match = SHARE.fullmatch(text.strip())
    if match is None or float(match[1]) > 100:  # noqa: PLR2004 - per cent
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0% to 100%, such as 5%")
    return float(match[1]) / 100


def compare(given: argparse.Namespace) -> int:
    """Print what changed: 0 without a regression, 1 with one, 2 if the records cannot be compared."""
    from loadgen.reports.comparing import find_difference, to_json, to_markdown, to_text
    from loadgen.results.changes import ARRIVALS, WORK, find_refusals
    from loadgen.results.record import RecordError, read_record
    from loadgen.results.regressions import RegressionVerdict

    known = (*WORK, *ARRIVALS)
    unknown = sorted(set(given.changed) - set(known))
    if unknown:
        return _refuse([f"--changed {name} is none of {', '.join(known)}" for name in unknown])
    try:
        old, new = read_record(given.old), read_record(given.new)
    except RecordError as error:
        return _refuse([str(error)])
    both = f"{given.old} and {given.new} cannot be compared:"
    try:
        problems = list(find_refusals(old, new, given.changed))
        if problems:
            return _refuse([both, *(f"  {text}." for text in problems)])
        with warnings.catch_warnings(action="ignore"):
            difference = find_difference(old, new, given.tolerance)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # no run has written this
        return _refuse([f"{both} {type(error).__name__}: {error}"])
    sys.stdout.write({"text": to_text, "json": to_json, "markdown": to_markdown}[given.format](difference))
    sys.stdout.flush()
    if difference.having(RegressionVerdict.REGRESSION):
        return WORSE
    return SAME if difference.is_judged else REFUSED


def _refuse(lines: list[str]) -> int:
    text = "\n".join(map(one_line, lines))
    print(f"loadgen compare: {text}", file=sys.stderr)  # noqa: T201 - this is a command
    return REFUSED
