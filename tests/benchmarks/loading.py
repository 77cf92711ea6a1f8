"""Loading: this tool's against a bare loop of `async_add` batches in flight, into a new collection of a real Milvus.

The clock starts when the collection is there and runs until the last batch is answered; both make nodes meanwhile.
(In a real run the tool has some ready by then: it makes them while the server creates the collection.)
"""

import asyncio
from collections.abc import Callable
from time import perf_counter

from llama_index.vector_stores.milvus import MilvusVectorStore

from loadgen.datasets import Dataset, open_dataset
from loadgen.milvus.store import aclose_stores, to_node, warm_stores
from loadgen.milvus.store.collection import Collection
from loadgen.milvus.store.creating import create_collection
from loadgen.milvus.store.loading import Loading
from loadgen.milvus.store.patience import Patience
from loadgen.milvus.store.preparing import LIMIT_SECONDS
from loadgen.settings.model import Settings


def load_bare(settings: Settings, dataset: Dataset, store: MilvusVectorStore) -> None:
    """As many loops as batches in flight, each making its next batch when its last one is answered."""
    starts = iter(range(0, dataset.size, settings.batch_size))

    async def loop() -> None:
        for start in starts:
            rows = dataset.rows(start, min(start + settings.batch_size, dataset.size))
            await store.async_add([to_node(row) for row in rows])

    async def run() -> None:
        await warm_stores([store])
        await asyncio.gather(*(loop() for _ in range(settings.load_in_flight)))
        await aclose_stores([store])

    asyncio.run(run())


def load_with_tool(settings: Settings, dataset: Dataset, store: MilvusVectorStore) -> None:
    """The loading of `prepare`."""
    with Loading(dataset, settings, Patience(lambda _: None)) as loading:
        asyncio.run(loading.run(store, lambda _: None))


def rows_per_second(load: Callable[[Settings, Dataset, MilvusVectorStore], None], settings: Settings) -> float:
    """Load once into a new collection, which is dropped again."""
    dataset = open_dataset(settings)
    with Collection(settings, LIMIT_SECONDS) as collection:
        store = create_collection(collection, settings, dataset)
        started = perf_counter()
        load(settings, dataset, store)
        seconds = perf_counter() - started
        store.client.close()
        collection.drop()
    return settings.rows / seconds


def compare_loading(settings: Settings, rounds: int) -> list[tuple[float, float]]:
    """(bare, tool) rows/s for each round; the order alternates."""
    loading: list[tuple[float, float]] = []
    rows_per_second(load_bare, settings)  # the first one finds everything cold
    for number in range(rounds):
        order = (load_bare, load_with_tool) if number % 2 == 0 else (load_with_tool, load_bare)
        rates = {load: rows_per_second(load, settings) for load in order}
        loading.append((rates[load_bare], rates[load_with_tool]))
    return loading
