"""A replaying server that delays each answer by an exactly known time, and reports its accuracy."""

import argparse
import asyncio
import heapq
import json
import selectors
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadgen.milvus.server.delays import Delays, pick
from loadgen.milvus.server.errors import ServerError
from loadgen.milvus.server.replay import Answer, Replay, ReplayServer, add_flags, serve

PERCENTS = (50.0, 99.0, 99.9, 100.0)
KEPT_AT_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """The server's measurements for one setting of delays. Times are seconds from a call's arrival to its answer."""

    answers: int
    delays: tuple[float, ...]
    """p50, p99, p99.9 and the longest; empty without answers."""
    late: tuple[float, ...]
    """The same percentiles of how much later than due the answers were."""


class Clock:
    """Waits until an answer is due. One per server, on its loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.begin(Delays())

    def begin(self, delays: Delays) -> None:
        """Apply other delays to calls that arrive from now on."""
        self._delays = delays
        self._began = self._loop.time()
        self._turn = 0
        self._kept: list[tuple[float, float]] = []
        self._free = [0.0] * delays.slots
        """When each slot becomes free, the earliest first (`heapq`)."""

    async def wait(self, arrived: float) -> None:
        """Return when the answer to what arrived then (loop time) is due, never before."""
        turn, self._turn = self._turn, self._turn + 1
        kept = self._kept
        due = self._began + self._find_due(arrived - self._began, turn)
        while (now := self._loop.time()) < due:
            waited = self._loop.create_future()
            self._loop.call_at(due, _wake, waited)
            await waited
        if len(kept) < KEPT_AT_MOST:
            kept.append((now - arrived, now - due))

    def _find_due(self, arrived: float, turn: int) -> float:
        """When an answer is due, after its wait for a slot."""
        if not self._free:
            return self._delays.due(arrived, turn)
        due = self._delays.due(max(arrived, self._free[0]), turn)
        heapq.heapreplace(self._free, due)
        return due

    def tell(self) -> dict[str, Any]:
        """The measurements since `begin`."""
        if not self._kept:
            return {"answers": 0, "delays": [], "late": []}
        delays, late = (np.sort(column) for column in np.array(self._kept).T)
        return {"answers": len(self._kept), "delays": pick(delays, *PERCENTS), "late": pick(late, *PERCENTS)}


def _wake(waited: asyncio.Future[None]) -> None:
    if not waited.done():  # its call was cancelled: the client no longer waits
        waited.set_result(None)


class DelayingReplay(Replay):
    """Replays with deliberate delays."""

    def __init__(self, upstream: Any, methods: Iterable[str], clock: Clock) -> None:
        super().__init__(upstream, methods)
        self._clock = clock

    def _replaying(self, method: str, path: str) -> Answer:
        replay = super()._replaying(method, path)

        async def delay(request: bytes, context: Any) -> bytes:
            arrived = asyncio.get_running_loop().time()
            reply = await replay(request, context)
            await self._clock.wait(arrived)
            return reply

        return delay


class DelayingServer(ReplayServer):
    """A delaying server in a separate process; it answers searches immediately until configured otherwise."""

    MODULE = "loadgen.milvus.server.delaying"
    STDIN = subprocess.PIPE

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream, methods=["Search"])

    def begin(self, delays: Delays) -> Kept:
        """Delay answers in this way from now on; returns measurements of the previous delays. Raises ServerError."""
        orders = self._process.stdin
        if orders is None:
            raise ServerError("the delaying server takes no orders")
        try:
            orders.write(json.dumps(delays.as_message()).encode() + b"\n")
            orders.flush()
            reported = json.loads(self._hear())
        except (OSError, ValueError) as error:
            raise ServerError(f"the delaying server does not answer ({error})") from None
        return Kept(reported["answers"], tuple(reported["delays"]), tuple(reported["late"]))


def main() -> None:
    """`python -m loadgen.milvus.server.delaying`: as the replaying server, with delays as JSON on standard input."""
    parser = argparse.ArgumentParser(prog="loadgen.milvus.server.delaying", description=__doc__.splitlines()[0])
    add_flags(parser)
    given = parser.parse_args()
    # Timers of epoll and of libuv count whole milliseconds; select's count microseconds.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(_serve(given))


async def _serve(given: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    clock = Clock(loop)

    def obey() -> None:
        line = sys.stdin.readline()
        if not line:
            loop.remove_reader(sys.stdin)
            return
        sys.stdout.write(json.dumps(clock.tell()) + "\n")
        sys.stdout.flush()
        clock.begin(Delays.from_message(json.loads(line)))

    loop.add_reader(sys.stdin, obey)
    await serve(given, lambda upstream: DelayingReplay(upstream, given.methods, clock))


if __name__ == "__main__":
    main()
