"""Loading: this tool's against a bare loop of `async_add` batches in flight, into a new collection of a real Milvus.

The clock runs from before the collection is created until the last batch is answered. What the tool does first, asking
the server who it is and whether the collection is there, is in its time too.
"""

import asyncio
import contextlib
from collections.abc import Callable
from time import perf_counter

from llama_index.vector_stores.milvus import MilvusVectorStore
from pymilvus import MilvusClient

from loadgen.sample import Mode
from loadgen.settings import Settings
from loadgen.store import prepare, store_arguments, to_node
from loadgen.workload import Dataset


class LoadedError(Exception):
    """All rows are sent: what `prepare` does next, waiting for the index, is the server's time and not measured."""


def load_bare(settings: Settings) -> None:
    """As many loops as batches in flight, each making its next batch when its last one is answered."""
    dataset = Dataset(settings)
    store = MilvusVectorStore(**store_arguments(settings, Mode.ASYNC))
    starts = iter(range(0, dataset.size, settings.batch_size))

    async def loop() -> None:
        for start in starts:
            rows = dataset.rows(start, min(start + settings.batch_size, dataset.size))
            await store.async_add([to_node(row) for row in rows])

    async def run() -> None:
        await asyncio.gather(*(loop() for _ in range(settings.load_in_flight)))
        await store.aclient.close()

    asyncio.run(run())
    store.client.close()


def load_with_tool(settings: Settings) -> None:
    """`prepare`, left as soon as it tells that all rows are loaded."""

    def tell(line: str) -> None:
        if line.startswith("loaded "):
            raise LoadedError

    with contextlib.suppress(LoadedError):
        prepare(settings, Dataset(settings), tell)
        raise RuntimeError("prepare() has not told that it loaded anything")


def rows_per_second(load: Callable[[Settings], None], settings: Settings) -> float:
    """Load once, and drop the collection again."""
    client = MilvusClient(settings.host, dedicated=True)
    client.drop_collection(settings.collection)
    started = perf_counter()
    load(settings)
    seconds = perf_counter() - started
    client.drop_collection(settings.collection)
    client.close()
    return settings.rows / seconds


def compare_loading(settings: Settings, rounds: int) -> list[tuple[float, float]]:
    """(bare, tool) rows/s for each round; who comes first changes from round to round."""
    found: list[tuple[float, float]] = []
    rows_per_second(load_bare, settings)  # the first one finds everything cold
    for number in range(rounds):
        order = (load_bare, load_with_tool) if number % 2 == 0 else (load_with_tool, load_bare)
        rates = {load: rows_per_second(load, settings) for load in order}
        found.append((rates[load_bare], rates[load_with_tool]))
    return found
