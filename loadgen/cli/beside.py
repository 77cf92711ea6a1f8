"""`loadgen beside`: run a command in a pod whose service mesh has its proxy as an ordinary container.

The proxy starts at the same time as the command and never ends by itself, so a Job would start without a network and
never complete.
"""

import argparse
import contextlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from types import FrameType
from typing import Any

from loadgen.cli.lengths import seconds
from loadgen.settings.addresses import find_url_flaw
from loadgen.text.plain_text import one_line

NOT_READY, NOT_FOUND = 2, 127
LOOK_SECONDS, ANSWER_SECONDS = 0.5, 3.0
STOPPED = 128
"""Plus the number of the signal that ended the command, as a shell reports it."""


def add_beside(commands: Any) -> None:
    """`loadgen beside` and its flags."""
    text = "in a pod with a service mesh: run a command once its proxy is ready, and end the proxy afterwards"
    parser = commands.add_parser("beside", help=text, description=f"{text}; exits with the code of the command")
    parser.add_argument("--ready", type=_url, metavar="URL", help="wait until this address of the proxy answers 200")
    parser.add_argument(
        "--within", type=seconds, default=120.0, metavar="SECONDS", help="maximum wait [default: %(default)g]"
    )
    parser.add_argument("--quit", type=_url, metavar="URL", help="send a POST to this address of the proxy at the end")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command with its arguments")
    parser.set_defaults(command=_beside)


def _url(text: str) -> str:
    if flaw := find_url_flaw(text):
        raise argparse.ArgumentTypeError(f"{one_line(text)!r} {flaw}")
    return text


def _beside(given: argparse.Namespace) -> int:
    """The code of the command; 2 if the proxy did not become ready, 127 if the command cannot be started."""
    words = given.words[1:] if given.words[:1] == ["--"] else given.words
    if not words:
        return _complain("name a command, such as locust --version", NOT_READY)
    try:
        if given.ready and not await_ready(lambda: _answers(given.ready), given.within):
            return _complain(f"{given.ready} did not answer within {given.within:g} s", NOT_READY)
        return _run(words)
    finally:
        if given.quit:
            _ask_to_quit(given.quit)


def await_ready(answers: Callable[[], bool], within: float, pause: Callable[[float], object] = time.sleep) -> bool:
    """Whether it answers within these seconds. The last look is at their end."""
    left = within
    while not answers():
        if left <= 0:
            return False
        pause(LOOK_SECONDS)
        left -= LOOK_SECONDS
    return True


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), _open(url) as answer:
        return bool(answer.status == 200)  # noqa: PLR2004 - OK
    return False


def _open(url: str, method: str = "GET") -> Any:
    """Without the proxies of the environment: it is in the same pod."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(urllib.request.Request(url, method=method), timeout=ANSWER_SECONDS)  # noqa: S310 - http only


def _run(words: list[str]) -> int:
    """Pass signals on: this is process 1 of its container."""
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def hand_on(number: int, _frame: FrameType | None) -> None:
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hand_on)
    try:
        child = subprocess.Popen(words)  # noqa: S603 - what the command is for
    except OSError as error:
        return _complain(f"{words[0]} cannot be started: {error.strerror}", NOT_FOUND)
    for missed in early:
        child.send_signal(missed)
    code = child.wait()
    return STOPPED - code if code < 0 else code


def _ask_to_quit(url: str) -> None:
    try:
        _open(url, "POST").close()
    except OSError as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        _complain(f"{url} did not accept the end: {reason}", 0)


def _complain(line: str, code: int) -> int:
    sys.stderr.write(one_line(f"loadgen beside: {line}") + "\n")
    return code
