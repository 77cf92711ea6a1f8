"""Create a collection through LlamaIndex, in steps that can be undone."""

import json
import re
from typing import Any

from llama_index.vector_stores.milvus import MilvusVectorStore
from llama_index.vector_stores.milvus.base import IndexManagement
from pymilvus.exceptions import MilvusException

from loadgen.datasets import Dataset
from loadgen.measure.sample import Mode
from loadgen.milvus.store.arguments import connection_arguments, store_arguments
from loadgen.milvus.store.collection import Collection, Stage
from loadgen.milvus.store.errors import GivenUpError, is_denied, server_words, status_of
from loadgen.milvus.store.manifest import COMPACTION_KEY, MANIFEST_KEY, make_manifest
from loadgen.milvus.store.partitioned import create_partitions, find_store_class
from loadgen.milvus.store.segments import Compaction
from loadgen.settings.faults import Fault, SettingsError
from loadgen.settings.model import Settings


def create_collection(collection: Collection, settings: Settings, dataset: Dataset) -> MilvusVectorStore:
    """Let LlamaIndex create the collection, then write the manifest, create the index, and load it.

    In steps, because the constructor would write the manifest last, after seconds of indexing and loading: a
    process killed in between would leave a collection without an owner. Raises SettingsError if the index is refused,
    and what pymilvus raises; the caller undoes the steps that the collection's stage shows.
    """
    manifest = json.dumps(make_manifest(settings, dataset))
    properties = {MANIFEST_KEY: manifest, COMPACTION_KEY: Compaction.NOT_AWAITED.value}  # until it is settled
    collection.stage = Stage.ASKED_FOR
    store = open_for_loading(collection, settings)
    collection.stage = Stage.CREATED
    try:
        store.client.alter_collection_properties(settings.collection, properties=properties)
        collection.stage = Stage.OWNED
        create_partitions(store.client, settings)
        index = store._add_dense_index_params(store.client.prepare_index_params())  # noqa: SLF001 - LlamaIndex's own
        if settings.has_full_text:
            index = store._add_sparse_index_params(index)  # noqa: SLF001 - likewise
        _create_index(store, index, collection, settings)
        store.client.load_collection(settings.collection)
    except BaseException:
        store.client.close()
        raise
    return store


def open_for_loading(collection: Collection, settings: Settings) -> MilvusVectorStore:
    """A store over a collection that was created earlier."""
    arguments = store_arguments(settings, Mode.ASYNC) | connection_arguments(settings, collection.limit)
    bare = {"upsert_mode": False, "index_management": IndexManagement.NO_VALIDATION}
    return find_store_class(settings)(**(arguments | bare))


def _create_index(store: MilvusVectorStore, index: Any, collection: Collection, settings: Settings) -> None:
    """Raises SettingsError if the server rejects the index."""
    try:
        store.client.create_index(settings.collection, index)
    except MilvusException as error:
        given_up = isinstance(error, GivenUpError) or status_of(error)[0] is not None
        if given_up or is_denied(error) or collection.has_index():
            raise
        raise SettingsError([_refused_index(settings, server_words(error))]) from error


def _refused_index(settings: Settings, words: str) -> Fault:
    """The fault for the server's message: the parameters if it names one of them, otherwise the type."""
    params = {name: value for name, value in settings.index_config.items() if name != "index_type"}
    for name in params:
        if re.search(rf"\b{re.escape(name)}\b", words):
            shown = ",".join(f"{given}={value}" for given, value in params.items())
            return Fault("index_params", shown, f"are refused by the server ({words})", "Change them.")
    return Fault("index_type", settings.index_type, f"is refused by the server ({words})", "Choose another.")
