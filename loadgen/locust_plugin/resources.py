"""What a process needs before its users: the embedded server, the prepared collection, open stores, made queries."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from loadgen.datasets import Dataset, GroundTruth, InsertStream
from loadgen.locust_plugin.answers import compare_modes, find_ground_truth
from loadgen.measure.sample import Mode
from loadgen.milvus.server import EmbeddedServer, describe_failure, start_server
from loadgen.milvus.store import (
    Lease,
    ServerInfo,
    StoreError,
    aclose_stores,
    close_stores,
    open_stores,
    prepare,
    to_node,
    to_query,
    warm_stores,
    warm_sync_stores,
)
from loadgen.runtime.garbage import set_aside
from loadgen.runtime.hub import run_in_thread
from loadgen.runtime.leaving import before_leaving
from loadgen.settings.model import Settings
from loadgen.users import ProcessState

CONNECTED_WITHIN = 15
"""Seconds."""

logger = logging.getLogger("loadgen")


class Nodes:
    """New nodes for inserts, made from rows that were never inserted before."""

    def __init__(self, stream: InsertStream) -> None:
        self._stream = stream

    def take(self, number: int) -> list[Any]:
        """So many new nodes."""
        return [to_node(next(self._stream)) for _ in range(number)]


class Resources:
    """The server and the stores of one process. Every method blocks its greenlet, never the hub.

    `tell` hears what goes on, line by line, from any thread.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._server: EmbeddedServer | None = None
        self._shield = threading.Lock()
        self._lease: Lease | None = None
        before_leaving(self._end_lease)
        self.answered: ServerInfo | None = None
        """What the server said it is, once the collection is prepared."""
        self.ground_truth: GroundTruth | None = None
        """The exact neighbours, where searches are to be checked."""

    def prepare(self, settings: Settings, *, writes: bool) -> Settings:
        """Start a server where no address is given, and make sure that the collection holds exactly the data.

        The collection is held from here on, alone where the run `writes`; a server of our own nobody else knows.
        Returns the settings with the address. Raises SettingsError, ServerError, StoreError.
        """

        def work() -> Settings:
            if not settings.host and (self._server is None or not self._server.running):
                self._server = start_server(settings.embedded, tell=self._tell)
            address = settings.host or (self._server.uri if self._server else "")
            addressed = settings.model_copy(update={"host": address})
            dataset = Dataset(addressed)
            self._end_lease()
            self._lease = None
            if self._server is None or address != self._server.uri:
                doing = "searches, and inserts or deletes" if writes else "searches"
                self._lease = Lease(addressed, doing, self._tell, writes=writes)
            prepared = prepare(addressed, dataset, self._tell, self._shield, self._lease)
            self.answered = prepared.server
            self._tell(f"The collection is ready: {prepared}")
            self.ground_truth = find_ground_truth(addressed, dataset)
            return addressed

        try:
            return run_in_thread(work)
        except BaseException:
            self.release()
            raise

    def open(self, process_state: ProcessState, settings: Settings, modes: Iterable[Mode], worker: int) -> None:
        """Open the stores of these modes and make the queries. Raises SettingsError, StoreError."""
        self.close(process_state)

        def work() -> None:
            dataset = Dataset(settings)
            process_state.settings = settings
            process_state.queries = [to_query(vector, settings) for vector in dataset.queries()]
            process_state.checks.arm(settings.recall_every, process_state.queries, dataset.row_id)
            process_state.nodes = Nodes(InsertStream(dataset, worker))
            _open_stores(process_state, settings, modes)
            set_aside()

        run_in_thread(work)

    def compare_modes(self, process_state: ProcessState, settings: Settings) -> tuple[str, ...]:
        """Why sync and async must not be compared, by their answers before the run; empty where they agree.

        A process without users opens stores just for this. Raises StoreError.
        """
        passing = not process_state.stores

        def work() -> tuple[str, ...]:
            if passing:
                _open_stores(process_state, settings, tuple(Mode))
            return compare_modes(process_state.stores, process_state.loop, settings)

        try:
            return run_in_thread(work)
        finally:
            if passing:
                self.close(process_state)

    def close(self, process_state: ProcessState) -> None:
        """Close all stores."""

        def work() -> None:
            for mode, stores in process_state.stores.items():
                if mode is Mode.ASYNC and process_state.loop.alive:
                    process_state.loop.call(aclose_stores(stores)).result(timeout=5)
                close_stores(stores)
            process_state.stores = {}

        run_in_thread(work)

    def name_run(self, run: str) -> None:
        """Let others know which run uses the collection."""
        if self._lease is not None:
            self._lease.name_run(run)

    def find_sharers(self) -> tuple[str, ...] | None:
        """The runs that were seen to search the collection beside this one; None where nobody can know."""
        return () if self._lease is None else self._lease.sharers

    def release(self) -> None:
        """Let others have the collection."""
        run_in_thread(self._end_lease)

    def _end_lease(self) -> None:
        if self._lease is not None:
            self._lease.release()

    def wait_for_shield(self) -> None:
        """Before the process ends early: let a collection that is just being made get its manifest, 4 s at most."""
        self._shield.acquire(timeout=4)

    def find_death(self) -> str:
        """What to tell of an embedded server that has ended by itself, its last log lines logged; else empty."""
        if self._server is None or self._server.running:
            return ""
        self._server.stop(keep=True)
        told = "the embedded server ended by itself"
        logger.error("%s", describe_failure(told.capitalize(), self._server.log))
        return f"{told}; its log is {self._server.log}"

    def stop_server(self) -> None:
        """End the embedded server, if there is one, and any hold on a collection elsewhere."""
        self._end_lease()
        if self._server is not None:
            self._server.stop()
            self._server = None


def _open_stores(process_state: ProcessState, settings: Settings, modes: Iterable[Mode]) -> None:
    """Open, connect, and keep what each store sees of the data."""
    process_state.stores = {mode: open_stores(settings, mode) for mode in modes}
    process_state.seen = {Mode.SYNC: warm_sync_stores(process_state.stores.get(Mode.SYNC, ()))}
    if Mode.ASYNC in process_state.stores:
        connecting = process_state.loop.call(warm_stores(process_state.stores[Mode.ASYNC]))
        try:
            process_state.seen[Mode.ASYNC] = connecting.result(timeout=CONNECTED_WITHIN)
        except TimeoutError:
            connecting.cancel()
            told = f"the async clients did not connect to {settings.host} within {CONNECTED_WITHIN} s"
            raise StoreError(told) from None
