"""The collection made ready, once and before any load: reused, made, or refused."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from time import perf_counter

import grpc
from llama_index.vector_stores.milvus import MilvusVectorStore
from llama_index.vector_stores.milvus.base import IndexManagement
from pymilvus.exceptions import MilvusException

from loadgen.conflicts import without_secret
from loadgen.faults import Fault, SettingsError
from loadgen.message_sizes import find_oversized, limits_of
from loadgen.sample import Mode
from loadgen.settings import Settings
from loadgen.store.arguments import connection_arguments, store_arguments
from loadgen.store.collection import Collection, Found
from loadgen.store.errors import StoreError, server_words
from loadgen.store.holders import Use
from loadgen.store.lease import Lease
from loadgen.store.loading import Loading
from loadgen.store.manifest import MANIFEST_KEY, find_differences, make_manifest, name_data
from loadgen.store.reaching import ServerInfo, check_server
from loadgen.workload import Dataset

LIMIT_SECONDS = 120.0
ROWS_PER_SECOND = 500
"""Each part of the preparing may take the limit and the time for all rows at this rate, which is a slow one."""
TRIES = 3
"""How often somebody else may be faster to make the same data ready."""
LITE_INDEXES = ("FLAT", "AUTOINDEX", "HNSW", "IVF_FLAT", "IVF_SQ8")
"""What Milvus Lite builds. It accepts any other name as well, searches without an index and does not say so."""
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A collection that holds exactly the data."""

    rows: int
    reused: bool
    seconds: float
    index: str
    """The index type, as the server names it."""
    server: ServerInfo

    def __str__(self) -> str:
        """For a log line."""
        how = "found as it should be" if self.reused else "loaded"
        return f"{self.rows:,} rows {how} in {self.seconds:.1f} s, index {self.index}, {self.server}"


def prepare(
    settings: Settings,
    dataset: Dataset,
    tell: Tell,
    shield: AbstractContextManager[object] | None = None,
    lease: Lease | None = None,
) -> Prepared:
    """See to it that the collection holds exactly the dataset, and that all of it is found by a search.

    Blocks, for as long as the loading takes: call it on an OS thread without a running event loop. `tell` takes a line
    about once a second while rows are loaded, from that thread. `shield` is held while the collection is made, which
    would look like nobody's until its manifest is written: who wants to end the process waits for it. `lease` is held
    when this returns; without one, nobody else knows the server. Raises SettingsError with every fault found, the
    collection untouched; StoreError where the server does not do what it should.
    """
    started = perf_counter()
    server = check_server(settings)
    try:
        with Collection(settings, LIMIT_SECONDS + dataset.size / ROWS_PER_SECOND) as collection:
            found = collection.look()
            faults = [*_index_faults(settings, server), *_ownership_faults(found, settings, dataset)]
            if faults := [*faults, *find_oversized(settings, limits_of(server.kind, server.version))]:
                others = lease.find_others(name_data(settings, dataset)) if lease and found else []
                raise SettingsError([*faults, *others])
            if _is_ready(collection, settings, dataset, lease):
                reused, index = True, collection.index_type()
            else:
                reused, index = _make_ready(collection, settings, dataset, (tell, shield or nullcontext()))
            if lease is not None:
                lease.settle()
    except (MilvusException, grpc.RpcError) as error:
        where = f"collection '{settings.collection}' on {without_secret(settings.host)}"
        raise StoreError(f"cannot prepare {where}: {server_words(error)}") from error
    return Prepared(dataset.size, reused, perf_counter() - started, index, server)


def _is_ready(collection: Collection, settings: Settings, dataset: Dataset, lease: Lease | None) -> bool:
    """Take the lease, and tell whether the collection can be used as it is; where not, it is ours alone.

    Raises SettingsError where somebody else holds it.
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
    assert lease is not None  # noqa: S101 - without one nobody is in the way
    raise lease.refusal


def _is_untouched(collection: Collection, settings: Settings, dataset: Dataset, *, shared: bool) -> bool:
    """Whether the collection is as it should be, so that it need be neither flushed nor released nor loaded.

    What others search now has been settled by them.
    """
    found = collection.look()
    if (
        found is None
        or found.manifest is None
        or find_differences(found.manifest, make_manifest(settings, dataset), settings)
    ):
        return False
    return collection.holds(dataset.size, dataset.fingerprint) and (shared or collection.is_settled(dataset.size))


def _make_ready(
    collection: Collection, settings: Settings, dataset: Dataset, outside: tuple[Tell, AbstractContextManager[object]]
) -> tuple[bool, str]:
    """Use, drop or make what is there, and settle it; whether it was used, and the index type."""
    found = collection.look()
    if faults := _ownership_faults(found, settings, dataset):  # somebody may have been faster
        raise SettingsError(faults)
    reused = found is not None and _is_usable(found, collection, settings, dataset, outside[0])
    if found is not None and not reused:
        collection.drop()
    if not reused:
        _load(collection, settings, dataset, outside)
    index = collection.settle(dataset.size)
    _require_exactly(collection, dataset)
    return reused, index


def _index_faults(settings: Settings, server: ServerInfo) -> list[Fault]:
    if server.kind != "lite" or settings.index_type in LITE_INDEXES:
        return []
    problem = "is not built by Milvus Lite, which would search without an index and not say so"
    return [Fault("index_type", settings.index_type, problem, f"Choose {', '.join(LITE_INDEXES)}.")]


def _ownership_faults(found: Found | None, settings: Settings, dataset: Dataset) -> list[Fault]:
    """Why the collection that is there may be neither used nor dropped."""
    if found is None:
        return []
    if found.manifest is not None:
        wanted = make_manifest(settings, dataset)
        return [] if settings.fresh else find_differences(found.manifest, wanted, settings)
    if settings.overwrite:
        return []
    way_out = "Use another --collection, or --overwrite to drop this one."
    faults = [Fault("collection", settings.collection, "was not made by this tool and is left as it is", way_out)]
    if found.dim != settings.dim:
        problem = f"collection '{settings.collection}' has dim {found.dim}"
        faults.append(Fault("dim", str(settings.dim), problem, way_out))
    return faults


def _is_usable(found: Found, collection: Collection, settings: Settings, dataset: Dataset, tell: Tell) -> bool:
    """Whether a collection that we may use or drop holds exactly the data; tells why where it does not."""
    name = f"collection '{settings.collection}'"
    if found.manifest is None:
        tell(f"{name} is somebody else's: dropping it, as --overwrite says")
        return False
    if settings.fresh:
        tell(f"{name} is loaded anew, as --fresh says")
        return False
    collection.load()
    rows = collection.count()
    ours = collection.count(dataset.fingerprint) if rows == dataset.size else 0
    if ours == dataset.size:
        return True
    if rows == dataset.size:
        difference = f"{rows - ours:,} of them not of this data"
    else:
        difference = f"{abs(rows - dataset.size):,} {'more' if rows > dataset.size else 'fewer'} than asked for"
    tell(f"{name} holds {rows:,} rows, {difference}: loading anew")
    return False


def _load(
    collection: Collection, settings: Settings, dataset: Dataset, outside: tuple[Tell, AbstractContextManager[object]]
) -> None:
    tell, shield = outside
    with Loading(dataset, settings) as loading:
        with shield:
            store = create_collection(collection, settings, dataset)
        started = perf_counter()
        try:
            asyncio.run(loading.run(store, tell))
        except (MilvusException, grpc.RpcError) as error:
            raise StoreError(f"loading stopped after {loading.loaded:,} rows: {server_words(error)}") from error
        finally:
            store.client.close()
        seconds = perf_counter() - started
    tell(
        f"loaded {dataset.size:,} rows in {seconds:.1f} s, {dataset.size / seconds:,.0f} rows/s; waiting for the index"
    )


def create_collection(collection: Collection, settings: Settings, dataset: Dataset) -> MilvusVectorStore:
    """Let LlamaIndex make the collection, then the index; one whose index is refused is dropped again.

    In two steps, because the constructor would write the manifest last, after seconds of indexing and loading: a
    process killed meanwhile would leave a collection that nobody owns.
    """
    manifest = json.dumps(make_manifest(settings, dataset))
    arguments = store_arguments(settings, Mode.ASYNC) | connection_arguments(settings, collection.limit)
    bare = {"upsert_mode": False, "index_management": IndexManagement.NO_VALIDATION}
    store = MilvusVectorStore(**(arguments | bare), collection_properties={MANIFEST_KEY: manifest})
    try:
        index = store._add_dense_index_params(store.client.prepare_index_params())  # noqa: SLF001 - LlamaIndex's own
        store.client.create_index(settings.collection, index)
        store.client.load_collection(settings.collection)
    except MilvusException as error:
        store.client.close()
        has_index = collection.has_index()
        collection.drop()
        if has_index:
            raise
        raise SettingsError([_refused_index(settings, server_words(error))]) from error
    return store


def _refused_index(settings: Settings, words: str) -> Fault:
    """The fault that the server's words are about: the parameters where they name one of them, else the type."""
    params = {name: value for name, value in settings.index_config.items() if name != "index_type"}
    for name in params:
        if re.search(rf"\b{re.escape(name)}\b", words):
            shown = ",".join(f"{given}={value}" for given, value in params.items())
            return Fault("index_params", shown, f"are refused by the server ({words})", "Change them.")
    return Fault("index_type", settings.index_type, f"is refused by the server ({words})", "Choose another.")


def _require_exactly(collection: Collection, dataset: Dataset) -> None:
    rows = collection.count()
    if rows != dataset.size:
        raise StoreError(f"collection '{collection.name}' holds {rows:,} rows after {dataset.size:,} were loaded")
