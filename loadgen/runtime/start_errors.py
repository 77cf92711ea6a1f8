"""What is shown if Locust cannot start: one line instead of a traceback, and a distinct exit code."""

import re
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn

from loadgen.runtime.early_exit import leave
from loadgen.settings.faults import SettingsError
from loadgen.text.plain_text import one_line

CANNOT_START, INTERRUPTED = 2, 130
LOADER = str(Path("locust", "util", "load_locustfile.py"))
"""Where Locust imports the locustfiles."""
OURS = re.compile(r"^[ \t]*(?:from|import)[ \t]+loadgen\b", re.MULTILINE)
LONGEST = 400
"""Characters of an exception's own text that are shown."""
ARGUMENTS, MAIN = "locust.argument_parser", "locust.main"
"""The modules of Locust that parse the command line and find the locustfile, and that report missing users."""
PARSERS = ("configargparse.py", str(Path("locust", "argument_parser.py")))
Place = tuple[str, int]
"""A file and a line in it."""


class StartGuard:
    """Replaces `sys.excepthook` until a run has begun; later errors are shown as usual."""

    def __init__(self, *, only_ours: bool) -> None:
        self.only_ours = only_ours
        """True until something imports this package: then it acts only on locustfiles that would import it."""
        self.has_begun: Callable[[], bool] = lambda: False

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """End the process with one line, or show the traceback if the error is unrelated to this package."""
        if self.has_begun() or (self.only_ours and not is_ours(trace)):
            sys.__excepthook__(kind, error, trace)
        elif issubclass(kind, KeyboardInterrupt):
            leave("Interrupted before the run began.", INTERRUPTED)
        else:
            leave(describe(error, trace), CANNOT_START)


def guard_start(*, only_ours: bool = False) -> StartGuard:
    """Guard this process from now on. Idempotent; from the first call without `only_ours` on, every error counts."""
    guard = sys.excepthook
    if not isinstance(guard, StartGuard):
        sys.excepthook = guard = StartGuard(only_ours=only_ours)
    guard.only_ours &= only_ours
    return guard


def guard_arguments() -> None:
    """Make a `locust` command exit with 2, instead of Locust's 1, if it finds no locustfile or no user.

    Its output is unchanged. A locustfile that exits during import has measured nothing, which is 2 as well. Replaces
    `sys.exit`, with a different effect only for callers in those files. Idempotent.
    """
    original = sys.exit
    if hasattr(original, "replaced"):
        return

    def leave_early(code: object = None) -> NoReturn:
        frame = sys._getframe(1)  # noqa: SLF001 - no other way to find the caller
        if (place := _leaves_locustfile(frame)) is not None:
            words = "SystemExit" if code is None else f"SystemExit: {_words(SystemExit(code))}"
            leave(f"The locustfile cannot be loaded: {_short(place[0])}, line {place[1]}: {words}", CANNOT_START)
        module = frame.f_globals.get("__name__")
        no_users = module == MAIN and not frame.f_locals.get("available_user_classes", True)
        original(CANNOT_START if code == 1 and (module == ARGUMENTS or no_users) else code)  # type: ignore[arg-type]

    leave_early.replaced = original  # type: ignore[attr-defined]
    sys.exit = leave_early


def unguard_arguments() -> None:
    """Restore `sys.exit` once the locustfile is loaded; a task that calls it is reported elsewhere. Idempotent."""
    sys.exit = getattr(sys.exit, "replaced", sys.exit)


def _leaves_locustfile(caller: FrameType) -> Place | None:
    """The file and line that calls `sys.exit` while a locustfile that imports this package is loaded, or None."""
    frame: FrameType | None = caller
    while frame is not None and not _is_loader(frame):
        frame = frame.f_back
    return (caller.f_code.co_filename, caller.f_lineno) if frame is not None and _imports_us(frame) else None


def _imports_us(loader: FrameType) -> bool:
    """Whether the locustfile imported by this Locust frame has a line that imports this package."""
    try:
        text = Path(str(loader.f_locals.get("path"))).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return OURS.search(text) is not None


def is_ours(trace: TracebackType | None) -> bool:
    """Whether the locustfile that Locust was importing has a line that imports this package.

    Before a locustfile is known, errors are in the command line or config file: these are reported here as well.
    """
    if _config_file(trace):
        return True
    for frame, _ in traceback.walk_tb(trace):
        if _is_loader(frame):
            return _imports_us(frame)
    return False


def describe(error: BaseException, trace: TracebackType | None) -> str:
    """One line: what failed, where, in which file, and why. Settings keep their own message, one line per fault."""
    places, loading = _find_places(trace)
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).exists():
        places = [*(place for place in places if place[1]), (error.filename, error.lineno or 0)]
    where = ""
    if places:
        (file, line), (first, first_line) = places[-1], places[0]
        loaded = f" (loaded by {_short(first)}, line {first_line})" if first != file else ""
        where = f"{_short(file)}{f', line {line}' if line else ''}{loaded}: "
    if isinstance(error, SettingsError):
        return f"{where}{error}"
    words = error.msg if isinstance(error, SyntaxError) else _words(error)
    head = "The locustfile cannot be loaded" if loading else "Locust cannot start"
    if file := "" if loading else _config_file(trace):
        head = f"The config file {one_line(file)} cannot be read"
    return f"{head}: {where}{type(error).__name__}{f': {words}' if words else ''}"


def _config_file(trace: TracebackType | None) -> str:
    """The config file that was being read when the exception was raised; empty if none was."""
    for frame, _ in traceback.walk_tb(trace):
        if frame.f_code.co_filename.endswith(PARSERS):
            name = getattr(frame.f_locals.get("stream"), "name", "")
            if name:
                return str(name)
    return ""


def _find_places(trace: TracebackType | None) -> tuple[list[Place], bool]:
    """The places in the user's files in the traceback, outermost first, and whether a locustfile was being imported.

    Libraries are omitted: only the user's own lines can be fixed.
    """
    places: list[Place] = []
    loading = False
    for frame, line in traceback.walk_tb(trace):
        file = frame.f_code.co_filename
        if _is_loader(frame):
            loading = True
            places = [(path, 0)] if isinstance(path := frame.f_locals.get("path"), str) else []
        elif loading and Path(file).exists() and not _is_library(file):
            places = [*(place for place in places if place[1]), (file, line)]
    return places, loading


def _is_loader(frame: FrameType) -> bool:
    return frame.f_code.co_filename.endswith(LOADER)


def _is_library(file: str) -> bool:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders.add(str(Path(__file__).parents[1]))
    return any(file.startswith(f"{folder}/") for folder in folders)


def _short(file: str) -> str:
    """The path relative to the working folder, if it is below it."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except (OSError, ValueError):
        return file


def _words(error: BaseException) -> str:
    """The exception's text on one line, without control characters."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - third-party __str__
        return ""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
