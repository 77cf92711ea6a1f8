"""Loads rows into a new collection: concurrent batches, the first prepared while the server creates it."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Self

import grpc
from llama_index.vector_stores.milvus import MilvusVectorStore
from pymilvus.exceptions import MilvusException

from loadgen.datasets import Dataset
from loadgen.milvus.store.batches import NodeBatch, make_batches
from loadgen.milvus.store.opening import aclose_stores, limit_retries, warm_stores
from loadgen.milvus.store.patience import Patience, may_pass
from loadgen.settings.model import Settings

TELL_SECONDS = 1.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 3.0
"""Seconds before a refused batch is sent again; each pause is twice the previous one."""
ROWS_AHEAD = 10_000
FLOATS_AHEAD = 8_000_000
"""Maximum floats prepared ahead (a float in a list takes 32 bytes)."""


class LoadingLine(str):
    """A progress line for `tell` that also contains the numbers, for a progress bar."""

    __slots__ = ("loaded", "rate", "rows", "trouble")
    loaded: int
    rows: int
    rate: float
    trouble: str

    def __new__(cls, loaded: int, rows: int, rate: float, trouble: str = "") -> Self:
        """Report the rows loaded so far and the rate; `trouble` says why loading is stuck."""
        text = f"loading {loaded:,} of {rows:,} rows, {rate:,.0f} rows/s"
        line = super().__new__(cls, f"{text}, {trouble}" if trouble else text)
        line.loaded, line.rows, line.rate, line.trouble = loaded, rows, rate, trouble
        return line


class Loading:
    """One loading of a dataset through a store's `async_add`.

    From the moment it is constructed a thread makes nodes, so that the seconds which the server takes to create the
    collection are not lost. It ends when the sending begins: a second thread would only fight for the interpreter.
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        patience: Patience,
        count_ids: Callable[[list[str]], int] | None = None,
    ) -> None:
        """`count_ids` counts the rows on the server with these ids, to continue a loading that was interrupted."""
        self._dataset = dataset
        self._count_ids = count_ids
        self._patience = patience
        self._in_flight = settings.load_in_flight
        self._batch_size = settings.batch_size
        self._batches = make_batches(dataset, settings, min(ROWS_AHEAD, FLOATS_AHEAD // dataset.dim))
        self._ahead: deque[NodeBatch] = deque()
        self._sending = threading.Event()
        self._maker = threading.Thread(target=self._make_ahead, name="loadgen-rows", daemon=True)
        self._maker.start()
        self.loaded = self.present = 0
        """Rows that are on the server, and those of them that were there before."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop making nodes, including those that will not be sent."""
        self._sending.set()
        self._maker.join()

    async def run(self, store: MilvusVectorStore, tell: Callable[[str], None]) -> None:
        """Load all rows with `load_in_flight` concurrent batches, reporting progress about once a second.

        A batch is retried while its failure is temporary and the patience lasts. Closes the store's async client, which
        belongs to the running loop. Raises what `async_add` raises, and GivenUpError.
        """
        telling = asyncio.create_task(self._tell(tell, perf_counter()))
        self._sending.set()
        self._maker.join()  # for the rest of one batch
        try:
            await warm_stores([store])
            limit_retries(store.aclient, 0)  # those of pymilvus are too many and silent
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._in_flight):
                    tasks.create_task(self._send(store))
        except* Exception as errors:  # noqa: BLE001 the first one is sufficient
            raise errors.exceptions[0] from None
        finally:
            telling.cancel()
            await aclose_stores([store])

    async def _send(self, store: MilvusVectorStore) -> None:
        while batch := self._ahead.popleft() if self._ahead else next(self._batches, None):
            here = await self._count(batch)
            if here < len(batch.nodes):
                await self._add(store, batch, again=here > 0)
            else:
                self.present += here
            self.loaded += len(batch.nodes)

    async def _count(self, batch: NodeBatch) -> int:
        """How many of its rows an interrupted loading has left."""
        if self._count_ids is None:
            return 0
        return await asyncio.to_thread(self._count_ids, [node.node_id for node in batch.nodes])

    async def _add(self, store: MilvusVectorStore, batch: NodeBatch, *, again: bool) -> None:
        """Send one batch until it is accepted. A repeated one replaces the rows that the first may have left."""
        pause = FIRST_PAUSE
        while True:
            store.upsert_mode = again  # read before the first await: the other batches are not affected
            try:
                await store.async_add(batch.nodes, **batch.arguments)
            except (MilvusException, grpc.RpcError) as error:
                if not may_pass(error):
                    raise
                self._patience.failed(error)
            else:
                self._patience.succeeded()
                return
            await asyncio.sleep(pause)
            pause, again = min(2 * pause, LONGEST_PAUSE), True

    def _make_ahead(self) -> None:
        for _ in range(1 + min(ROWS_AHEAD, FLOATS_AHEAD // self._dataset.dim) // self._batch_size):
            batch = None if self._sending.is_set() else next(self._batches, None)
            if not batch:
                return
            self._ahead.append(batch)

    async def _tell(self, tell: Callable[[str], None], started: float) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            rate = (self.loaded - self.present) / (perf_counter() - started)
            tell(LoadingLine(self.loaded, self._dataset.size, rate, self._patience.trouble))
