"""The process of the proxy: `python -m loadgen.milvus.fault_proxy.relay --host HOST --port PORT`.

It prints the port on which it listens, then does what each line of its input says, and answers with `ok`. It ends with
its input, and so with the run, even if that is killed.
"""

import argparse
import asyncio
import contextlib
import socket
import struct
import sys

CHUNK = 16_384
AHEAD = 512
"""Chunks of a connection that may wait for their time; beyond that the sender waits."""
CONNECT_WITHIN = 10.0
Chunk = tuple[float, float, bytes]
"""When it arrived, the latency then, and the bytes; without any the end of the input."""


class Relay:
    """Forwards TCP connections to one server."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.latency = 0.0
        """Seconds by which requests are delayed; answers are not, so it is added once to a round trip."""
        self.rate = 0.0
        """Bytes per second of all connections, in each direction; 0: unlimited."""
        self.refuses = False
        """New connections are reset."""
        self.passing = asyncio.Event()
        """Cleared: nothing is forwarded, in no direction; what has arrived waits."""
        self.passing.set()
        self._free_at = [0.0, 0.0]
        self._changed = asyncio.Event()
        """Set at the next order: what waits for its time then looks whether it still has to."""
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Reset all connections."""
        for writer in list(self._open):
            reset(writer)

    def clear(self) -> None:
        """Forward everything immediately, also what waits for its time."""
        self.latency, self.refuses = 0.0, False
        self._limit(0.0)
        self.passing.set()

    def _limit(self, rate: float) -> None:
        self.rate, self._free_at = rate, [0.0, 0.0]

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        if self.refuses:
            reset(writer)
            return
        self._open.add(writer)
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                upstream = await asyncio.open_connection(*self._target)
        except OSError:  # TimeoutError is one
            self._open.discard(writer)
            reset(writer)
            return
        self._open.add(upstream[1])
        pumps = ((reader, upstream[1], 0), (upstream[0], writer, 1))
        try:
            await asyncio.gather(*(self._pump(*one) for one in pumps))
        except asyncio.CancelledError:  # at the end of the process: asyncio would print a traceback
            pass
        finally:
            for one in (writer, upstream[1]):
                self._open.discard(one)
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: int) -> None:
        """Forward one direction; its end ends the other side's input, a reset resets the other side."""
        waiting: asyncio.Queue[Chunk] = asyncio.Queue(AHEAD)
        forwarding = asyncio.create_task(self._forward(waiting, writer, direction))
        clock = asyncio.get_running_loop().time
        try:
            while data := await reader.read(CHUNK):
                await waiting.put((clock(), 0.0 if direction else self.latency, data))
            await waiting.put((clock(), 0.0, b""))
            await forwarding
        except OSError:
            writer.transport.abort()
        finally:
            forwarding.cancel()

    async def _forward(self, waiting: "asyncio.Queue[Chunk]", writer: asyncio.StreamWriter, direction: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                arrived, latency, data = await waiting.get()
                await self._delay(arrived, latency)
                await self.passing.wait()
                if not data:
                    writer.write_eof()
                    return
                await self._hold(len(data), direction)
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def _delay(self, arrived: float, latency: float) -> None:
        """Wait for the latency at the arrival, or until there is less of it."""
        clock = asyncio.get_running_loop().time
        while (left := arrived + min(latency, self.latency) - clock()) > 0:
            await self._sleep(left)

    async def _hold(self, size: int, direction: int) -> None:
        """Wait until the bandwidth allows this many bytes, or is unlimited again."""
        if not self.rate:
            return
        clock = asyncio.get_running_loop().time
        moment = self._free_at[direction] = max(clock(), self._free_at[direction]) + size / self.rate
        while self.rate and (left := moment - clock()) > 0:
            await self._sleep(left)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def obey(self, line: str) -> bool:
        """Do what a line says; False if it is not understood."""
        order, _, amount = line.partition(" ")
        if order == "latency":
            self.latency = float(amount)
        elif order == "bandwidth":
            self._limit(float(amount))
        elif order == "blackhole":
            (self.passing.clear if amount == "on" else self.passing.set)()
        elif order == "refuse":
            self.refuses = amount == "on"
        elif order == "cut":
            self.cut()
        elif order == "clear":
            self.clear()
        else:
            return False
        self._changed.set()
        self._changed = asyncio.Event()
        return True


def say(text: str) -> None:
    """Print a line and flush."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset, as a peer that is gone does."""
    if (extra_info := writer.get_extra_info("socket")) is not None:
        with contextlib.suppress(OSError):
            extra_info.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def serve(host: str, port: int) -> None:
    """Serve until the input ends."""
    relay = Relay(host, port)
    server = await asyncio.start_server(relay.accept, "127.0.0.1", 0, backlog=1024)
    say(str(server.sockets[0].getsockname()[1]))
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        say("ok" if relay.obey(line.decode().strip()) else "unknown")
    server.close()
    relay.cut()


def main() -> None:
    """Read the address of the server and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(given.host, given.port))


if __name__ == "__main__":
    main()
