"""Progress: one line that is redrawn on a terminal, otherwise occasional log lines."""

import atexit
import contextlib
import io
import logging
import math
import os
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import TextIO

import gevent
from locust.log import LogReader
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadgen.locust_plugin.display.progress import Now
from loadgen.text.plain_text import new_console, one_line

DRAW_SECONDS = 0.5
"""Seconds between two redraws: each costs the hub a few milliseconds, mostly for the percentiles."""
LOOK_SECONDS = 2.0
"""Seconds between two updates without a terminal."""
LOG_SECONDS = 10.0
"""Minimum seconds between two log lines: the start of a phase is logged separately."""
BAR_WIDTH = 24
WIDTH_WITH_BAR = 120
ERASE = "\r\x1b[2K"

logger = logging.getLogger("loadgen")


class Display:
    """Draws what `look` returns; on the hub, in a separate greenlet, between `start` and `stop`."""

    def __init__(self, look: Callable[[], Now | None], stream: TextIO) -> None:
        self._look = look
        self._stream = stream
        self._drawing = stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
        self._live: Live | None = None
        self._streams: list[tuple[logging.StreamHandler[TextIO], TextIO]] = []
        self._greenlet: gevent.Greenlet | None = None
        self._pause = DRAW_SECONDS if self._drawing else LOOK_SECONDS
        self._logged_at = -math.inf
        self._doing = ""

    def start(self) -> None:
        """Begin; the terminal is restored even if the process ends by an exception."""
        atexit.register(self.stop)
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End it and erase the line. Idempotent; from any greenlet."""
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None and greenlet is not gevent.getcurrent():
            greenlet.kill(block=False)
        self._clear()
        atexit.unregister(self.stop)

    def _run(self) -> None:
        while self._greenlet is not None:
            with contextlib.suppress(OSError, ValueError):  # the terminal is gone: the run continues
                self.show(self._look(), perf_counter())
            gevent.sleep(self._pause)

    def show(self, now: Now | None, at: float) -> None:
        """Draw it, or log it if due at `at` (perf_counter seconds); None erases the line."""
        if now is None:
            self._clear()
        elif self._drawing:
            self._draw(now)
        elif now.figures is not None:
            self._log(now, at)

    def _log(self, now: Now, at: float) -> None:
        if now.doing not in (self._doing, "loading"):
            self._logged_at = at
        self._doing = now.doing
        if at - self._logged_at >= LOG_SECONDS:
            self._logged_at = at
            logger.info(in_words(now))

    def _draw(self, now: Now) -> None:
        if self._live is None:
            console = new_console(self._stream, force_terminal=True)
            self._live = Live(
                console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._live.start()
            self._step_aside()
        self._live.update(_as_line(now, self._live.console.width), refresh=True)

    def _clear(self) -> None:
        live, self._live = self._live, None
        for handler, stream in self._streams:
            handler.setStream(stream)
        self._streams = []
        if live is not None:
            live.stop()

    def _step_aside(self) -> None:
        """Print log lines of the same terminal in place of the line, which is redrawn below."""
        above = _Above(self._stream)
        for handler in find_handlers():
            if handler.stream is not None and handler.stream.isatty():  # a file that is not open yet has none
                self._streams.append((handler, handler.stream))
                handler.setStream(above)


class _Above(io.StringIO):
    """A terminal whose last line is redrawn: other output replaces it."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        """Erase the drawn line and write."""
        return self._stream.write(f"{ERASE}{text}")

    def flush(self) -> None:
        """Forward it."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Always a terminal."""
        return True


def find_handlers() -> "Iterator[logging.StreamHandler[TextIO]]":
    """All stream handlers of all loggers, each once."""
    named = [each for each in logging.Logger.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    seen: set[int] = set()
    for owner in (logging.getLogger(), *named):
        for handler in owner.handlers:
            if isinstance(handler, logging.StreamHandler) and id(handler) not in seen:
                seen.add(id(handler))
                yield handler


def find_shown() -> "Iterator[logging.Handler]":
    """Those, and the ones whose records Locust's page shows or its workers send."""
    yield from find_handlers()
    yield from (handler for handler in logging.getLogger().handlers if isinstance(handler, LogReader))


def in_words(now: Now) -> str:
    """Such as: `phase 3 of 12: async, 8 users: 1,204.0 operations/s, p50 6.10 ms, p99 12.20 ms; 1 min 42 s left`."""
    figures = f": {now.figures}" if now.figures else ""
    return f"{now.doing}{_counted(now)}{figures}{_time_left(now, '; ')}"


def _counted(now: Now) -> str:
    if not now.whole or now.counts == "seconds":
        return ""
    return f" {now.done:,.0f} of {now.whole:,.0f} {now.counts}"


def _as_line(now: Now, width: int) -> Table:
    """One line of limited width; the bar is omitted first."""
    line = Table.grid(padding=(0, 1), expand=False)
    for _ in range(3):
        line.add_column(no_wrap=True, overflow="ellipsis")
    if math.isnan(now.share) or width < WIDTH_WITH_BAR:
        line.add_row(Text(one_line(in_words(now))))
    else:
        bar = ProgressBar(total=1.0, completed=now.share, width=BAR_WIDTH)
        line.add_row(
            Text(one_line(f"{now.doing}{_counted(now)}")), bar, Text(f"{now.figures or ''}{_time_left(now, '  ')}")
        )
    return line


def _time_left(now: Now, before: str) -> str:
    if math.isnan(now.left):
        return ""
    minutes, seconds = divmod(math.ceil(now.left), 60)
    hours, minutes = divmod(minutes, 60)
    named = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    shown = [f"{number} {unit}" for number, unit in named if number][:2] or ["0 s"]
    return f"{before}{' '.join(shown)} left"
