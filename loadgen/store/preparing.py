"""The collection made ready, once and before any load: reused, made, or refused."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any

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
from loadgen.store.collection import Collection, Found, Leftover, Stage
from loadgen.store.errors import GivenUpError, StoreError, is_denied, server_words, status_of
from loadgen.store.loading import Loading
from loadgen.store.manifest import MANIFEST_KEY, find_differences, make_manifest
from loadgen.store.patience import Patience
from loadgen.store.reaching import ServerInfo, check_server, explain_failure
from loadgen.workload import Dataset

LIMIT_SECONDS = 120.0
ROWS_PER_SECOND = 500
"""Each part of the preparing may take the limit and the time for all rows at this rate, which is a slow one."""
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
    settings: Settings, dataset: Dataset, tell: Tell, shield: AbstractContextManager[object] | None = None
) -> Prepared:
    """See to it that the collection holds exactly the dataset, and that all of it is found by a search.

    Blocks, for as long as the loading takes: call it on an OS thread without a running event loop. `tell` takes a line
    about once a second while rows are loaded, from that thread. `shield` is held while the collection is made, which
    would look like nobody's until its manifest is written: who wants to end the process waits for it. Raises
    SettingsError with every fault found, the collection untouched; StoreError where the server does not do what it
    should.
    """
    started = perf_counter()
    server = check_server(settings)
    patience = Patience(tell)
    work = _Work(settings, dataset, tell, patience, shield or nullcontext())
    try:
        with (
            Collection(settings, LIMIT_SECONDS + dataset.size / ROWS_PER_SECOND, patience.succeeded) as collection,
            _leaving_nothing(collection, settings),
            patience.watching(),
        ):
            reused, index = _prepare(collection, server, work)
    except (MilvusException, grpc.RpcError) as error:
        raise StoreError(explain_failure("prepare", settings, error)) from error
    return Prepared(dataset.size, reused, perf_counter() - started, index, server)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be prepared, and who hears of it."""

    settings: Settings
    dataset: Dataset
    tell: Tell
    patience: Patience
    shield: AbstractContextManager[object]


def _prepare(collection: Collection, server: ServerInfo, work: _Work) -> tuple[bool, str]:
    """Whether the collection was reused, and its index type."""
    settings, dataset = work.settings, work.dataset
    found = collection.look()
    faults = [*_index_faults(settings, server), *_ownership_faults(found, settings, dataset)]
    if faults := [*faults, *find_oversized(settings, limits_of(server.kind, server.version))]:
        raise SettingsError(faults)
    reused = found is not None and _is_usable(found, collection, settings, dataset, work.tell)
    if found is not None and not reused:
        collection.drop()
    if not reused:
        _load(collection, work)
    index = collection.settle(dataset.size)
    _require_exactly(collection, dataset)
    collection.stage = Stage.UNTOUCHED  # it is finished
    return reused, index


@contextmanager
def _leaving_nothing(collection: Collection, settings: Settings) -> Iterator[None]:
    """Drop the collection that was made inside where anything fails: half made it would be in everybody's way.

    Where it cannot be dropped, the error says so, and how somebody else does it.
    """
    try:
        yield
    except BaseException as error:
        left = collection.undo()
        if left is None or not isinstance(error, Exception):
            raise
        problem, way_out = _describe_leftover(left, collection.name, settings)
        if isinstance(error, SettingsError):
            raise SettingsError([*error.faults, Fault("collection", collection.name, problem, way_out)]) from error
        told = str(error) if isinstance(error, StoreError) else explain_failure("prepare", settings, error)
        raise StoreError(f"{told}. Collection '{collection.name}' {problem}. {way_out}") from error


def _describe_leftover(left: Leftover, name: str, settings: Settings) -> tuple[str, str]:
    """What is wrong with a collection that is left behind, and what to do."""
    problem = f"was left half made ({left.why})"
    if left.stage is Stage.OWNED and not left.denied:
        return problem, "A run with the same settings loads it anew."
    call = f"MilvusClient('{without_secret(settings.host)}', token='...').drop_collection('{name}')"
    who = "Have a user who may drop it" if left.denied else "If it is of no use to anybody"
    return problem, f'{who}: python -c "from pymilvus import MilvusClient; {call}".'


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


def _load(collection: Collection, work: _Work) -> None:
    settings, dataset = work.settings, work.dataset
    with Loading(dataset, settings, work.patience) as loading:
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
    rate = dataset.size / seconds
    work.tell(f"loaded {dataset.size:,} rows in {seconds:.1f} s, {rate:,.0f} rows/s; waiting for the index")


def create_collection(collection: Collection, settings: Settings, dataset: Dataset) -> MilvusVectorStore:
    """Let LlamaIndex make the collection, then write the manifest, then make the index, and load it.

    In three steps, because the constructor would write the manifest last, after seconds of indexing and loading: a
    process killed meanwhile would leave a collection that nobody owns. Raises SettingsError where the index is refused,
    and what pymilvus raises; the caller undoes what the collection's stage says was made.
    """
    manifest = json.dumps(make_manifest(settings, dataset))
    arguments = store_arguments(settings, Mode.ASYNC) | connection_arguments(settings, collection.limit)
    bare = {"upsert_mode": False, "index_management": IndexManagement.NO_VALIDATION}
    collection.stage = Stage.ASKED_FOR
    store = MilvusVectorStore(**(arguments | bare))
    collection.stage = Stage.CREATED
    try:
        store.client.alter_collection_properties(settings.collection, properties={MANIFEST_KEY: manifest})
        collection.stage = Stage.OWNED
        index = store._add_dense_index_params(store.client.prepare_index_params())  # noqa: SLF001 - LlamaIndex's own
        _create_index(store, index, collection, settings)
        store.client.load_collection(settings.collection)
    except BaseException:
        store.client.close()
        raise
    return store


def _create_index(store: MilvusVectorStore, index: Any, collection: Collection, settings: Settings) -> None:
    """Raises SettingsError where the server finds the index wrong."""
    try:
        store.client.create_index(settings.collection, index)
    except MilvusException as error:
        given_up = isinstance(error, GivenUpError) or status_of(error)[0] is not None
        if given_up or is_denied(error) or collection.has_index():
            raise
        raise SettingsError([_refused_index(settings, server_words(error))]) from error


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
