"""The limit: the calls of a store in bare loops, nothing around them but the clock."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

import grpc.aio

from loadgen.clients.pymilvus.store import SearchArguments
from loadgen.clients.wire.searches import PreparedSearch as SplicedSearch
from loadgen.measure.sample import Mode
from loadgen.milvus.store import NarrowedQuery
from loadgen.milvus.store.arguments import SERVICE
from loadgen.users.process_state import STRIDE
from tests.benchmarks.figures import Figures, percentiles


@dataclass(slots=True)
class Cell:
    """One mode at one number of users: the clock's limits, and the times of what finished between them."""

    mode: Mode
    users: int
    start: float
    end: float
    times: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """`process_time` at the start and at the end."""
    name: str = "bare"

    def add(self, started: float, finished: float) -> None:
        """Count one operation if it finished in the window."""
        if self.start <= finished < self.end:
            self.times.append(finished - started)

    def figures(self) -> Figures:
        """What the cell shows."""
        seconds = self.end - self.start
        p50, p99 = percentiles(self.times)
        cpu = self.cpu[1] - self.cpu[0]
        return Figures(self.name, self.mode.value, self.users, len(self.times), 0, seconds, p50, p99, cpu)


Call = Callable[[], Any]


def make_calls(store: Any, queries: list[Any], mode: Mode) -> list[Call]:
    """Each search as the client makes it: with its filter and partition, or with all its query vectors."""
    if isinstance(queries[0], SplicedSearch):
        return make_raw_calls(store, queries, mode)
    calls: list[Call] = []
    for query in queries:
        if isinstance(query, SearchArguments):
            search = search_and_read if mode is Mode.SYNC else asearch_and_read
            calls.append(partial(search, store.client, query.arguments))
            continue
        arguments = query.arguments if isinstance(query, NarrowedQuery) else {}
        calls.append(partial(store.query if mode is Mode.SYNC else store.aquery, query, **arguments))
    return calls


def make_raw_calls(store: Any, queries: list[SplicedSearch], mode: Mode) -> list[Call]:
    """Plain gRPC on the connection of the wire client: the bytes of each request are ready, and no answer is read."""
    metadata = (("dbname", ""), ("identifier", "1"))
    rpc = store._channel.unary_unary(f"/{SERVICE}/Search")
    sent: Any = metadata if mode is Mode.SYNC else grpc.aio.Metadata(*metadata)
    return [partial(rpc, query.encode(), metadata=sent) for query in queries]


def search_and_read(client: Any, arguments: Mapping[str, Any]) -> list[Any]:
    """The ids of all hits. pymilvus decodes the vectors of hits when these are read; MilvusVectorStore reads them."""
    return [hit["id"] for hits in client.search(**arguments) for hit in hits]


async def asearch_and_read(client: Any, arguments: Mapping[str, Any]) -> list[Any]:
    """The same with an async client."""
    return [hit["id"] for hits in await client.search(**arguments) for hit in hits]


async def run_async(calls: list[Call], cell: Cell) -> None:
    """Users as coroutines, on the running loop."""

    async def user(number: int) -> None:
        turn = number * STRIDE
        while perf_counter() < cell.end:
            turn += 1
            call = calls[turn % len(calls)]
            started = perf_counter()
            await call()
            cell.add(started, perf_counter())

    async def watch() -> None:
        for moment in (cell.start, cell.end):
            await asyncio.sleep(moment - perf_counter())
            cell.cpu.append(time.process_time())

    await asyncio.gather(watch(), *(user(number) for number in range(cell.users)))


def run_sync(calls: list[Call], cell: Cell) -> None:
    """Users as OS threads."""

    def user(number: int) -> None:
        turn = number * STRIDE
        while perf_counter() < cell.end:
            turn += 1
            call = calls[turn % len(calls)]
            started = perf_counter()
            call()
            cell.add(started, perf_counter())

    threads = [threading.Thread(target=user, args=(number,)) for number in range(cell.users)]
    for thread in threads:
        thread.start()
    for moment in (cell.start, cell.end):
        time.sleep(max(0.0, moment - perf_counter()))
        cell.cpu.append(time.process_time())
    for thread in threads:
        thread.join()
