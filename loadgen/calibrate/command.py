"""`loadgen calibrate`: how far to trust the tool on this machine."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Never

from loadgen.calibrate import SECONDS
from loadgen.text.plain_text import lines

if TYPE_CHECKING:
    from loadgen.calibrate.driver import Driver

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
LONGEST = 600.0
RUNS, MOST_RUNS = 20, 1_000


def add_calibrate(commands: Any) -> None:
    """`loadgen calibrate` and its flags, on argparse's subparsers."""
    text = "measure a server with known delays, and compare them with the reported times; takes four minutes"
    parser = commands.add_parser("calibrate", help=text, description=text)
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=SECONDS,
        metavar="SECONDS",
        help="length of a phase; a stop of the server takes half of it [default: %(default)g]",
    )
    subject = parser.add_mutually_exclusive_group()
    subject.add_argument(
        "--rag",
        action="store_true",
        help="the RAG path instead: compare times and rate of asks with those of bare loops over the same objects, and "
        "outcomes with the counts of a simulated model; takes nine minutes",
    )
    subject.add_argument(
        "--aa",
        action="store_true",
        help="A/A test instead: compare a variant with itself in real runs and count the intervals that contain 1; "
        "about half a minute a run",
    )
    parser.add_argument(
        "--runs", type=_runs, metavar="N", help=f"runs of the A/A test, 2 to {MOST_RUNS:,} [default: {RUNS}]"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, times in seconds")
    parser.set_defaults(command=calibrate)


def _runs(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= MOST_RUNS:  # noqa: PLR2004 - one run gives no rate
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs; give 2 to {MOST_RUNS:,}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; give seconds above 0, {LONGEST:g} at most")
    return seconds


def calibrate(given: argparse.Namespace) -> int:
    """Measure and print. Returns 0, even if a target is missed; 1 if measuring failed, 130 after Ctrl-C."""
    from loadgen.calibrate.commands import CalibrationError
    from loadgen.llm_server import LlmServerError
    from loadgen.milvus.server import ServerError

    if given.runs is not None and not given.aa:
        _say("loadgen calibrate: --runs is for the A/A test: add --aa")
        return REFUSED
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="loadgen-") as folder:
            show = (_calibrate_rag if given.rag else _calibrate_searches)(given, Path(folder))
    except KeyboardInterrupt:
        _say("Interrupted.")
        return INTERRUPTED
    except (CalibrationError, LlmServerError, ServerError) as error:
        _say(f"loadgen calibrate: {error}")
        return FAILED
    show()
    return DONE


def _calibrate_searches(given: argparse.Namespace, folder: Path) -> Callable[[], object]:
    """Measure searches; returns what prints the result."""
    from loadgen.calibrate.driver import Driver
    from loadgen.milvus.server import start_server
    from loadgen.milvus.server.delaying import DelayingServer
    from loadgen.settings.model import Settings

    small: dict[str, object] = {"collection": "loadgen_calibrate", "rows": 200, "dim": 16, "index_type": "FLAT"}
    settings = Settings.parse(small | {"top_k": 1, "queries": 200})
    server = start_server("lite", tell=_say)
    try:
        with DelayingServer(server.uri) as delaying:
            driver = Driver(settings, delaying, folder)
            driver.prepare(server.uri)
            return _compare_with_itself(given, driver) if given.aa else _compare_with_known(given, driver)
    finally:
        server.stop()


def _calibrate_rag(given: argparse.Namespace, folder: Path) -> Callable[[], object]:
    """Measure asks; returns what prints the result."""
    from loadgen.calibrate.rag.driver import RagDriver, drive_all
    from loadgen.calibrate.rag.plan import make_plan
    from loadgen.calibrate.rag.showing import as_json, show
    from loadgen.milvus.server import start_server

    server = start_server("auto", tell=_say)
    try:
        result = drive_all(make_plan(given.seconds), RagDriver(server.uri, folder), _say)
    finally:
        server.stop()
    return lambda: sys.stdout.write(as_json(result)) if given.json else show(result, sys.stdout)


def _compare_with_known(given: argparse.Namespace, driver: "Driver") -> Callable[[], object]:
    """Measure known delays; returns what prints the result."""
    from loadgen.calibrate.driver import drive_all
    from loadgen.calibrate.plan import make_plan
    from loadgen.calibrate.showing import as_json, show

    result = drive_all(list(make_plan(given.seconds)), driver, _say)
    return lambda: sys.stdout.write(as_json(result)) if given.json else show(result, sys.stdout)


def _compare_with_itself(given: argparse.Namespace, driver: "Driver") -> Callable[[], object]:
    """Measure the A/A test; returns what prints the result."""
    from loadgen.calibrate.aa import run_all, runs_as_json, show_runs

    runs = run_all(given.runs or RUNS, given.seconds, driver, _say)
    return lambda: sys.stdout.write(runs_as_json(runs)) if given.json else show_runs(runs, sys.stdout)


def _interrupt(_number: int, _frame: FrameType | None) -> Never:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(lines(line), file=sys.stderr, flush=True)  # noqa: T201 - this is a command
