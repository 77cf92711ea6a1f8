"""Prepares the collection, once and before any load: reused, created, or refused."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import Enum, auto
from time import perf_counter

import grpc
from pymilvus.exceptions import MilvusException

from loadgen.datasets import Dataset
from loadgen.milvus.store.collection import Collection, Existing, Stage
from loadgen.milvus.store.creating import create_collection, open_for_loading
from loadgen.milvus.store.errors import StoreError
from loadgen.milvus.store.faults import describe_leftover, find_index_faults, find_ownership_faults
from loadgen.milvus.store.holders import Use
from loadgen.milvus.store.lease import Lease
from loadgen.milvus.store.loading import Loading
from loadgen.milvus.store.manifest import find_differences, make_manifest, name_data
from loadgen.milvus.store.patience import Patience
from loadgen.milvus.store.reaching import ServerInfo, check_server, explain_failure
from loadgen.milvus.store.search_kinds import find_kind_faults
from loadgen.milvus.store.segments import Compaction, judge_found
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.message_sizes import find_oversized, limits_of
from loadgen.settings.model import Settings

LIMIT_SECONDS = 120.0
ROWS_PER_SECOND = 500
"""Each step of the preparation may take the limit plus the time for all rows at this (slow) rate."""
TRIES = 3
"""How often another run may be faster to prepare the same data."""
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A collection that contains exactly the data."""

    rows: int
    reused: bool
    seconds: float
    index: str
    """The index type, as the server names it."""
    server: ServerInfo
    compaction: Compaction = Compaction.NOT_NEEDED
    segments_loaded: int | None = None
    """Segments when the rows were written; None if they existed before, or the server does not report it."""
    segments: int | None = None
    """Segments now."""

    def __str__(self) -> str:
        """For a log line."""
        how = "reused" if self.reused else "loaded"
        return f"{self.rows:,} rows {how} in {self.seconds:.1f} s, index {self.index}, {self.server}"


def prepare(
    settings: Settings,
    dataset: Dataset,
    tell: Tell,
    shield: AbstractContextManager[object] | None = None,
    lease: Lease | None = None,
) -> Prepared:
    """Ensure that the collection contains exactly the dataset, and that a search finds all of it.

    Blocks, for as long as the loading takes: call it on an OS thread without a running event loop. `tell` takes a line
    about once a second while rows are loaded, from that thread. `shield` is held while the collection is created, which
    has no owner until its manifest is written: the end of the process waits for it. `lease` is held when this returns;
    without one, nobody else uses the server. Raises SettingsError with all faults, the
    collection untouched; StoreError if the server misbehaves.
    """
    started = perf_counter()
    server = check_server(settings)
    patience = Patience(tell)
    work = _Work(settings, dataset, tell, patience, shield or nullcontext(), lease)
    try:
        with (
            Collection(
                settings, LIMIT_SECONDS + dataset.size / ROWS_PER_SECOND, patience.succeeded, tell
            ) as collection,
            _leaving_nothing(collection, settings),
            patience.watching(),
        ):
            reused, index = _prepare(collection, server, work)
            segments = collection.segments_loaded, collection.count_segments()
    except (MilvusException, grpc.RpcError) as error:
        raise StoreError(explain_failure("prepare", settings, error)) from error
    return Prepared(dataset.size, reused, perf_counter() - started, index, server, collection.compaction, *segments)


@dataclass(frozen=True, slots=True)
class _Work:
    """What to prepare, and where to report progress."""

    settings: Settings
    dataset: Dataset
    tell: Tell
    patience: Patience
    shield: AbstractContextManager[object]
    lease: Lease | None


def _prepare(collection: Collection, server: ServerInfo, work: _Work) -> tuple[bool, str]:
    """Whether the collection was reused, and its index type."""
    settings, dataset = work.settings, work.dataset
    lease, result = work.lease, collection.look()
    faults = [*find_index_faults(settings, server), *find_kind_faults(settings, server)]
    faults += find_ownership_faults(result, settings, dataset)
    if faults := [*faults, *find_oversized(settings, limits_of(server.kind, server.version))]:
        others = lease.find_others(name_data(settings, dataset)) if lease and result else []
        raise SettingsError([*faults, *others])
    if _is_ready(collection, settings, dataset, lease):
        reused, index = True, collection.index_type()
    else:
        reused, index = _make_ready(collection, server, work)
    collection.stage = Stage.UNTOUCHED  # it is finished
    if lease is not None:
        lease.settle()
    return reused, index


def _is_ready(collection: Collection, settings: Settings, dataset: Dataset, lease: Lease | None) -> bool:
    """Take the lease, and return whether the collection can be used as it is; if not, the lease is exclusive.

    Raises SettingsError if another run uses it.
    """
    data = name_data(settings, dataset)
    for _ in range(TRIES):
        if lease is not None:
            lease.take(data, Use.WRITE if lease.writes or settings.fresh else Use.READ)
        shared = lease is not None and lease.is_shared
        if not settings.fresh and _is_untouched(collection, settings, dataset, shared=shared):
            return True
        if lease is None or lease.make_exclusive():
            return False
    assert lease is not None  # noqa: S101 - without a lease there is no other user
    raise lease.refusal


def _is_untouched(collection: Collection, settings: Settings, dataset: Dataset, *, shared: bool) -> bool:
    """Whether the collection is as it should be, so that it need be neither flushed nor released nor loaded.

    What others search now has been settled by them, although maybe without a compaction.
    """
    result = collection.look()
    if (
        result is None
        or result.manifest is None
        or find_differences(result.manifest, make_manifest(settings, dataset), settings)
    ):
        return False
    compaction = judge_found(result.compaction, wanted=not settings.no_wait_compaction)
    if not collection.contains(dataset.size, dataset.fingerprint):
        return False
    if not shared and (compaction is Compaction.UNKNOWN or not collection.is_settled(dataset.size)):
        return False
    collection.compaction = compaction
    return True


def _make_ready(collection: Collection, server: ServerInfo, work: _Work) -> tuple[bool, str]:
    """Reuse the collection, or drop and create it, and settle it; returns whether it was reused, and the index type."""
    settings, dataset = work.settings, work.dataset
    result = collection.look()
    if faults := find_ownership_faults(result, settings, dataset):  # another run may have been faster
        raise SettingsError(faults)
    state = CollectionState.NONE if result is None else _judge(result, collection, settings, dataset, work.tell)
    reused = state is CollectionState.COMPLETE
    if not reused:
        dataset.check(work.tell)
    if state is CollectionState.UNUSABLE:
        collection.drop()
    if not reused:
        _load(collection, work, continued=state is CollectionState.INTERRUPTED)
    unless = Compaction.NOT_SUPPORTED if server.kind == "lite" else None  # it would answer, and do nothing
    index = collection.settle(dataset.size, Compaction.NOT_AWAITED if settings.no_wait_compaction else unless)
    _require_exactly(collection, dataset)
    return reused, index


@contextmanager
def _leaving_nothing(collection: Collection, settings: Settings) -> Iterator[None]:
    """Drop the collection created inside if anything fails: an incomplete one would block other runs.

    If it cannot be dropped, the error says so, and how to do it.
    """
    try:
        yield
    except BaseException as error:
        left = collection.undo()
        if left is None or not isinstance(error, Exception):
            raise
        problem, hint = describe_leftover(left, collection.name, settings)
        if isinstance(error, SettingsError):
            raise SettingsError([*error.faults, Fault("collection", collection.name, problem, hint)]) from error
        reported = str(error) if isinstance(error, StoreError) else explain_failure("prepare", settings, error)
        raise StoreError(f"{reported}. Collection '{collection.name}' {problem}. {hint}") from error


class CollectionState(Enum):
    """What there is of a collection that we may use or drop."""

    NONE = auto()
    COMPLETE = auto()
    """It contains exactly the data."""
    INTERRUPTED = auto()
    """It contains only rows of the data, but not all."""
    UNUSABLE = auto()


def _judge(
    existing: Existing, collection: Collection, settings: Settings, dataset: Dataset, tell: Tell
) -> CollectionState:
    """Reports why it is not complete."""
    name = f"collection '{settings.collection}'"
    if existing.manifest is None:
        tell(f"{name} was not created by this tool: dropping it (--overwrite)")
        return CollectionState.UNUSABLE
    if settings.fresh:
        tell(f"{name} is reloaded (--fresh)")
        return CollectionState.UNUSABLE
    if not collection.has_index():
        tell(f"{name} was not finished: reloading")
        return CollectionState.UNUSABLE
    collection.load()
    rows = collection.count()
    ours = collection.count(dataset.fingerprint) if rows <= dataset.size else 0
    if ours == dataset.size:
        return CollectionState.COMPLETE
    if 0 < ours == rows:
        tell(f"{name} contains {rows:,} of {dataset.size:,} rows: continuing")
        return CollectionState.INTERRUPTED
    if rows == dataset.size:
        difference = f"{rows - ours:,} of them not of this data"
    else:
        difference = f"{abs(rows - dataset.size):,} {'more' if rows > dataset.size else 'fewer'} than asked for"
    tell(f"{name} contains {rows:,} rows, {difference}: reloading")
    return CollectionState.UNUSABLE


def _load(collection: Collection, work: _Work, *, continued: bool) -> None:
    """Create and fill it, or send the rows that are missing. What a failed continuation has loaded stays."""
    settings, dataset = work.settings, work.dataset
    with Loading(dataset, settings, work.patience, collection.count_ids if continued else None) as loading:
        if continued:
            store = open_for_loading(collection, settings)
        else:
            with work.shield:
                store = create_collection(collection, settings, dataset)
        started = perf_counter()
        try:
            asyncio.run(loading.run(store, work.tell))
        except (MilvusException, grpc.RpcError) as error:
            raise StoreError(
                explain_failure("prepare", settings, error, f"loading stopped after {loading.loaded:,} rows: ")
            ) from error
        finally:
            store.client.close()
        seconds = perf_counter() - started
    sent = dataset.size - loading.present
    more = f" ({loading.present:,} were there)" if loading.present else ""
    work.tell(f"loaded {sent:,} rows in {seconds:.1f} s, {sent / seconds:,.0f} rows/s{more}; waiting for the index")


def _require_exactly(collection: Collection, dataset: Dataset) -> None:
    rows = collection.count()
    if rows != dataset.size:
        raise StoreError(f"collection '{collection.name}' contains {rows:,} rows after {dataset.size:,} were loaded")
