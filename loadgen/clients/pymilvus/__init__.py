"""The layer below LlamaIndex: MilvusClient and AsyncMilvusClient of pymilvus."""

from loadgen.clients.layers import Layer
from loadgen.clients.pymilvus.async_client import AsyncClient
from loadgen.clients.pymilvus.connector import ClientConnector
from loadgen.clients.pymilvus.sync_client import SyncClient
from loadgen.clients.vector_client import OPERATIONS
from loadgen.measure.sample import Mode

__all__ = ["LAYER", "AsyncClient", "SyncClient"]

LAYER = Layer(OPERATIONS, {Mode.SYNC: SyncClient, Mode.ASYNC: AsyncClient}, ClientConnector())
