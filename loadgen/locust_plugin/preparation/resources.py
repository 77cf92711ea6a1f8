"""Resources of a process: the embedded server, the prepared collection, open stores, queries."""

import logging
import threading
from collections.abc import Callable, Container, Mapping
from typing import Any

from loadgen.datasets import Dataset, GroundTruth, InsertStream
from loadgen.locust_plugin.preparation.answers import compare_variants, find_ground_truths
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
    vary_query,
    warm_stores,
    warm_sync_stores,
)
from loadgen.runtime.early_exit import before_leaving
from loadgen.runtime.gc_freeze import set_aside
from loadgen.runtime.hub import run_in_thread
from loadgen.settings.model import Settings
from loadgen.settings.variants import find_variants, settings_of
from loadgen.users import ProcessState

CONNECTED_WITHIN = 15
"""Seconds."""

logger = logging.getLogger("loadgen")


class Nodes:
    """New nodes for inserts, made from rows that were never inserted before."""

    def __init__(self, stream: InsertStream) -> None:
        self._stream = stream

    def take(self, number: int) -> list[Any]:
        """The given number of new nodes."""
        return [to_node(next(self._stream)) for _ in range(number)]


class Resources:
    """The server and the stores of one process. Every method blocks its greenlet, never the hub.

    `tell` receives progress, line by line, from any thread.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._server: EmbeddedServer | None = None
        self._shield = threading.Lock()
        self._leases: list[Lease] = []
        """One for each collection."""
        before_leaving(self._end_leases)
        self.answered: ServerInfo | None = None
        """Type and version of the server, once the collection is prepared."""
        self.ground_truths: tuple[GroundTruth, ...] = ()
        """The exact neighbours, if searches are to be checked."""

    def prepare(self, settings: Settings, *, writes: bool) -> Settings:
        """Start a server if no address is given, and ensure that the collections contain exactly the data.

        Takes a lease on them, exclusively if the run `writes`; an embedded server needs none.
        Returns the settings with the address. Raises SettingsError, ServerError, StoreError.
        """
        try:
            return run_in_thread(lambda: self._prepare(settings, writes=writes))
        except BaseException:
            self.release()
            raise

    def _prepare(self, settings: Settings, *, writes: bool) -> Settings:
        if not settings.host and (self._server is None or not self._server.listens()):
            if self._server is not None:  # what is left of it, also if it hangs without its port
                self._server.stop(keep=True)
            self._server = start_server(settings.embedded, tell=self._tell)
        address = settings.host or (self._server.uri if self._server else "")
        addressed = settings.model_copy(update={"host": address})
        self._end_leases()
        self._leases = []
        variants = [own for _, own in _settings_by_variant(addressed).values()]
        dataset = Dataset(addressed)
        for own in {one.collection: one for one in reversed(variants)}.values():
            self._prepare_collection(own, dataset, writes=writes)
        self.ground_truths = find_ground_truths(variants, dataset)
        return addressed

    def _prepare_collection(self, settings: Settings, dataset: Dataset, *, writes: bool) -> None:
        lease = None
        if self._server is None or settings.host != self._server.uri:
            doing = "searches, and inserts or deletes" if writes else "searches"
            lease = Lease(settings, doing, self._tell, writes=writes)
            self._leases.append(lease)
        prepared = prepare(settings, dataset, self._tell, self._shield, lease)
        self.answered = prepared.server
        self._tell(f"The collection is ready: {prepared}")

    def open(self, process_state: ProcessState, settings: Settings, modes: Container[Mode], worker: int) -> None:
        """Open the stores of the variants of these modes and prepare the queries. Raises SettingsError, StoreError."""
        self.close(process_state)

        def work() -> None:
            dataset = Dataset(settings)
            variants = {name: own for name, own in _settings_by_variant(settings).items() if own[0] in modes}
            process_state.settings = settings
            process_state.variants = {name: own for name, (_, own) in variants.items()}
            process_state.clients = {one.name: one.client for one in find_variants(settings)}
            _make_queries(process_state, dataset)
            process_state.nodes = Nodes(InsertStream(dataset, worker))
            _open_stores(process_state, variants)
            set_aside()

        run_in_thread(work)

    def compare_variants(self, process_state: ProcessState, settings: Settings) -> dict[str, tuple[str, ...]]:
        """Why variants must not be compared with the first equivalent one, by name; empty if all agree.

        A process without users opens stores just for this. Raises StoreError.
        """
        passing = not process_state.stores

        def work() -> dict[str, tuple[str, ...]]:
            variants = _settings_by_variant(settings)
            if passing:
                _open_stores(process_state, variants)
            return compare_variants(process_state.stores, process_state.loop, variants)

        try:
            return run_in_thread(work)
        finally:
            if passing:
                self.close(process_state)

    def close(self, process_state: ProcessState) -> None:
        """Close all stores."""

        def work() -> None:
            for stores in process_state.stores.values():
                if process_state.loop.alive:
                    process_state.loop.call(aclose_stores(stores)).result(timeout=5)
                close_stores(stores)
            process_state.stores = {}

        run_in_thread(work)

    def name_run(self, run: str) -> None:
        """Record the run in the leases."""
        for lease in self._leases:
            lease.name_run(run)

    def find_sharers(self) -> tuple[str, ...] | None:
        """The runs seen to search the collections concurrently; None if unknown."""
        found = [lease.sharers for lease in self._leases]
        if any(sharers is None for sharers in found):
            return None
        return tuple(dict.fromkeys(run for sharers in found for run in sharers or ()))

    def release(self) -> None:
        """Give up the leases."""
        run_in_thread(self._end_leases)

    def _end_leases(self) -> None:
        for lease in self._leases:
            lease.release()

    def wait_for_shield(self) -> None:
        """Before an early exit: let a collection that is being created get its manifest, 4 s at most."""
        self._shield.acquire(timeout=4)

    def find_death(self) -> str:
        """The error of an embedded server that ended by itself, after logging its last lines; otherwise empty."""
        if self._server is None or self._server.running:
            return ""
        self._server.stop(keep=True)
        told = "the embedded server ended by itself"
        logger.error("%s", describe_failure(told.capitalize(), self._server.log))
        return f"{told}; its log is {self._server.log}"

    def stop_server(self) -> None:
        """Stop the embedded server, if any, and give up leases elsewhere."""
        self._end_leases()
        if self._server is not None:
            self._server.stop()
            self._server = None


def _settings_by_variant(settings: Settings) -> dict[str, tuple[Mode, Settings]]:
    """Mode and settings of each variant of a run, by name."""
    return {one.name: (Mode(one.mode), settings_of(settings, one)) for one in find_variants(settings)}


def _make_queries(process_state: ProcessState, dataset: Dataset) -> None:
    """The queries of every variant, of the same vectors, created once for equal top k and output fields."""
    settings = process_state.settings
    queries = [to_query(vector, settings) for vector in dataset.queries()]
    made = {(settings.top_k, settings.output_fields): queries}
    own = {}
    for name, one in process_state.variants.items():
        key = (one.top_k, one.output_fields)
        if key not in made:
            made[key] = [vary_query(query, one) for query in queries]
        own[name] = made[key]
    process_state.queries, process_state.own_queries = queries, own
    asked = [(top_k, some) for (top_k, _), some in made.items()]
    process_state.checks.arm(settings.recall_every, asked, dataset.row_id)


def _open_stores(process_state: ProcessState, variants: Mapping[str, tuple[Mode, Settings]]) -> None:
    """Open and connect the stores, and keep the fingerprint of the data that each sees."""
    opened: dict[str, list[Any]] = {}
    process_state.stores, process_state.seen = opened, {}
    for name, (mode, settings) in variants.items():
        opened[name] = open_stores(settings, mode)
        if mode is Mode.SYNC:
            process_state.seen[name] = warm_sync_stores(opened[name])
            continue
        connecting = process_state.loop.call(warm_stores(opened[name]))
        try:
            process_state.seen[name] = connecting.result(timeout=CONNECTED_WITHIN)
        except TimeoutError:
            connecting.cancel()
            told = f"the async clients did not connect to {settings.host} within {CONNECTED_WITHIN} s"
            raise StoreError(told) from None
