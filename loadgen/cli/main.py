"""The command `loadgen`: everything besides running `locust`."""

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Never

from loadgen import __version__
from loadgen.calibrate.command import add_calibrate
from loadgen.cli.beside import add_beside
from loadgen.cli.compare import add_compare
from loadgen.cli.doctor.command import add_doctor
from loadgen.cli.follow import add_follow
from loadgen.cli.init.command import add_init
from loadgen.cli.locustfiles import add_path, add_run
from loadgen.cli.prepare import add_prepare
from loadgen.cli.report import add_report
from loadgen.cli.serve_llm import add_serve_llm
from loadgen.cli.wait import add_wait
from loadgen.settings.addresses import HIGHEST_PORT
from loadgen.settings.flags import UNKNOWN, say_unknown
from loadgen.text.plain_text import one_line

if TYPE_CHECKING:
    from loadgen.milvus.server import EmbeddedServer

MILVUS_PORT = 19530
DONE, DIED, REFUSED = 0, 1, 2
Command = Callable[[argparse.Namespace], int]
ABOUT = """\
Load tests of Milvus with Locust: which client, mode or index gives how much throughput and latency.
`loadgen run` is a run; the other commands prepare one, look at its result, or serve what it needs."""
FIRST = """\
A first run, of three minutes, without a server or a file of your own:
  loadgen run search --headless --concurrency 1,8,32 --rounds 1

Then, with yours: loadgen init my-run; loadgen doctor --host http://my-milvus:19530"""


class Parser(argparse.ArgumentParser):
    """Accepts flags in full only, and reports errors in one line, with exit code 2."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **({"allow_abbrev": False} | named))

    def error(self, message: str) -> Never:
        """Omit the usage, which `--help` shows."""
        known = [flag for action in self._actions for flag in action.option_strings]
        self.exit(REFUSED, one_line(f"{self.prog}: {say_unknown(message, known)} (see {self.prog} --help)") + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = Parser(
        prog="loadgen", description=ABOUT, epilog=FIRST, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"milvus-loadgen {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="named")
    add_init(commands)
    add_run(commands)
    add_path(commands)
    add_doctor(commands)
    add_serve(commands)
    add_serve_llm(commands)
    add_settings(commands)
    add_report(commands)
    add_compare(commands)
    add_calibrate(commands)
    add_prepare(commands)
    add_wait(commands)
    add_beside(commands)
    add_follow(commands)
    given, rest = parser.parse_known_args(arguments)
    if rest and not hasattr(given, "takes_rest"):
        commands.choices[given.named].error(f"{UNKNOWN}{' '.join(rest)}")
    given.rest = rest
    command: Command = given.command
    return command(given)


def add_serve(commands: "argparse._SubParsersAction[Parser]") -> None:
    """`loadgen serve` and its flags."""
    text = "run a Milvus server in the foreground, for several runs; Ctrl-C ends it"
    parser = commands.add_parser("serve", help=text, description=text)
    parser.add_argument(
        "--embedded",
        default=os.environ.get("LOADGEN_EMBEDDED") or "auto",
        metavar="KIND",
        help="milvus (the standalone server), lite (Milvus Lite), or auto: milvus where it is installed; also "
        "LOADGEN_EMBEDDED [default: auto]",
    )
    parser.add_argument(
        "--port", type=_port, default=MILVUS_PORT, help="port for clients, 0 for a free one [default: %(default)s]"
    )
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="folder for the data [default: a temporary one, deleted at the end]"
    )
    parser.set_defaults(command=serve)


def add_settings(commands: "argparse._SubParsersAction[Parser]") -> None:
    """`loadgen settings` and its flag."""
    text = "list the settings of a run, with their defaults and meanings"
    parser = commands.add_parser("settings", help=text, description=text)
    parser.add_argument(
        "--format", choices=("text", "markdown"), default="text", help="form of the output [default: %(default)s]"
    )
    parser.set_defaults(command=list_settings)


def list_settings(given: argparse.Namespace) -> int:
    """Print each setting as a flag with its choices, its default and its help."""
    from loadgen.settings.reference import settings_as_markdown, settings_as_text

    with contextlib.suppress(BrokenPipeError):  # the pager was closed
        sys.stdout.write(settings_as_markdown() if given.format == "markdown" else settings_as_text())
        sys.stdout.flush()
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number from 0 to {HIGHEST_PORT}")
    return int(text)


def serve(given: argparse.Namespace) -> int:
    """Run a server in the foreground until Ctrl-C or SIGTERM: 0; 1 if it ends by itself, 2 if it cannot start."""
    from loadgen.milvus.server import RefusedError, ServerError, start_server

    server: EmbeddedServer | None = None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        server = start_server(given.embedded, data=given.data, port=given.port, tell=_say)
        _announce(server)
        while server.running:
            time.sleep(0.2)
        _complain(f"the server ended by itself; its log is {server.log}")
    except KeyboardInterrupt:
        _say("Stopping.")
        return DONE
    except RefusedError as error:
        _complain(str(error))
        return REFUSED
    except ServerError as error:
        _complain(str(error))
    finally:
        if server is not None:
            server.stop()
    return DIED


def _interrupt(_number: int, _frame: FrameType | None) -> Never:
    """End once; a second Ctrl-C does not disturb the end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _announce(server: "EmbeddedServer") -> None:
    _say(f"Milvus answers at {server.uri}")
    if server.metrics_uri:
        _say(f"Its metrics:      {server.metrics_uri}")
    _say(f"Its log:          {server.log}")
    _say(f"Next, in another terminal:\n  loadgen run search --host {server.uri}")
    _say("Ctrl-C ends it.")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is a command


def _complain(line: str) -> None:
    print(one_line(f"loadgen serve: {line}"), file=sys.stderr, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main())
