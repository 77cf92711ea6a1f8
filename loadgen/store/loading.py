"""Rows brought into a new collection: batches in flight, the next ones made meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from llama_index.core.schema import TextNode
from llama_index.vector_stores.milvus import MilvusVectorStore

from loadgen.settings import Settings
from loadgen.store.nodes import to_node
from loadgen.store.opening import aclose_stores, warm_stores
from loadgen.workload import Dataset

TELL_SECONDS = 1.0


class Loading:
    """One loading of a dataset through a store's `async_add`."""

    def __init__(self, store: MilvusVectorStore, dataset: Dataset, settings: Settings) -> None:
        self._store = store
        self._dataset = dataset
        self._batch_size = settings.batch_size
        self._in_flight = settings.load_in_flight
        self._made: asyncio.Queue[list[TextNode] | None] = asyncio.Queue(maxsize=2)
        self.loaded = 0

    async def run(self, tell: Callable[[str], None]) -> None:
        """Load all rows, telling how far it is about once a second. Raises what `async_add` raises.

        One thread makes batches while `load_in_flight` tasks have theirs sent; two batches lie ready at most.
        """
        started = perf_counter()
        telling = asyncio.create_task(self._tell(tell, started))
        try:
            await warm_stores([self._store])
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._make())
                for _ in range(self._in_flight):
                    tasks.create_task(self._send())
        except* Exception as errors:  # noqa: BLE001 the first one says enough
            raise errors.exceptions[0] from None
        finally:
            telling.cancel()
            await aclose_stores([self._store])

    async def _make(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "loadgen-rows") as maker:
            for start in range(0, self._dataset.size, self._batch_size):
                await self._made.put(await loop.run_in_executor(maker, self._batch, start))
        for _ in range(self._in_flight):
            await self._made.put(None)

    def _batch(self, start: int) -> list[TextNode]:
        stop = min(start + self._batch_size, self._dataset.size)
        return [to_node(row) for row in self._dataset.rows(start, stop)]

    async def _send(self) -> None:
        while (nodes := await self._made.get()) is not None:
            await self._store.async_add(nodes)
            self.loaded += len(nodes)

    async def _tell(self, tell: Callable[[str], None], started: float) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            rate = self.loaded / (perf_counter() - started)
            tell(f"loading {self.loaded:,} of {self._dataset.size:,} rows, {rate:,.0f} rows/s")
