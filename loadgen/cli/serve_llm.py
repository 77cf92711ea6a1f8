"""`loadgen serve-llm`: an OpenAI-compatible server with known behaviour, to stay."""

import argparse
import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from loadgen.settings.addresses import HIGHEST_PORT
from loadgen.text.plain_text import one_line

if TYPE_CHECKING:
    from loadgen.llm_server import Behaviour

DONE, REFUSED = 0, 2
PORT = 8000
FORMS = {"port": "PORT", "bind": "ADDRESS"}
EPILOG = """\
A delay is a value (50ms), normal:MEAN,SD, lognormal:MEDIAN,P99, exponential:MEAN or uniform:LOW-HIGH, with the units
us, ms and s; --tokens takes the same without units. Errors are shares of the requests: 429, a status from 500 to 599,
or broken (the connection is cut mid-answer), such as "429:0.01; 500:0.02; broken:0.01". Which request fails, and how
long each takes, depends on --seed and on the request's number only.
"""


def add_serve_llm(commands: Any) -> None:
    """`loadgen serve-llm` and its flags, which are the fields of a Behaviour."""
    text = "start an OpenAI-compatible server that simulates an LLM and embeddings with known delays and errors"
    parser = commands.add_parser("serve-llm", help=text, description=f"{text}; Ctrl-C ends it", epilog=EPILOG)
    parser.add_argument("--port", default=str(PORT), help=f"port, 0 for a free one [default: {PORT}]")
    parser.add_argument(
        "--bind", default="127.0.0.1", metavar="ADDRESS", help="address to listen on [default: %(default)s]"
    )
    for name, default, said in list_fields():
        shown = f" [default: {default}]" if default else ""
        parser.add_argument(f"--{name}", metavar="VALUE", default=None, help=f"{said}{shown}")
    parser.set_defaults(command=serve_llm)


def list_fields() -> list[tuple[str, str, str]]:
    """Each setting of the behaviour as a flag: its name, its default as text, its description."""
    from loadgen.llm_server.behaviour import Behaviour

    defaults = Behaviour().model_dump()
    return [
        (name.replace("_", "-"), "" if defaults[name] is None else str(defaults[name]), field.description or "")
        for name, field in Behaviour.model_fields.items()
    ]


def serve_llm(given: argparse.Namespace) -> int:
    """Keep the server in the foreground until Ctrl-C or SIGTERM: 0; 2 if it cannot be had."""
    from loadgen.llm_server.behaviour import Behaviour, BehaviourError

    texts = {name: getattr(given, name) for name in Behaviour.model_fields}
    faults = (
        [] if is_port(given.port) else [f"port {given.port!r} is not a port; give a number from 0 to {HIGHEST_PORT}"]
    )
    try:
        behaviour = Behaviour.parse({name: text for name, text in texts.items() if text is not None})
    except BehaviourError as error:
        faults += str(error).splitlines()
    if faults:
        return _refuse(*faults)
    try:
        return _serve(behaviour, given.bind, int(given.port))
    except KeyboardInterrupt:  # before the server listens
        return DONE


def _serve(behaviour: "Behaviour", bind: str, port: int) -> int:
    from loadgen.llm_server.serving import ServeError, new_event_loop, serve

    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve(behaviour, bind, port, _announce))
    except ServeError as error:
        return _refuse(str(error))
    return DONE


def is_port(text: str) -> bool:
    """Whether a text is the number of a port, or 0."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(HIGHEST_PORT)) and int(text) <= HIGHEST_PORT


def _announce(root: str) -> None:
    lines = (
        f"The simulated LLM answers at {root}/v1",
        f"Its counts:  {root}/counts",
        f"Its metrics: {root}/metrics",
        "Ctrl-C ends it.",
    )
    try:
        print(*lines, sep="\n", flush=True)  # noqa: T201 - this is a command
    except BrokenPipeError:  # whoever started it does not read; the server is there all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(*faults: str) -> int:
    for fault in faults:
        print(one_line(f"loadgen serve-llm: {fault}"), file=sys.stderr, flush=True)  # noqa: T201 - this is a command
    return REFUSED
