"""Resources of a process: the embedded server, the prepared collection, open stores, queries."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from loadgen.datasets import Dataset, GroundTruth, Selectivity, draw_order, reword
from loadgen.locust_plugin.preparation.answers import compare_variants, find_ground_truths
from loadgen.locust_plugin.preparation.existing_collections import clean_existing, inspect_existing
from loadgen.locust_plugin.preparation.fault_injection import RunFaults
from loadgen.locust_plugin.preparation.llm_server import RunLlmServer, needs_server
from loadgen.locust_plugin.preparation.searches import make_queries
from loadgen.locust_plugin.preparation.selectivities import find_selectivities, measure_existing
from loadgen.locust_plugin.preparation.variant_setup import (
    VariantSetup,
    find_source,
    open_datasets,
    open_own,
    resolve_variants,
    set_up_variants,
)
from loadgen.measure.sample import Mode
from loadgen.milvus.server import EmbeddedServer, describe_failure, start_server
from loadgen.milvus.server_metrics import ServerMetrics
from loadgen.milvus.store import (
    Compaction,
    Lease,
    Prepared,
    ServerInfo,
    StoreError,
    check_server,
    prepare,
    recount_segments,
    require_kinds,
)
from loadgen.results.record import CollectionRecord
from loadgen.runtime.early_exit import before_leaving
from loadgen.runtime.gc_freeze import set_aside
from loadgen.runtime.hub import run_in_thread
from loadgen.settings.addresses import split_addresses
from loadgen.settings.model import Settings
from loadgen.users import ProcessState

CONNECTED_WITHIN = 15
"""Seconds."""

logger = logging.getLogger("loadgen")


class Resources:
    """The server and the stores of one process. Every method blocks its greenlet, never the hub.

    `tell` receives progress, line by line, from any thread.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._server: EmbeddedServer | None = None
        self._shield = threading.Lock()
        self._llm_server = RunLlmServer()
        self.faults = RunFaults()
        self._leases: list[Lease] = []
        """One for each collection."""
        before_leaving(self._end_leases)
        self.answered: ServerInfo | None = None
        """Type and version of the server, once the collection is prepared."""
        self.ground_truths: tuple[GroundTruth, ...] = ()
        """The exact neighbours, if searches are to be checked."""
        self.selectivities: dict[str, Selectivity] = {}
        """Share of the rows that searches may find, by variant; of those without filter and partitions none."""
        self.collections: dict[str, dict[str, Any]] = {}
        """Existing collections as the server describes them, as plain values by name."""
        self.loaded: list[CollectionRecord] = []
        """The collections of the run, as they were when it began."""
        self._addressed = Settings()
        self.metrics = ServerMetrics(())
        self._datasets: dict[str, Dataset] = {}
        """Of the collections of the run, if this process has users."""
        self.fingerprint = ""
        """Of the data."""

    def prepare(self, settings: Settings, *, writes: bool) -> Settings:
        """Start a server if no address is given, and ensure that the collections contain exactly the data.

        Takes a lease on them, exclusively if the run `writes`; an embedded server needs none.
        The settings have the values of the data (`resolve_settings`); returns them with the address. Raises
        SettingsError, ServerError, StoreError.
        """
        try:
            return run_in_thread(lambda: self.faults.prepare(self._prepare(settings, writes=writes), self._server))
        except BaseException:
            self.release()
            raise

    def _prepare(self, settings: Settings, *, writes: bool) -> Settings:
        if not settings.host and (self._server is None or not self._server.listens()):
            if self._server is not None:  # what is left of it, also if it hangs without its port
                self._server.stop(keep=True)
            self._server = start_server(settings.embedded, tell=self._tell)
        address = settings.host or (self._server.uri if self._server else "")
        addressed = self._addressed = self._start_llm_server(settings.model_copy(update={"host": address}))
        self._find_metrics(addressed)
        self._end_leases()
        self._leases = []
        self.collections, self.ground_truths, self.selectivities, self.loaded = {}, (), {}, []
        if settings.existing:
            self.answered, self.collections = inspect_existing(addressed, self._tell, writes=writes)
            self.selectivities = measure_existing(set_up_variants(addressed, self.collections), self._tell)
            result = recount_segments(addressed, self.collections)
            self.loaded = [_describe(name, number) for name, number in result.items()]
            return addressed
        set_up = resolve_variants(set_up_variants(addressed))
        variants = [one.settings for one in set_up.values()]
        if any(one.has_full_text for one in variants):
            require_kinds(variants, check_server(addressed))
        is_shared = find_source(addressed) is None
        dataset = open_own(addressed)
        self.selectivities = find_selectivities(set_up, dataset, self._tell) if is_shared else {}
        first: dict[str, Settings] = {}
        for own in variants:
            first.setdefault(own.collection, own)
        for own in first.values():
            self._prepare_collection(own, reword(dataset, own) if is_shared else open_own(own), writes=writes)
        self.fingerprint = dataset.fingerprint
        self.ground_truths = find_ground_truths(variants, dataset) if is_shared else ()
        return addressed

    def _find_metrics(self, settings: Settings) -> None:
        """Where the server says what it does: as given, or that of the embedded one. Raises SettingsError."""
        given = split_addresses(settings.server_metrics)
        own = self._server.metrics_uri if self._server is not None and settings.host == self._server.uri else None
        self.metrics = ServerMetrics(given or ([own] if own else []))
        if given:
            self.metrics.check()

    def _start_llm_server(self, settings: Settings) -> Settings:
        """The settings with the address of a simulated LLM server, started for the run if they need one."""
        self._llm_server.stop()
        if not needs_server(settings):
            return settings
        url = self._llm_server.start()
        self._tell(f"Simulated models answer at {url}")
        return settings.model_copy(update={"simulated_url": url})

    def _prepare_collection(self, settings: Settings, dataset: Dataset, *, writes: bool) -> None:
        lease = None
        if self._server is None or settings.host != self._server.uri:
            doing = "searches, and inserts or deletes" if writes else "searches"
            lease = Lease(settings, doing, self._tell, writes=writes)
            self._leases.append(lease)
        prepared = prepare(settings, dataset, self._tell, self._shield, lease)
        self.answered = prepared.server
        self.loaded.append(_describe(settings.collection, prepared.segments, prepared))
        self._tell(f"The collection is ready: {prepared}")

    def open(
        self, process_state: ProcessState, settings: Settings, variants: Mapping[str, VariantSetup], worker: int
    ) -> None:
        """Open the stores of some variants and prepare their queries. Raises SettingsError, StoreError."""
        self.close(process_state)

        def work() -> None:
            datasets = self._datasets = open_datasets(settings, variants.values())
            process_state.settings = settings
            process_state.variants = {name: one.settings for name, one in variants.items()}
            make_queries(process_state, variants, datasets)
            process_state.query_order = draw_order(settings, worker)
            rows = {id(dataset): dataset.fresh_rows(worker) for dataset in datasets.values()}
            of_variant = {name: datasets[one.settings.collection] for name, one in variants.items()}
            process_state.rows = {name: rows[id(dataset)] for name, dataset in of_variant.items()}
            _open_stores(process_state, variants)
            set_aside()

        run_in_thread(work)

    def compare_variants(self, process_state: ProcessState, settings: Settings) -> dict[str, tuple[str, ...]]:
        """Why variants must not be compared with the first equivalent one, by name; empty if all agree.

        A process without users opens stores just for this. Raises StoreError.
        """
        passing = not process_state.stores

        def work() -> dict[str, tuple[str, ...]]:
            variants = set_up_variants(settings, self.collections)
            if passing:
                _open_stores(process_state, variants)
            datasets = open_datasets(settings, variants.values()) if passing else self._datasets
            return compare_variants(process_state.stores, process_state.loop, variants, datasets)

        try:
            return run_in_thread(work)
        finally:
            if passing:
                self.close(process_state)

    def close(self, process_state: ProcessState) -> None:
        """Close all stores."""

        def work() -> None:
            for name, stores in process_state.stores.items():
                connector = process_state.layer_for(name).connector
                if process_state.loop.alive:
                    process_state.loop.call(connector.aclose(stores)).result(timeout=5)
                connector.close(stores)
            process_state.stores = {}

        run_in_thread(work)

    def name_run(self, run: str) -> None:
        """Record the run in the leases."""
        for lease in self._leases:
            lease.name_run(run)

    def find_sharers(self) -> tuple[str, ...] | None:
        """The runs seen to search the collections concurrently; None if unknown."""
        if self._addressed.existing:
            return None  # an existing collection has no lease
        result = [lease.sharers for lease in self._leases]
        if any(sharers is None for sharers in result):
            return None
        return tuple(dict.fromkeys(run for sharers in result for run in sharers or ()))

    def count_segments(self) -> dict[str, int | None]:
        """The segments of each collection of the run now; None if unknown. Blocks for some seconds at most."""
        return recount_segments(self._addressed, [one.name for one in self.loaded])

    def release(self, report: Callable[[str], object] = logger.error) -> None:
        """Delete what the run has inserted into existing collections, and give up the leases.

        `report` gets a sentence for each collection in which rows remain.
        """
        collections, self.collections = self.collections, {}

        def work() -> None:
            clean_existing(self._addressed, collections, self._tell, report)
            self._end_leases()
            self._llm_server.stop()
            self.faults.stop()

        run_in_thread(work)

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
        reported = "the embedded server ended by itself"
        logger.error("%s", describe_failure(reported.capitalize(), self._server.log))
        return f"{reported}; its log is {self._server.log}"

    def stop_server(self) -> None:
        """Stop the embedded server, if any, and give up leases elsewhere."""
        self._end_leases()
        self._llm_server.stop()
        if self._server is not None:
            self._server.stop()
            self._server = None


def _describe(name: str, segments: int | None, prepared: Prepared | None = None) -> CollectionRecord:
    """A collection when its run begins; one that the run has not prepared was ready before."""
    return CollectionRecord(
        name=name,
        compaction=(prepared.compaction if prepared else Compaction.NOT_NEEDED).value,
        segments_loaded=prepared.segments_loaded if prepared else None,
        segments_before=segments,
        segments_after=None,
    )


def _open_stores(process_state: ProcessState, variants: Mapping[str, VariantSetup]) -> None:
    """Open and connect the stores, and keep the fingerprint of the data that each sees."""
    opened: dict[str, list[Any]] = {}
    process_state.stores, process_state.seen = opened, {}
    process_state.clients = {name: one.client for name, one in variants.items()}
    for name, one in variants.items():
        connector = one.layer.connector
        opened[name] = connector.open(one.settings, one.mode)
        if one.mode is Mode.SYNC:
            process_state.seen[name] = connector.warm(opened[name])
            continue
        within = CONNECTED_WITHIN if one.layer.data is None else CONNECTED_WITHIN + one.settings.deadline
        connecting = process_state.loop.call(connector.awarm(opened[name]))
        try:
            process_state.seen[name] = connecting.result(timeout=within)
        except TimeoutError:
            connecting.cancel()
            text = f"the async clients did not connect to {one.settings.host} within {within:g} s"
            raise StoreError(text) from None
