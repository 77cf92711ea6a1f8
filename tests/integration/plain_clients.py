"""Clients and stores as other programs open them, for what a test does beside the tool.

A plain pymilvus connection pings its server every 10 s while it is idle. Milvus Lite closes such a connection, also in
the moment in which a test begins to use it (`Too many pings`): these do not ping, and share no connection.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from llama_index.vector_stores.milvus import MilvusVectorStore
from pymilvus import MilvusClient

from loadgen.milvus.proxies import channel_options


def quiet_options(uri: str) -> dict[str, int]:
    """Options of a connection that no other client shares and that Milvus Lite does not close while it is idle."""
    return {"grpc.use_local_subchannel_pool": 1, **channel_options(uri)}


def open_client(uri: str, **given: Any) -> MilvusClient:
    """A client of pymilvus on a connection of its own, to be closed."""
    return MilvusClient(uri=uri, dedicated=True, grpc_options=quiet_options(uri), **given)


@contextlib.contextmanager
def client_of(uri: str, **given: Any) -> Iterator[Any]:
    """The same, closed at the end."""
    client = open_client(uri, **given)
    try:
        yield client
    finally:
        client.close()


def open_store(uri: str, name: str, **given: Any) -> MilvusVectorStore:
    """A store of LlamaIndex on a connection of its own; its `client` is to be closed."""
    own: dict[str, Any] = {"dedicated": True, "grpc_options": quiet_options(uri), **given}
    return MilvusVectorStore(uri=uri, collection_name=name, **own)
