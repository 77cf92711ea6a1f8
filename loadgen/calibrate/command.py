"""`loadgen calibrate`: how far to trust the tool on this machine."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any, Never

from loadgen.calibrate import SECONDS
from loadgen.text.plain_text import lines

DONE, FAILED, INTERRUPTED = 0, 1, 130
LONGEST = 600.0


def add_calibrate(commands: Any) -> None:
    """`loadgen calibrate` and its flags, on argparse's subparsers."""
    text = "drive a server whose delays are known exactly, and set them beside what is reported, in four minutes"
    parser = commands.add_parser("calibrate", help=text, description=text)
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=SECONDS,
        help="length of a phase; a stop takes half of it [default: %(default)g]",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, times in seconds")
    parser.set_defaults(command=calibrate)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no length; give seconds above 0, {LONGEST:g} at most")
    return seconds


def calibrate(given: argparse.Namespace) -> int:
    """Measure and print: 0, also where a target is missed; 1 where it could not be measured, 130 after Ctrl-C."""
    from loadgen.calibrate.driving import CalibrationError, Driver, drive_all
    from loadgen.calibrate.plan import make_plan
    from loadgen.calibrate.showing import as_json, show
    from loadgen.milvus.server import ServerError, start_server
    from loadgen.milvus.server.delaying import DelayingServer
    from loadgen.settings.model import Settings

    small: dict[str, object] = {"collection": "loadgen_calibrate", "rows": 200, "dim": 16, "index_type": "FLAT"}
    settings = Settings.parse(small | {"top_k": 1, "queries": 200})
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        server = start_server("lite", tell=_say)
        try:
            with DelayingServer(server.uri) as delaying, tempfile.TemporaryDirectory(prefix="loadgen-") as folder:
                driver = Driver(settings, delaying, Path(folder))
                driver.prepare(server.uri)
                found = drive_all(list(make_plan(given.seconds)), driver, _say)
        finally:
            server.stop()
    except KeyboardInterrupt:
        _say("Interrupted.")
        return INTERRUPTED
    except (CalibrationError, ServerError) as error:
        _say(f"loadgen calibrate: {error}")
        return FAILED
    if given.json:
        sys.stdout.write(as_json(found))
    else:
        show(found, sys.stdout)
    return DONE


def _interrupt(_number: int, _frame: FrameType | None) -> Never:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(lines(line), file=sys.stderr, flush=True)  # noqa: T201 - this is a command
