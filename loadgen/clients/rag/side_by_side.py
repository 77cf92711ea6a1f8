"""Operations of the RAG path, equally many in flight in both modes: what a single call on a stopwatch cannot show."""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from pymilvus import MilvusClient

from loadgen.clients.outcomes import describe
from loadgen.clients.rag.async_client import AsyncClient
from loadgen.clients.rag.client import INGEST
from loadgen.clients.rag.connector import RagConnector
from loadgen.clients.rag.ingest_stream import IngestStream
from loadgen.clients.rag.models import SIMULATED
from loadgen.clients.rag.sync_client import SyncClient
from loadgen.llm_server import start_llm_server
from loadgen.measure.sample import Mode, Sample
from loadgen.milvus.store.arguments import connection_arguments
from loadgen.runtime.early_exit import before_leaving
from loadgen.settings.model import Settings

if TYPE_CHECKING:
    from loadgen.clients.rag.documents import Corpus

logger = logging.getLogger("loadgen")
IN_FLIGHT = 8
DROPS_WITHIN = 10.0
HEAD = f"{'many, side by side':<25} {'done/s':>7} {'p50 ms':>8} {'p99 ms':>8} {'failed':>6}"


@dataclass(frozen=True, slots=True)
class Measured:
    """Some operations of one kind and mode."""

    operation: str
    mode: Mode
    in_flight: int
    seconds: float
    """From the start of the first to the end of the last."""
    times: tuple[float, ...]
    """Seconds of each one that was answered."""
    failures: int

    def __str__(self) -> str:
        """A row below `HEAD`."""
        what = f"{self.mode} {self.operation}, {self.in_flight} in flight"
        if not self.times:
            return f"{what:<25} {'-':>7} {'-':>8} {'-':>8} {self.failures:>6,}"
        p50, p99 = (1000 * float(np.percentile(self.times, percent)) for percent in (50, 99))
        return f"{what:<25} {len(self.times) / self.seconds:>7.1f} {p50:>8.1f} {p99:>8.1f} {self.failures:>6,}"


def measure(settings: Settings, mode: Mode, operation: str, given: "Corpus | Sequence[str]") -> Measured:
    """Ask these questions, or ingest documents of this corpus, `IN_FLIGHT` concurrently, by the client of a mode.

    Blocks; call it on a thread without an event loop. Imports and connections do not count.
    """
    samples: list[Sample] = []
    if operation == INGEST:
        stream: Any = IngestStream(given, 0)  # type: ignore[arg-type]
        items = [[row.node] for row in islice(stream, settings.queries)]
    else:
        items = list(given)  # type: ignore[arg-type]
    in_flight = min(IN_FLIGHT, len(items))
    work = _call if mode is Mode.SYNC else _await
    seconds = work(settings, operation, items, samples.append)
    answered = tuple(one.finished - one.started for one in samples if not one.outcome.is_failure)
    return Measured(operation, mode, in_flight, seconds, answered, len(samples) - len(answered))


def _call(settings: Settings, operation: str, items: Sequence[Any], emit: Callable[[Sample], None]) -> float:
    connector = RagConnector()
    stores = connector.open(settings, Mode.SYNC)
    try:
        connector.warm(stores)
        call = getattr(SyncClient(stores[0], emit), operation)
        with ThreadPoolExecutor(IN_FLIGHT) as threads:
            started = time.perf_counter()
            list(threads.map(call, items))
            return time.perf_counter() - started
    finally:
        connector.close(stores)


def _await(settings: Settings, operation: str, items: Sequence[Any], emit: Callable[[Sample], None]) -> float:
    async def work() -> float:
        connector = RagConnector()
        stores = connector.open(settings, Mode.ASYNC)
        try:
            await connector.awarm(stores)
            call = getattr(AsyncClient(stores[0], emit), operation)
            waiting = iter(items)

            async def take_turns() -> None:
                for item in waiting:
                    await call(item)

            started = time.perf_counter()
            await asyncio.gather(*(take_turns() for _ in range(IN_FLIGHT)))
            return time.perf_counter() - started
        finally:
            await connector.aclose(stores)
            connector.close(stores)

    return asyncio.run(work())


@contextlib.contextmanager
def serving_models(settings: Settings) -> Iterator[str]:
    """The base URL of a server of simulated models: a given one, or one that is started if these settings need it."""
    models = ((settings.llm, settings.llm_url), (settings.embedding, settings.embedding_url))
    needs = any(model.partition(":")[0] == SIMULATED and not url for model, url in models)
    if settings.simulated_url or not needs:
        yield settings.simulated_url
        return
    with start_llm_server() as server:
        yield server.url


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is deleted at the end, also if the process is interrupted."""
    with TemporaryDirectory(prefix="loadgen-tutorial-") as folder:
        forget = before_leaving(partial(shutil.rmtree, folder, ignore_errors=True))
        try:
            yield Path(folder)
        finally:
            forget()


@contextlib.contextmanager
def dropping(settings: Settings) -> Iterator[None]:
    """Drop the collection at the end, also if the process is interrupted."""

    def drop() -> None:
        client = MilvusClient(**connection_arguments(settings, DROPS_WITHIN))
        try:
            if client.has_collection(settings.collection):
                client.drop_collection(settings.collection)
        finally:
            client.close()

    forget = before_leaving(drop)
    try:
        yield
    finally:
        forget()
        try:
            drop()
        except Exception as error:  # noqa: BLE001 - what has ended the chapters is the error to show
            logger.warning("Collection '%s' was not dropped: %s", settings.collection, describe(error))
