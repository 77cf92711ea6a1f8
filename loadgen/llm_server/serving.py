"""Serve until a signal arrives, or until the process that wanted the server is gone.

`python -m loadgen.llm_server.serving --line FD --behaviour JSON` is the server of a run. It prints its address as
JSON and ends with the line, a pipe whose other end is open only in the run, so the system closes it even after SIGKILL.
"""

import argparse
import asyncio
import contextlib
import errno
import json
import select
import selectors
import signal
import socket
import sys
from collections.abc import Callable

from aiohttp import web

from loadgen.llm_server.behaviour import Behaviour
from loadgen.llm_server.service import Service

BACKLOG = 1_024
SECONDS_TO_FINISH = 0.1
"""For what is in flight at the end: streams may take minutes, and nobody waits for them any more."""


class ServeError(OSError):
    """The address cannot be had; the text says why, and what to do."""


class _PreciseSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type, unused-ignore]
    """Waits to the microsecond: epoll alone counts whole milliseconds, and would make each delay up to 1 ms longer."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            select.select([self.fileno()], [], [], timeout)  # epoll itself becomes readable with any of its sockets
            timeout = 0
        return super().select(timeout)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop with precise timers. uvloop would be faster, but its timers count milliseconds."""
    precise = hasattr(selectors, "EpollSelector") and issubclass(selectors.DefaultSelector, selectors.EpollSelector)
    return asyncio.SelectorEventLoop(_PreciseSelector() if precise else None)


async def serve(
    behaviour: Behaviour, bind: str, port: int, tell: Callable[[str], None], line: int | None = None
) -> None:
    """Serve on this address; `tell` receives http://HOST:PORT once it answers. Raises ServeError.

    Returns after SIGINT, SIGTERM or the end of `line`, a file descriptor; open streams are cut.
    """
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    if line is not None:
        loop.add_reader(line, over.set)
    # Without cancellation a handler would learn of a client that has gone only when it writes.
    runner = web.AppRunner(
        Service(behaviour).make_app(),
        access_log=None,
        handler_cancellation=True,
        handle_signals=False,
        shutdown_timeout=SECONDS_TO_FINISH,
    )
    await runner.setup()
    try:
        tell(await _listen(runner, bind, port))
        await over.wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, bind: str, port: int) -> str:
    site = web.TCPSite(runner, bind, port, backlog=BACKLOG)
    try:
        await site.start()
    except socket.gaierror:
        raise ServeError(f"bind {bind!r} is not an address of this machine; choose one, such as 127.0.0.1") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServeError(f"port {port} is in use by another program; choose another, or 0 for a free one") from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise ServeError(
                f"bind {bind!r} is not an address of this machine; choose one, such as 127.0.0.1"
            ) from None
        raise ServeError(f"{bind}:{port} cannot be listened on ({error.strerror})") from None
    host, number = runner.addresses[0][:2]
    return f"http://[{host}]:{number}" if ":" in host else f"http://{host}:{number}"


def main() -> int:
    """Serve for another process; 2 where the address cannot be had."""
    parser = argparse.ArgumentParser(prog="loadgen.llm_server.serving")
    parser.add_argument("--behaviour", required=True, help="JSON of a Behaviour")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--line", type=int, required=True, help="file descriptor; its end is the end of this server")
    given = parser.parse_args()

    def tell(root: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"root": root}), flush=True)  # noqa: T201 - the other process reads it

    behaviour = Behaviour.parse(json.loads(given.behaviour))
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve(behaviour, "127.0.0.1", given.port, tell, given.line))
    except ServeError as error:
        print(json.dumps({"error": str(error)}), flush=True)  # noqa: T201 - the other process reads it
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
