"""`loadgen init` itself: ask, check, write."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadgen.cli.init.answers import QUESTIONS, Answers, ask
from loadgen.cli.init.texts import make_files
from loadgen.cli.locustfiles import find_locustfiles
from loadgen.settings.faults import Fault, SettingsError
from loadgen.text.plain_text import lines, one_line

DONE, REFUSED, INTERRUPTED = 0, 2, 130


def add_init(commands: Any) -> None:
    """`loadgen init` and its flags."""
    text = "write a commented locustfile, config file and Helm values for your own run, from five questions"
    about = f"{text}. A flag answers its question beforehand; without a terminal the others get their defaults"
    parser = commands.add_parser("init", help=text, description=about)
    text = "where to write them [default: this folder]"
    parser.add_argument("folder", type=Path, nargs="?", default=Path(), metavar="FOLDER", help=text)
    for question in QUESTIONS:
        default = f" [default: {question.default}]" if question.default else ""
        text = f"{question.text[0].lower()}{question.text[1:]} ({question.hint}){default}"
        parser.add_argument(f"--{question.name}", metavar="TEXT", help=text)
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    parser.set_defaults(command=_init)


def _init(given: argparse.Namespace) -> int:
    """Exit code 0: all files were written; 2: none; 130: interrupted before."""
    is_asked = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        answers = ask(vars(given), input if is_asked else None)
        _check(answers)
        files = make_files(answers, find_locustfiles()[answers.workload])
        _write(given.folder, files, force=given.force)
    except (KeyboardInterrupt, EOFError):
        sys.stderr.write("\nInterrupted; nothing was written.\n")
        return INTERRUPTED
    except SettingsError as error:
        reported = "".join(f"  {fault}\n" for fault in error.faults)
        sys.stderr.write(lines(f"loadgen init: nothing was written:\n{reported}"))
        return REFUSED
    except OSError as error:
        sys.stderr.write(lines(f"loadgen init: {error}\n"))
        return REFUSED
    _show_next(given.folder, files, answers)
    return DONE


def _check(answers: Answers) -> None:
    """Raises SettingsError with all faults."""
    from loadgen.settings.model import Settings

    faults = list(answers.find_faults())
    try:
        Settings.parse(answers.as_settings() | {"host": answers.host})
    except SettingsError as error:
        faults += error.faults
    if faults:
        raise SettingsError(faults)


def _write(folder: Path, files: Mapping[str, str], *, force: bool) -> None:
    """All or none. Raises SettingsError if one exists, OSError."""
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        hint = "Name another folder, or give --force to replace them."
        raise SettingsError([Fault("folder", str(folder), f"has {', '.join(there)} already", hint)])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def _show_next(folder: Path, files: Mapping[str, str], answers: Answers) -> None:
    out = [f"Wrote {', '.join(files)} to {one_line(folder.resolve())}. Next, there:"]
    if answers.host:
        out.append("  loadgen doctor -f locustfile.py   # is everything ready?")
    out.append("  locust                            # the run; `loadgen settings` lists what can be set in locust.conf")
    out.append("  loadgen report runs/RECORD.json   # its report")
    print("\n".join(out))  # noqa: T201 - this is a command
