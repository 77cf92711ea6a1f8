"""What the proxy has held back passes as soon as its fault is over, which else would last longer than it says."""

import asyncio
from typing import cast

import pytest

from loadgen.milvus.fault_proxy.relay import Chunk, Relay

WITHIN = 10.0


class Writer:
    """Notes what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.wrote = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.written += data
        self.wrote.set()

    async def drain(self) -> None:
        """Nothing waits."""


async def forward(begin: str, end: str, direction: int = 0) -> tuple[bytes, bytes]:
    """What had passed before the end of a fault, and after it."""
    relay, writer = Relay("127.0.0.1", 1), Writer()
    relay.obey(begin)
    waiting: asyncio.Queue[Chunk] = asyncio.Queue()
    clock = asyncio.get_running_loop().time
    waiting.put_nowait((clock(), relay.latency, bytes(1_000)))
    task = asyncio.create_task(relay._forward(waiting, cast("asyncio.StreamWriter", writer), direction))
    for _ in range(20):
        await asyncio.sleep(0)
    before = bytes(writer.written)
    relay.obey(end)
    async with asyncio.timeout(WITHIN):
        await writer.wrote.wait()
    task.cancel()
    return before, bytes(writer.written)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("bandwidth 0.001", "bandwidth 0"),
        ("bandwidth 0.001", "clear"),
        ("latency 1000", "latency 0"),
        ("latency 1000", "clear"),
        ("blackhole on", "blackhole off"),
        ("blackhole on", "clear"),
    ],
)
def test_what_waits_passes_at_the_end_of_the_fault(begin: str, end: str) -> None:
    assert asyncio.run(forward(begin, end)) == (b"", bytes(1_000))


def test_a_limit_that_was_lifted_leaves_no_debt_for_the_next() -> None:
    async def run() -> list[float]:
        relay = Relay("127.0.0.1", 1)
        relay.obey("bandwidth 0.001")
        holding = asyncio.create_task(relay._hold(1_000, 0))
        await asyncio.sleep(0)
        relay.obey("bandwidth 0")
        await holding
        relay.obey("bandwidth 1000000000")
        async with asyncio.timeout(WITHIN):
            await relay._hold(1_000, 0)
        return relay._free_at

    [free_at, other] = asyncio.run(run())
    assert (free_at > 0, other) == (True, 0.0)
