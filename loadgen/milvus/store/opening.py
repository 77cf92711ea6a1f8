"""Stores opened on a prepared collection. Nothing here creates, drops or alters."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import grpc
from llama_index.vector_stores.milvus import MilvusVectorStore
from llama_index.vector_stores.milvus.base import IndexManagement
from pymilvus import AsyncMilvusClient, MilvusClient
from pymilvus.exceptions import MilvusException

from loadgen.measure.sample import Mode
from loadgen.milvus.store.arguments import connection_arguments, quiet_client_log, store_arguments
from loadgen.milvus.store.errors import StoreError
from loadgen.milvus.store.manifest import read_manifest
from loadgen.milvus.store.patience import Patience
from loadgen.milvus.store.reaching import explain_failure
from loadgen.settings.conflicts import without_secret
from loadgen.settings.model import Settings

logger = logging.getLogger("loadgen")

COUNT: dict[str, Any] = {"filter": "", "output_fields": ["count(*)"], "consistency_level": "Strong"}
"""Arguments of a query for the number of rows."""
RETRIED = ("search", "query", "insert", "upsert", "delete")
"""The client methods that the store calls; each accepts `retry_times` and does not pass it on."""


def open_stores(settings: Settings, mode: Mode) -> list[MilvusVectorStore]:
    """Open `connections` stores, each with one TCP connection. Blocks: call it on an OS thread.

    An async store connects when it is first awaited (`warm_stores`), and its blocking client is closed already, so
    that both modes have the same number of connections. Raises StoreError.
    """
    quiet_client_log()
    stores: list[MilvusVectorStore] = []
    try:
        with Patience(logger.warning).watching():
            require_collection(settings)
            for _ in range(settings.connections):
                stores.append(_open_store(settings, mode))  # noqa: PERF401 those open so far are closed on a failure
    except (MilvusException, grpc.RpcError, ValueError) as error:
        close_stores(stores)
        raise StoreError(explain_failure("open", settings, error)) from error
    return stores


def async_client_of(store: MilvusVectorStore) -> AsyncMilvusClient:
    """The client that the store awaits. Raises ValueError for a store that was opened for blocking calls."""
    if store.aclient is None:
        raise ValueError(f"the store of '{store.collection_name}' has no async client")
    return store.aclient


def close_stores(stores: Iterable[MilvusVectorStore]) -> None:
    """Close the blocking clients; a second time does nothing."""
    for store in stores:
        store.client.close()


async def aclose_stores(stores: Iterable[MilvusVectorStore]) -> None:
    """Close the async clients, on the loop that used them."""
    for store in stores:
        if store.aclient is not None:
            await store.aclient.close()


async def warm_stores(stores: Sequence[MilvusVectorStore]) -> list[str]:
    """Connect the async clients on the running loop, and load the schema that an insert needs.

    Returns the fingerprint of the data that each one sees; empty if the collection has none.

    Otherwise concurrent first operations of a store would each open a connection, and pymilvus would lose all but one
    of them.
    """
    asked = (async_client_of(store).describe_collection(store.collection_name) for store in stores)
    result = [find_fingerprint(described) for described in await asyncio.gather(*asked)]
    for store in stores:
        keep_channel(store.aclient)
    return result


def warm_sync_stores(stores: Iterable[MilvusVectorStore]) -> list[str]:
    """Do what `warm_stores` does, for the blocking clients."""
    return [find_fingerprint(store.client.describe_collection(store.collection_name)) for store in stores]


def find_fingerprint(described: dict[str, Any]) -> str:
    """The fingerprint of the data in a collection, as described by the server; empty if it has none."""
    return str((read_manifest(described.get("properties") or {}) or {}).get("fingerprint", ""))


def limit_retries(client: Any, retries: int) -> None:
    """Limit the retries of the operations of a blocking or async client.

    With 0 a throttled answer raises immediately, where pymilvus would wait and retry 75 times.
    """
    for name in RETRIED:
        setattr(client, name, partial(getattr(client, name), retry_times=retries))


def keep_channel(client: Any) -> None:
    """Have a connected client keep its channel, which connects again by itself when its server is back.

    After each UNAVAILABLE, pymilvus would open another connection: an async client a hundred while a server restarts,
    and they stay open, where a variant should have as many as it was given.
    """
    handler = getattr(client, "_handler", None)
    if handler is not None and not getattr(getattr(client, "_config", None), "is_global", False):
        vars(handler).pop("_on_rpc_error", None)


def require_collection(settings: Settings) -> None:
    """Raise StoreError if the collection does not exist."""
    client = MilvusClient(**connection_arguments(settings, settings.deadline))
    try:
        if not client.has_collection(settings.collection):
            raise StoreError(
                f"there is no collection '{settings.collection}' on {without_secret(settings.host)}: "
                "the master or the local runner has to prepare it first"
            )
    finally:
        client.close()


def _open_store(settings: Settings, mode: Mode) -> MilvusVectorStore:
    # Without a dimension the constructor cannot create a collection, and unvalidated it creates no index.
    untouching = {"dim": None, "index_management": IndexManagement.NO_VALIDATION}
    store = MilvusVectorStore(**(store_arguments(settings, mode) | untouching))
    if mode is Mode.ASYNC:
        store.client.close()
        limit_retries(store.aclient, settings.retries)
    else:
        limit_retries(store.client, settings.retries)
        keep_channel(store.client)
    return store
