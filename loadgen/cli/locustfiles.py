"""`loadgen run` and `loadgen path`: the locustfiles that are installed with the package, by name."""

import argparse
import ast
import os
import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

DONE, REFUSED = 0, 2
FOLDERS = tuple(Path(__file__).parents[level] / "locustfiles" for level in (1, 2))
HELP = ("-h", "--help")
PROCESS = "loadgen.cli.locust_process"
"""What `loadgen run` becomes."""


def add_run(commands: Any) -> None:
    """`loadgen run NAME` and whatever `locust` accepts."""
    text = "run one of the installed locustfiles by name: `loadgen run search ...` is `locust -f .../search.py ...`"
    parser = commands.add_parser("run", help=text, description=text, add_help=False)
    _add_name(parser)
    parser.set_defaults(command=lambda given: _with_file(parser, given, _run), takes_rest=True)


def add_path(commands: Any) -> None:
    """`loadgen path NAME`."""
    text = "print the path of an installed locustfile, to copy it or to pass it to `locust -f`"
    parser = commands.add_parser("path", help=text, description=text, add_help=False)
    _add_name(parser)
    parser.set_defaults(command=lambda given: _with_file(parser, given, _print_path), takes_rest=True)


def _add_name(parser: argparse.ArgumentParser) -> None:
    # All in one: what follows the name is Locust's, `--help` included.
    parser.usage = f"{parser.prog} NAME" + " [flags of locust and of the run]" * parser.prog.endswith("run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def find_locustfiles() -> Mapping[str, Path]:
    """The paths by name, sorted: those in the package, where a wheel has them, or those beside it, in a clone."""
    return {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.py"))}


def _with_file(
    parser: argparse.ArgumentParser, given: argparse.Namespace, use: Callable[[str, Path, list[str]], int]
) -> int:
    """Find the file and use it; the list of all without a name."""
    files = find_locustfiles()
    name, *rest = [*given.arguments, *given.rest] or [""]
    if name in ("", *HELP):
        more = f"\n{parser.prog} NAME --help shows all flags.\n" if parser.prog.endswith("run") else ""
        sys.stdout.write(parser.format_usage() + f"\n{parser.description}\n\n" + _listed(files) + more)
        return DONE if name else REFUSED
    path = files.get(name) or files.get(name.replace("-", "_"))
    if path is None:
        near = get_close_matches(name, files, 1)
        meant = f"did you mean {near[0]}?" if near else f"give one of {', '.join(files)}"
        own = f"; a file of your own: locust -f {name}" if Path(name).is_file() else ""
        sys.stderr.write(f"{parser.prog}: there is no locustfile {name!r}: {meant}{own}\n")
        return REFUSED
    return use(name, path, rest)


def _listed(files: Mapping[str, Path]) -> str:
    width = max(map(len, files), default=0)
    return "".join(f"  {name:{width}}  {read_title(path)}\n" for name, path in files.items())


def read_title(path: Path | str) -> str:
    """The first line of a locustfile's docstring."""
    text = ast.get_docstring(ast.parse(Path(path).read_text())) or ""
    return text.partition("\n")[0]


def _run(name: str, path: Path, rest: list[str]) -> int:
    """Become `locust`: signals and the exit code are its own."""
    command = [sys.executable, "-m", PROCESS, name, str(path), *rest]
    os.execv(sys.executable, command)  # noqa: S606 - no shell wanted


def _print_path(_name: str, path: Path, rest: list[str]) -> int:
    if rest:
        sys.stderr.write(f"loadgen path: unrecognized arguments: {' '.join(rest)}\n")
        return REFUSED
    sys.stdout.write(f"{path}\n")
    return DONE
